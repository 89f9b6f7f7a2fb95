# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The last hour of each cluster and of its busiest engines, for charts. It is sampled from the ledger every 10 s.

Each node keeps its own. A snapshot has a copy, and a node that starts pulls one from a peer.
"""

from loadstats.history.copies import HistoryCopies, HistoryWant
from loadstats.history.history import History, LoadHistory
from loadstats.history.sampler import HistorySampler
from loadstats.history.sampling import Sampling
from loadstats.history.series import STEP_SECONDS

__all__ = ["STEP_SECONDS", "History", "HistoryCopies", "HistorySampler", "HistoryWant", "LoadHistory", "Sampling"]
