# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Where nodes speak to each other."""

EVENT = "/v1/replica/event"  # the original's
PUSH = "/v1/replica/push"
SUMMARY = "/v1/replica/summary"
STATE = "/v1/replica/state"
CACHE = "/v1/replica/cache"
PEERS = "/v1/replica/peers"

SECRET_HEADER = "X-Replica-Secret"  # noqa: S105 a header's name
