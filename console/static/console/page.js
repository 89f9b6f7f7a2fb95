// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** What every page of the console has: keys, copy buttons, the theme. */

import { copyOnClick } from "./copy.js";
import { listenForKeys } from "./keys.js";
import { chooseTheme } from "./theme.js";

copyOnClick();
listenForKeys();
chooseTheme();
