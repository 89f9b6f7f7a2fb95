# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What a node can understand beyond the first release of the protocol, so that releases can be mixed.

Immutable. An Ack, a Summary and a Want end with the names of the sender's features; a node of a release without them
sends none. What a peer does not know is sent to it in older words, or as `NOTHING` (`Entity.for_peer`).
`docs/protocol.md`, "Versions", says what each feature adds.
"""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from loadstats.ledger import TokensCounted

ATTEMPTS: Final = "attempts"
INCARNATIONS: Final = "incarnations"
CAUSES: Final = "causes"
ENGINE_CACHES: Final = "engine-caches"

FEATURES: Final = frozenset({ATTEMPTS, INCARNATIONS, CAUSES, ENGINE_CACHES})
NO_FEATURES: Final[frozenset[str]] = frozenset()

FeatureNames = Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=256)]
"""The features of a message's sender, as they travel. Names that the receiver does not know are ignored."""

NAMES: Final = sorted(FEATURES)

NOTHING: Final = TokensCounted("-", 0, 0)
"""An event that changes nothing. Every release knows it. It keeps the number of an event that is not sent or taken."""
