# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`/admin/replication/peer/`: the other nodes as this one sees them; and pulling everything from one.

Runs on Django's threads.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import CHANGE
from django.http import HttpRequest

from edge.errors import NotFound
from edge.live_admin import LiveAdmin, Operation, Question, Values
from replication.models import Peer
from replication.part import Replication
from runtime.running import part


class ResyncPeer(Operation):
    codename = "resync_peer"
    title = "Resync a peer"
    button = "Pull everything"
    members = ("name",)
    flag = CHANGE

    def ask(self, values: Values) -> Question:
        peer = _find(values["name"])
        return Question(
            f"Pull everything from {peer['peer']}?",
            "This node asks it for everything it knows and merges that, as a node does that has just started."
            " Nothing is lost by it. A peer that cannot be reached is asked as soon as it can be.",
            (("state", str(peer["state"])), ("its origin", str(peer["origin"] or "not known yet"))),
        )

    def perform(self, values: Values) -> str:
        if not part(Replication).links.resync(values["name"]):
            raise NotFound(f"No peer {values['name']!r}: it may have gone meanwhile.")
        return f"Peer {values['name']}: everything is pulled from it."


@admin.register(Peer)
class PeerAdmin(LiveAdmin):
    template = "replication/admin/peers.html"
    operations = (ResyncPeer(),)

    def context(self, request: HttpRequest) -> dict[str, Any]:
        return {"told": part(Replication).handlers.report()}


def _find(name: str) -> dict[str, Any]:
    for peer in part(Replication).handlers.report()["peers"]:
        if peer["peer"] == name:
            found: dict[str, Any] = peer
            return found
    raise NotFound(f"No peer {name!r}: it may have gone meanwhile.")
