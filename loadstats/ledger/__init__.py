# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The ledger: which engine serves which requests, and the load that follows from it.

Pure Python without Django, clocks, logging or metrics: time is passed in, and the same calls in the same order give
the same state everywhere.
"""

from loadstats.ledger.book import BUCKETS, Counts, LedgerFull
from loadstats.ledger.cluster import Cluster, Engine, Row
from loadstats.ledger.event import Added, Done, Event, FirstToken
from loadstats.ledger.ledger import Journal, Ledger
from loadstats.ledger.record import Origin, Phase, Record
from loadstats.ledger.replicated import Copy, Hearsay, ReplicatedLedger

__all__ = [
    "BUCKETS",
    "Added",
    "Cluster",
    "Copy",
    "Counts",
    "Done",
    "Engine",
    "Event",
    "FirstToken",
    "Hearsay",
    "Journal",
    "Ledger",
    "LedgerFull",
    "Origin",
    "Phase",
    "Record",
    "ReplicatedLedger",
    "Row",
]
