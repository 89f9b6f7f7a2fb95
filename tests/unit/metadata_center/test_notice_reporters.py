# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Who reports notices: the parts, the cold start, tasks, gateways, operators, clients that are refused."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import Any

import pytest

from edge.audit import AuditLine, Outcome
from edge.call import Call, Route, Table
from edge.caller import Scope
from edge.dispatcher import Dispatcher
from edge.envelope import TraceIds
from edge.errors import TooMany
from edge.quotas import CAPS, NOTICE_NS, Quotas
from loadstats.batch import BatchHandlers
from loadstats.ledger import Ledger, TurnedOwner
from metadata_center.notices.audit_sink import NoticeSink
from metadata_center.notices.part import Notices
from metadata_center.notices.sources import ColdSource, GatewaySource, PartSource, TaskSource
from metadata_center.notices.watch import NoticeWatch
from runtime.cold_start import ColdStart
from runtime.config.schema import QuotasSettings
from runtime.health import Health, PartState
from runtime.notices.kind import Kind, Severity
from runtime.notices.log import NoticeLog
from runtime.periodic import TaskRun
from tests.unit.partial_node import FakeTrail


@pytest.fixture
def log() -> NoticeLog:
    return NoticeLog("a@1", "a")


def said(log: NoticeLog) -> list[tuple[str, str]]:
    """Kind and text of each notice, the oldest first."""
    return [(each.kind, each.text) for each in reversed(log.newest_first())]


@pytest.mark.parametrize(
    ("part", "fails", "works"),
    [
        ("accounts", Kind.DATABASE_AWAY, Kind.DATABASE_BACK),
        ("snapshot", Kind.SNAPSHOT_FAILS, Kind.SNAPSHOT_WORKS),
        ("tls", Kind.CERTIFICATE_FAULT, Kind.CERTIFICATE_RENEWED),
        ("worker", Kind.WORKER_FAILS, Kind.WORKER_WORKS),
    ],
)
def test_a_part_that_fails_and_works_again_is_reported_once_each(
    log: NoticeLog, part: str, fails: Kind, works: Kind
) -> None:
    bad, good = (PartState.DEGRADED, "why"), (PartState.OK, "")
    states = iter([(PartState.STARTING, ""), good, bad, bad, good])
    health = Health(lambda: 0.0)
    health.add(part, False, lambda: next(states))
    source = PartSource(log, health.report)
    for _ in range(5):
        source.look()
    assert [each.kind for each in reversed(log.newest_first())] == [fails, works]
    assert said(log)[0][1].endswith("is degraded: why")
    assert log.counts()[fails] == 1


def test_parts_with_a_source_of_their_own_are_left_to_it(log: NoticeLog) -> None:
    health = Health(lambda: 0.0)
    health.add("replication", True, lambda: (PartState.DEGRADED, "lost: b"))
    PartSource(log, health.report).look()
    assert said(log) == []


def test_a_cold_node_is_reported_once_it_has_been_so_for_a_while(log: NoticeLog) -> None:
    seconds = iter([1, 5, 6, 7, 0, 0])
    source = ColdSource(log, lambda: next(seconds))
    for _ in range(6):
        source.look()
    assert [kind for kind, _ in said(log)] == [Kind.COLD_STARTED, Kind.COLD_ENDED]


def test_a_node_that_is_filled_at_once_is_not_reported(log: NoticeLog) -> None:
    seconds = iter([1, 2, 0])
    source = ColdSource(log, lambda: next(seconds))
    for _ in range(3):
        source.look()
    assert said(log) == []


def test_a_task_that_fails_is_reported_with_its_error(log: NoticeLog) -> None:
    runs = {"expire": TaskRun(runs=1)}
    source = TaskSource(log, lambda: runs)
    source.look()
    runs["expire"] = TaskRun(runs=2, failures=1, last_error="ValueError: no")
    source.look()
    source.look()
    runs["expire"] = TaskRun(runs=3, failures=2, last_error="ValueError: no")
    source.look()
    (notice,) = log.newest_first()
    assert (notice.times, notice.text) == (2, "Task expire failed: ValueError: no")


