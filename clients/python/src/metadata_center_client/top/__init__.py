# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The load of all clusters in a terminal, as it changes. Needs the extra `top`."""
