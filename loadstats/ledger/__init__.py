# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The ledger: which engine serves which requests, and the load that follows from it.

Pure Python without Django, clocks, logging or metrics: time is passed in, and the same calls in the same order give
the same state everywhere.
"""

from edge.engine_name import EngineName
from loadstats.ledger.candidate_view import CandidateView
from loadstats.ledger.cause import CAUSES, FAILED, GATEWAY, Cause
from loadstats.ledger.census import Census, CensusTaker, GatewayCensus, Tally
from loadstats.ledger.cluster import Cluster, Engine
from loadstats.ledger.cluster_snapshot import ClusterSnapshot
from loadstats.ledger.copy import RequestCopy
from loadstats.ledger.counts import LedgerCounts
from loadstats.ledger.event import (
    LATEST,
    MAX_ATTEMPT,
    Added,
    Beat,
    Done,
    Dropped,
    Event,
    FirstToken,
    FromIncarnation,
    RequestRefreshed,
    TokensCounted,
)
from loadstats.ledger.event_sink import EventSink
from loadstats.ledger.failures import Failures
from loadstats.ledger.gateway import GatewayKey, GatewayKind
from loadstats.ledger.ledger import Ledger
from loadstats.ledger.legacy import LegacyLedgerAdapter
from loadstats.ledger.limits import BUCKETS, LedgerFull
from loadstats.ledger.loads import LoadReader
from loadstats.ledger.match import Match, Mismatch
from loadstats.ledger.owners import TurnedOwner
from loadstats.ledger.phase import Phase
from loadstats.ledger.record import Origin, Record
from loadstats.ledger.replica import LedgerReplica
from loadstats.ledger.requests import EARLY, IN_FLIGHT, NAMES, Cursor, Filter, Page, RequestReader, RequestView
from loadstats.ledger.reservations import (
    MAX_CANDIDATES,
    CandidateNames,
    EngineChoice,
    NoCandidates,
    Reservations,
    Reserved,
)
from loadstats.ledger.row import Row
from loadstats.ledger.signals import CONTRACT, OURS, SIGNALS, Signal
from loadstats.ledger.totals import ClusterTotals, SignalSums

__all__ = [
    "BUCKETS",
    "CAUSES",
    "CONTRACT",
    "EARLY",
    "FAILED",
    "GATEWAY",
    "IN_FLIGHT",
    "LATEST",
    "MAX_ATTEMPT",
    "MAX_CANDIDATES",
    "NAMES",
    "OURS",
    "SIGNALS",
    "Added",
    "Beat",
    "CandidateNames",
    "CandidateView",
    "Cause",
    "Census",
    "CensusTaker",
    "Cluster",
    "ClusterSnapshot",
    "ClusterTotals",
    "Cursor",
    "Done",
    "Dropped",
    "Engine",
    "EngineChoice",
    "EngineName",
    "Event",
    "EventSink",
    "Failures",
    "Filter",
    "FirstToken",
    "FromIncarnation",
    "GatewayCensus",
    "GatewayKey",
    "GatewayKind",
    "Ledger",
    "LedgerCounts",
    "LedgerFull",
    "LedgerReplica",
    "LegacyLedgerAdapter",
    "LoadReader",
    "Match",
    "Mismatch",
    "NoCandidates",
    "Origin",
    "Page",
    "Phase",
    "Record",
    "RequestCopy",
    "RequestReader",
    "RequestRefreshed",
    "RequestView",
    "Reservations",
    "Reserved",
    "Row",
    "Signal",
    "SignalSums",
    "Tally",
    "TokensCounted",
    "TurnedOwner",
]