def test_gateways_that_fall_silent_and_come_back_are_reported(log: NoticeLog) -> None:
    ledger = Ledger()
    source = GatewaySource(log, ledger.requests.turned_owners)
    ledger.add("r", "c", "10.0.0.1", 5, 0.0, 1, "g")
    ledger.beat("g", 2, 0.0, 1)
    ledger.beat("idle", 2, 0.0, 1)
    ledger.lapse(1.0, 1)
    source.look()
    assert said(log) == []
    ledger.lapse(5.0, 1)
    ledger.beat("g", 2, 6.0, 6_000_000_000)
    source.look()
    texts = dict(said(log))
    assert texts[Kind.GATEWAY_BACK] == "Gateway g sends heartbeats again"
    silent = {each.subject.gateway: each for each in log.newest_first() if each.kind is Kind.GATEWAY_SILENT}
    assert silent["g"].text.endswith("its request is orphaned")
    assert silent["g"].severity is Severity.WARNING
    assert silent["idle"].severity is Severity.INFO
    assert ledger.requests.turned_owners() == []


def test_gateways_with_several_requests_are_counted_in_words(log: NoticeLog) -> None:
    GatewaySource(log, lambda: [TurnedOwner("g", False, 3)]).look()
    assert said(log)[0][1].endswith("its 3 requests are orphaned")


def line(act: str, what: dict[str, Any], outcome: Outcome = Outcome.DONE) -> AuditLine:
    return AuditLine(0.0, act, outcome, "user anna", "10.9.9.9", json.dumps(what))


DROPPED = {"cluster": "c", "ip": "2001:db8::1", "port": 8000, "dp_rank": 1}


@pytest.mark.parametrize(
    ("audited", "expected"),
    [
        (
            line("POST /log/level", {"body": {"LevelParam": "DEBUG"}}),
            (Kind.LOG_LEVEL_CHANGED, "The log level is now DEBUG"),
        ),
        (
            line("DELETE /v1/load/engine", {"body": DROPPED, "answer": {"ended": 7}}),
            (
                Kind.ENGINE_DROPPED,
                "Engine [2001:db8::1]:8000/1 of cluster c was dropped. Requests in flight that ended with it: 7",
            ),
        ),
        (
            line("POST /v1/load/batch", {"acts": [{"op": "drop", "cluster": "c", "ip": "10.0.0.1"}]}),
            (Kind.ENGINE_DROPPED, "Engine 10.0.0.1 of cluster c was dropped"),
        ),
        (line("key changed", {"name": "gw"}), (Kind.OPERATOR_ACT, "An operator did this: key changed of gw")),
        (
            line("resync_peer", {"peer": "b:1"}, Outcome.FAILED),
            (Kind.OPERATOR_ACT, "Failed halfway: resync_peer. The log says why"),
        ),
        (
            line("POST /log/level", {}, Outcome.REFUSED),
            (Kind.OPERATOR_REFUSED, "Refused: POST /log/level. The audit trail says why"),
        ),
        (line("POST /log/level", {"body": "no object"}), (Kind.LOG_LEVEL_CHANGED, "The log level is now another one")),
    ],
)
def test_what_operators_do_is_reported_without_their_names(
    log: NoticeLog, audited: AuditLine, expected: tuple[str, str]
) -> None:
    trail = FakeTrail()
    NoticeSink(log, trail).put(audited)
    assert said(log) == [expected]
    assert trail.lines == [audited]
    (notice,) = log.newest_first()
    assert "anna" not in f"{notice}"
    assert "10.9.9.9" not in f"{notice}"


def test_log_ins_and_starts_are_no_notices(log: NoticeLog) -> None:
    sink = NoticeSink(log, FakeTrail())
    for act in ("log-in", "log-out", "node started"):
        sink.put(line(act, {}))
    assert said(log) == []


