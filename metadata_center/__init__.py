# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The project: configuration, wiring, transport and the process that is one node."""

__version__ = "0.1.0"
