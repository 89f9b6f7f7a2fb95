# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Histories of nodes on a virtual clock. The fast run tries some; the slow run `HISTORIES` in each of its chunks."""

from os import environ

# Each history takes 0.5 to 0.8 s of CPU time, and there are 70 chunks: six minutes on one core.
HISTORIES = int(environ.get("HISTORIES", "8"))
