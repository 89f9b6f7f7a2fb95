# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Load as it changes, for people who watch: websockets at /ws/load/ and /ws/load/<cluster>/ (docs/websocket.md)."""
