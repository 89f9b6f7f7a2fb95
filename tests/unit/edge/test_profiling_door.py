# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Who gets a profile."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from edge.audit import Audit
from edge.caller import Caller, Scope
from edge.doors import Doors
from edge.key_table import NoKeys
from edge.profiling_door import profiling_guard
from tests.unit.partial_node import FakeTrail

LOCAL, FAR = "127.0.0.1", "203.0.113.9"
HOST = ("Host", "127.0.0.1:8081")


class Keys(NoKeys):
    """Knows the keys `operate` and `read`."""

    def find(self, headers: Mapping[bytes, bytes]) -> Caller | None:
        scope = headers.get(b"x-api-key", b"").decode()
        return Caller(f"key {scope}", frozenset({Scope(scope)})) if scope in list(Scope) else None


@pytest.mark.parametrize(
    ("client", "fields", "status"),
    [
        (LOCAL, [HOST], 200),
        ("::1", [HOST], 200),
        (LOCAL, [], 200),
        (FAR, [HOST], 401),
        ("10.1.2.3", [HOST], 200),
        (FAR, [HOST, ("X-API-Key", "operate")], 200),
        (FAR, [HOST, ("X-API-Key", "read")], 403),
        (FAR, [HOST, ("X-API-Key", "gone")], 401),
        (LOCAL, [HOST, ("X-Forwarded-For", FAR)], 401),
        (LOCAL, [HOST, ("FORWARDED", "for=x")], 401),
        (LOCAL, [("Host", "evil.example")], 400),
        (LOCAL, [HOST, ("Host", "evil.example")], 400),
        (LOCAL, [HOST, ("Origin", "http://evil.example")], 403),
        (LOCAL, [HOST, ("Origin", "null")], 403),
        (LOCAL, [HOST, ("Sec-Fetch-Site", "cross-site")], 403),  # an image in a page
        (LOCAL, [HOST, ("Sec-Fetch-Site", "none")], 200),  # typed into the address bar
        (LOCAL, [HOST, ("Sec-Fetch-Site", "same-origin")], 200),
        (FAR, [HOST, ("X-API-Key", "operate"), ("Origin", "http://evil.example")], 403),
    ],
)
def test_who_gets_a_profile(client: str, fields: list[tuple[str, str]], status: int) -> None:
    guard = profiling_guard(Doors(Keys(), operate_from=["10.0.0.0/8"]))
    refusal = guard(b"/debug/pprof/heap", [(name.encode(), value.encode()) for name, value in fields], client)
    assert (200 if refusal is None else refusal[0]) == status


def test_the_target_may_name_no_other_host() -> None:
    refusal = profiling_guard(Doors())(b"http://evil.example/debug/pprof/heap", [], LOCAL)
    assert refusal is not None
    assert refusal[0] == 400


def test_profiles_and_refused_ones_are_written_to_the_audit_trail() -> None:
    trail = FakeTrail()
    guard = profiling_guard(Doors(Keys(), operate_from=["10.0.0.0/8"]), Audit(trail))
    assert guard(b"/debug/pprof/heap?seconds=1", [(b"Host", b"n")], "10.0.0.7") is None
    assert guard(b"/debug/pprof/heap", [(b"Host", b"n")], "192.0.2.7") is not None
    assert trail.acts() == [("profile", "done", "address 10.0.0.7"), ("profile", "refused", "address 192.0.2.7")]
    assert "seconds=1" in trail.lines[0].what
