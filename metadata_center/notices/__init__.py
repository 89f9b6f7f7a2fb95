# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Notices as a part of a node: who reports them, and the call that shows them. On the wire they are called events."""
