# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How a call comes in and an answer goes out: lane, dispatcher, ASGI, Django's side, REST framework."""
