// SPDX-FileCopyrightText: 2026 Metadata Center contributors
// SPDX-License-Identifier: Apache-2.0
/** What every page of the console has: keys, copy buttons, the theme, fields that are in the address, ways back. */

import { copyOnClick } from "./copy.js";
import { keepFields } from "./kept_fields.js";
import { listenForKeys } from "./keys.js";
import { chooseTheme } from "./theme.js";
import { comeBack } from "./way_back.js";

copyOnClick();
keepFields();
listenForKeys();
chooseTheme();
comeBack();
