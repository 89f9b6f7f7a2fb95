# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The audit trail's table: what is written there, by whom, and when it is removed again."""
