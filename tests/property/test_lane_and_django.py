# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Whatever a client sends, the lane and Django's own views give it the same answer."""

from __future__ import annotations

import asyncio

import msgspec
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property import EXAMPLES
from tests.property.test_lane_streams import BODIES
from tests.unit.edge.lanes import Server, answers, post
from tests.unit.partial_node import PartialNode, in_place

TARGETS = st.sampled_from(
    [
        "/v1/load/stats",
        "/v1/load/prompt",
        "/v1/load/stats?cluster=c",
        "/v1/load/stats?cluster=%63&cluster=d",
        "/v1/load/stats?cluster=%zz",
        "/v1/load/stats?cluster=",
        "/v1/load/stats?x=1&cluster=none",
    ]
)
METHODS = st.sampled_from(["GET", "POST", "DELETE"])
KINDS = st.sampled_from(["", "application/json", "text/plain", "nonsense", "application/x-www-form-urlencoded"])
CALLS = st.lists(st.tuples(METHODS, TARGETS, KINDS, BODIES), min_size=1, max_size=6)

Said = tuple[int, object]


def through_the_lane(calls: list[tuple[str, str, str, bytes]]) -> list[Said]:
    async def run() -> list[Said]:
        server = Server()
        lane, transport = server.connect()
        for method, target, kind, body in calls:
            headers = [b"TraceId: t", *([b"Content-Type: " + kind.encode()] if kind else [])]
            lane.data_received(post(body, *headers, method=method.encode(), path=target.encode()))
            await server.settle()
        return [said(answer.status, answer.body) for answer in answers(transport.written)]

    return asyncio.run(run())


def through_django(calls: list[tuple[str, str, str, bytes]]) -> list[Said]:
    client = Client(raise_request_exception=False)
    with in_place(PartialNode()):
        found = []
        for method, target, kind, body in calls:
            response = client.generic(method, target, body, kind, headers={"TraceId": "t"})
            found.append(said(response.status_code, response.content))
        return found


def said(status: int, body: bytes) -> Said:
    """Status and envelope, without the times that rows were last changed at."""
    envelope = msgspec.json.decode(body)
    for row in envelope["data"] or []:
        del row["updated_time"]
    return status, envelope


@settings(max_examples=40 * EXAMPLES)
@given(CALLS)
def test_the_lane_and_django_answer_the_same(calls: list[tuple[str, str, str, bytes]]) -> None:
    calls = [call for call in calls if not (call[0] in {"GET", "POST"} and "prompt" in call[1])]  # Django's alone
    assert through_the_lane(calls) == through_django(calls)
