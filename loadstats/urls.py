# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The load calls' URLs."""

from loadstats.views import (
    LoadBatch,
    LoadClusters,
    LoadEngine,
    LoadHistoryView,
    LoadOwner,
    LoadOwners,
    LoadPick,
    LoadPrompt,
    LoadRefresh,
    LoadRequest,
    LoadStatsView,
    LoadTokens,
)

urlpatterns = [
    LoadStatsView.url(),
    LoadPick.url(),
    LoadPrompt.url(),
    LoadTokens.url(),
    LoadRefresh.url(),
    LoadOwner.url(),
    LoadOwners.url(),
    LoadBatch.url(),
    LoadEngine.url(),
    LoadClusters.url(),
    LoadHistoryView.url(),
    LoadRequest.url(),
]
