# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The replication calls' URLs."""

from replication.views import ReplicaEvent, ReplicaPeers

urlpatterns = [ReplicaEvent.url(), ReplicaPeers.url()]
