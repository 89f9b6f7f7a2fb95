# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What outlives a node: a snapshot of all that it holds, and behind it the tail of what its clients reported since.

`frames`, `contents`, `moment`, `capture`, `tail` and `restoring` are pure. `files` and `disk` know the disk, `keeper`
decides when to write, `restorer` reads it all when the node starts.
"""
