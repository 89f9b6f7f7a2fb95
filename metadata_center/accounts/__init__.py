# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""People's accounts: where they are kept, who keeps them up to date, and how people log in."""
