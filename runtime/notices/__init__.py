# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What happened on the nodes that matters to people: a bounded log, that any part can report to."""
