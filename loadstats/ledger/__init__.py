# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The ledger: which engine serves which requests, and the load that follows from it.

Pure Python without Django, clocks, logging or metrics: time is passed in, and the same calls in the same order give
the same state everywhere.
"""

from loadstats.ledger.candidate_view import CandidateView
from loadstats.ledger.cluster import Cluster, Engine, EngineName, Row
from loadstats.ledger.event import Added, Beat, Done, Dropped, Event, FirstToken, Refreshed, Tokens
from loadstats.ledger.glance import Glance, glance
from loadstats.ledger.inspection import EARLY, IN_FLIGHT, NAMES, Cursor, Filter, Inspection, Page, Sighting
from loadstats.ledger.journal import Journal
from loadstats.ledger.ledger import Ledger, Match, Mismatch
from loadstats.ledger.record import Origin, Phase, Record
from loadstats.ledger.replicated import Copy, Hearsay, ReplicatedLedger
from loadstats.ledger.reservations import (
    MAX_CANDIDATES,
    CandidateNames,
    EngineChoice,
    NoCandidates,
    Reservations,
    Reserved,
)
from loadstats.ledger.state import BUCKETS, Counts, LedgerFull
from loadstats.ledger.totals import Totals, clusters_after, totals

__all__ = [
    "BUCKETS",
    "EARLY",
    "IN_FLIGHT",
    "MAX_CANDIDATES",
    "NAMES",
    "Added",
    "Beat",
    "CandidateNames",
    "CandidateView",
    "Cluster",
    "Copy",
    "Counts",
    "Cursor",
    "Done",
    "Dropped",
    "Engine",
    "EngineChoice",
    "EngineName",
    "Event",
    "Filter",
    "FirstToken",
    "Glance",
    "Hearsay",
    "Inspection",
    "Journal",
    "Ledger",
    "LedgerFull",
    "Match",
    "Mismatch",
    "NoCandidates",
    "Origin",
    "Page",
    "Phase",
    "Record",
    "Refreshed",
    "ReplicatedLedger",
    "Reservations",
    "Reserved",
    "Row",
    "Sighting",
    "Tokens",
    "Totals",
    "clusters_after",
    "glance",
    "totals",
]
