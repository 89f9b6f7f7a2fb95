# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Where nodes speak to each other, and in which version. An entity's own path is in the entity's file."""

VERSION = 1

EVENT = "/v1/replica/event"  # the Go version's
HELLO = "/v1/replica/hello"
PUSH = "/v1/replica/push"
SUMMARY = "/v1/replica/summary"
HISTORY = "/v1/replica/history"
PEERS = "/v1/replica/peers"
NOTICES = "/v1/replica/notices"

SECRET_HEADER = "X-Replica-Secret"  # noqa: S105 a header's name
PROOF_HEADER = "X-Replica-Proof"

# What a server answers to a path that it does not know.
UNKNOWN_PATH = frozenset({404, 405, 501})
