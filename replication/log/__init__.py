# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One log for many nodes: pushes travel through a stream in a Valkey or Redis (`server.py`), beside or instead of the
mesh."""
