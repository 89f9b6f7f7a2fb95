# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`/admin/loadstats/engine/`: the engines, the busiest first; and forgetting one. Runs on Django's threads."""

from __future__ import annotations

from time import time_ns
from typing import Any

from django.contrib import admin
from django.contrib.admin.models import DELETION
from django.http import HttpRequest

from edge.errors import NotFound
from edge.live_admin import LiveAdmin, Operation, Question, Values
from loadstats.admin.sums import HEADINGS, ListedEngine, listed_engines, listing
from loadstats.admin.typed_engine import as_listed
from loadstats.models import Engine
from loadstats.part import LoadStats
from runtime.running import part


class ForgetEngine(Operation):
    codename = "forget_engine"
    title = "Forget an engine"
    button = "Forget it"
    members = ("cluster", "ip")
    flag = DELETION

    def ask(self, values: Values) -> Question:
        engine = _find(values)
        return Question(
            f"Forget engine {engine.ip} of cluster {engine.cluster}?",
            "It is no longer listed, and its requests are ended within seconds, here and on every other node, as if"
            " their clients had said so. The engine keeps generating. The next request that is sent to it"
            " brings it back.",
            (("requests in flight", f"{engine.requests:,}"), ("prompt length in prefill", f"{engine.prompt_length:,}")),
        )

    def perform(self, values: Values) -> str:
        requests = part(LoadStats).ledger.drop(values["cluster"], as_listed(values["ip"]))
        if requests is None:
            raise _unknown(values)
        return f"Engine {self.target(values)} was forgotten, with {requests} requests in flight."

    def target(self, values: Values) -> str:
        return f"{values['ip']} in {values['cluster']}"


@admin.register(Engine)
class EngineAdmin(LiveAdmin):
    template = "loadstats/admin/engines.html"
    operations = (ForgetEngine(),)

    def context(self, request: HttpRequest) -> dict[str, Any]:
        cluster, ip, busy = (request.GET.get(name, "") for name in ("cluster", "ip", "busy"))
        found = listed_engines(part(LoadStats).ledger, cluster, as_listed(ip), busy=bool(busy))
        shown = listing(found, request.GET.get("page"))
        wall_ns = time_ns()
        lines = [(engine, max(0.0, (wall_ns - engine.row.updated_time) / 1e9)) for engine in shown.lines]
        return {"cluster": cluster, "ip": ip, "busy": busy, "page": shown, "lines": lines, "headings": HEADINGS}


def _find(values: Values) -> ListedEngine:
    name = as_listed(values["ip"])
    for engine in listed_engines(part(LoadStats).ledger, values["cluster"]):
        if (engine.cluster, engine.ip) == (values["cluster"], name):
            return engine
    raise _unknown(values)


def _unknown(values: Values) -> NotFound:
    return NotFound(f"No engine {values['ip']!r} in cluster {values['cluster']!r}: it may have gone meanwhile.")
