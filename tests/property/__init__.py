# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Laws that hold for whatever comes. The fast run tries some of it, the slow run `EXAMPLES` times as much."""

from os import environ

EXAMPLES = int(environ.get("EXAMPLES", "1"))
