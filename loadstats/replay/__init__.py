# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`manage.py replay`: plays a trace of LLM requests against nodes the way gateways do, and checks their
numbers.

Everything but the command runs in one process of its own, on one asyncio loop; nothing here is used by a node.
"""