def notices(log: NoticeLog, quotas: Quotas) -> Notices:
    health, ledger = Health(lambda: 0.0), Ledger()
    return Notices(log, health=health, cold=ColdStart(0.0), ledger=ledger, quotas=quotas, runs=dict)


def test_a_client_that_is_refused_is_reported_once_a_minute_without_its_name(log: NoticeLog) -> None:
    now = 0
    quotas = Quotas(QuotasSettings(connections=1), clock=lambda: now)
    part = notices(log, quotas)
    for _ in range(100):
        quotas.admit("10.0.0.7")
    now += NOTICE_NS
    quotas.admit("10.0.0.7")
    (notice,) = log.newest_first()
    assert (notice.kind, notice.times, notice.subject.item) == (Kind.QUOTA_REACHED, 2, "connections")
    assert "10.0.0.7" not in f"{notice}"
    assert {route.path for route in part.routes()} == {"/v1/events"}


def test_what_is_noted_of_refusals_is_bounded(log: NoticeLog) -> None:
    quotas = Quotas(QuotasSettings())
    notices(log, quotas)
    for number in range(5000):
        quotas.note_refusal("waits", f"10.0.{number // 250}.{number % 250}", "no")
    assert len(quotas._noted) <= 1000
    assert len(log) == 1


def test_a_call_that_a_cap_refuses_is_reported(log: NoticeLog) -> None:
    def full(call: Call) -> bytes:
        raise TooMany("requests: this node holds its most, 5 ([Load] MaxRequests)")

    quotas = Quotas(QuotasSettings())
    notices(log, quotas)
    route = Route("POST", "/x", full, scope=Scope.WRITE)
    dispatcher = Dispatcher(Table([route]), TraceIds(1), quotas=quotas)
    for client in ("10.0.0.1", "10.0.0.1", "10.0.0.2"):
        assert dispatcher.serve_admitted(route, Call(b"", b"", {}, client=client), b"t")[0] == 429
    (notice,) = log.newest_first()
    assert (notice.kind, notice.times, notice.subject.item) == (Kind.CAP_REACHED, 2, "requests")
    assert CAPS == "caps"


def test_an_operation_of_a_batch_that_a_cap_refuses_is_reported_as_a_call_is(log: NoticeLog) -> None:
    quotas = Quotas(QuotasSettings())
    notices(log, quotas)
    (route,) = BatchHandlers(Ledger(max_records=1), capped=partial(quotas.note_refusal, CAPS)).routes()
    adds = [{"op": "add", "cluster": "c", "request_id": f"r{number}", "ip": "10.0.0.1"} for number in range(3)]
    route.handler(Call(b"", json.dumps({"ops": adds}).encode(), {}, client="10.0.0.1"))
    (notice,) = log.newest_first()
    assert (notice.kind, notice.times, notice.subject.item) == (Kind.CAP_REACHED, 1, "requests")


def test_a_start_and_a_stop_are_reported(log: NoticeLog) -> None:
    part = notices(log, Quotas(QuotasSettings()))
    part.start()
    part.drain()
    assert [kind for kind, _ in said(log)] == [Kind.NODE_STARTED, Kind.NODE_STOPPED]
    (collector,) = part.collectors()
    samples = {
        (sample.name, sample.labels.get("kind", "")): sample.value
        for family in collector.collect()
        for sample in family.samples
    }
    assert samples["metadata_center_notices_total", "node_started"] == 1
    assert samples["metadata_center_notices_total", "peer_lost"] == 0
    assert samples["metadata_center_notices_kept", ""] == 2


def test_a_source_that_fails_does_not_keep_others_from_being_looked_at(
    log: NoticeLog, caplog: pytest.LogCaptureFixture
) -> None:
    looked = []

    class Broken:
        def look(self) -> None:
            raise ValueError

    class Well:
        def look(self) -> None:
            looked.append(1)

    async def scenario() -> None:
        watch = NoticeWatch([Broken(), Well()])
        watch.start()
        await watch.stop()

    asyncio.run(scenario())
    assert looked == [1]
    assert "Broken: not looked at" in caplog.text
