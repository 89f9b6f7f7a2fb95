# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Attacks on a real node by clients without credentials, with an honest client beside them."""
