# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Who may do what."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from itertools import product

import pytest

from edge.call import Call, Route
from edge.caller import Caller, Scope
from edge.doors import FORWARDED, SAFE_METHODS, SOCKET, Doors, network_of
from edge.errors import ContractError, Forbidden, InvalidInput, Unauthorized
from edge.hosts import HostRule
from edge.key_table import NoKeys
from edge.page_sites import PageSites

HOST = (b"Host", b"node:8080")
EVIL = (b"oRiGiN", b"http://evil.example")
STRANGER, LOCAL = "203.0.113.9", "127.0.0.1"
LOOPBACKS = ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1", ""]


class Keys(NoKeys):
    """One key for each set of scopes: `read`, `read+operate`."""

    def find(self, headers: Mapping[bytes, bytes]) -> Caller | None:
        key = headers.get(b"x-api-key") or headers.get(b"authorization", b"")[len(b"Bearer ") :]
        names = key.decode().split("+")
        if not all(name in list(Scope) for name in names):
            return None
        return Caller(f"key {key.decode()}", frozenset(map(Scope, names)))


def answer(doors: Doors, scope: Scope | None, client: str, headers: Mapping[bytes, bytes] = {}) -> int:
    """The status that a call gets."""
    call = Call(b"", b"", headers, client=client)
    try:
        doors.admit(Route("POST", "/", lambda call: b"", scope=scope), call)
    except ContractError as problem:
        return problem.status
    return 200


@pytest.mark.parametrize("scope", [None, *Scope])
@pytest.mark.parametrize("required", [False, True])
def test_strangers(scope: Scope | None, required: bool) -> None:
    doors = Doors(Keys(), required=required)
    always = scope in {None, Scope.REPLICATE}  # `replication.admission` decides about peers
    usual = not required and scope in {Scope.READ, Scope.WRITE}
    assert answer(doors, scope, STRANGER) == (200 if always or usual else 401)
    local = not required and scope is Scope.OPERATE
    assert answer(doors, scope, LOCAL) == (200 if always or usual or local else 401)


@pytest.mark.parametrize("client", LOOPBACKS)
def test_this_machine_may_operate(client: str) -> None:
    assert answer(Doors(), Scope.OPERATE, client) == 200
    assert answer(Doors(trust_loopback=False), Scope.OPERATE, client) == 401
    assert answer(Doors(required=True), Scope.OPERATE, client) == 401
    for name in FORWARDED:
        assert answer(Doors(), Scope.OPERATE, client, {name: b""}) == 401


@pytest.mark.parametrize("client", ["10.0.0.1", "::2", "::ffff:10.0.0.1", "fe80::1%lo", "no address", "128.0.0.1"])
def test_other_machines_may_not(client: str) -> None:
    assert answer(Doors(), Scope.OPERATE, client) == 401


@pytest.mark.parametrize(
    ("client", "allowed"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("11.1.2.3", False),
        ("fd00::7", True),
        ("fd00::7%eth0", True),
        ("fd01::7", False),
        ("192.0.2.7", True),
        ("192.0.2.8", False),
        ("172.16.0.9", True),
        ("", False),
    ],
)
def test_networks_may_operate(client: str, allowed: bool) -> None:
    networks = ["10.0.0.0/8", "fd00::/16", "192.0.2.7", "::ffff:172.16.0.0/112"]
    doors = Doors(operate_from=networks, trust_loopback=False)
    assert answer(doors, Scope.OPERATE, client) == (200 if allowed else 401)
    assert answer(Doors(operate_from=networks, required=True), Scope.OPERATE, client) == 401


def test_a_network_with_host_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="host bits"):
        network_of("10.0.0.7/8")


@pytest.mark.parametrize(("held", "needed", "required"), list(product(Scope, Scope, [False, True])))
def test_a_key_may_do_what_its_scopes_say(held: Scope, needed: Scope, required: bool) -> None:
    doors = Doors(Keys(), required=required)
    for client in (STRANGER, LOCAL):
        for headers in ({b"x-api-key": held.value.encode()}, {b"authorization": b"bEARER " + held.value.encode()}):
            assert answer(doors, needed, client, headers) == (200 if held is needed else 403)


@pytest.mark.parametrize("headers", [{b"x-api-key": b"gone"}, {b"authorization": b"Bearer gone"}])
def test_a_key_that_is_not_valid_makes_a_stranger(headers: Mapping[bytes, bytes]) -> None:
    assert answer(Doors(Keys()), Scope.READ, STRANGER, headers) == 200
    assert answer(Doors(Keys()), Scope.OPERATE, LOCAL, headers) == 200
    assert answer(Doors(Keys()), Scope.OPERATE, STRANGER, headers) == 401
    assert answer(Doors(Keys(), required=True), Scope.READ, LOCAL, headers) == 401


def test_who_proved_it_otherwise_has_scopes_too_and_a_key_says_more() -> None:
    doors, proved = Doors(Keys()), Caller("user anna", frozenset({Scope.READ}))
    assert doors.caller(Scope.READ, {}, STRANGER, proved) is proved
    with pytest.raises(Forbidden, match="user anna lacks the scope operate"):
        doors.caller(Scope.OPERATE, {}, LOCAL, proved)
    found = doors.caller(Scope.OPERATE, {b"x-api-key": b"operate"}, STRANGER, proved)
    assert found is not None
    assert found.name == "key operate"


@pytest.mark.parametrize(
    ("scope", "required", "headers"),
    list(
        product(
            [None, *Scope],
            [False, True],
            [{}, {b"x-api-key": b"read"}, {b"authorization": b"Bearer x"}, {b"authorization": b"Basic x"}],
        )
    ),
)
def test_what_the_lane_remembers_is_what_would_be_said(
    scope: Scope | None, required: bool, headers: Mapping[bytes, bytes]
) -> None:
    doors = Doors(Keys(), required=required)
    if doors.is_open(scope, headers):
        for client in (STRANGER, LOCAL, ""):
            assert answer(doors, scope, client, headers) == 200
    else:
        assert required or scope is Scope.OPERATE or b"x-api-key" in headers or b"Bearer" in headers[b"authorization"]


METHODS = [b"POST", b"PUT", b"PATCH", b"DELETE", b"post", b"TRACE", b"PURGE", b"LINK", b"x", SOCKET]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "mark", [EVIL, (b"origin", b"null"), (b"Sec-Fetch-Site", b"cross-site"), (b"SEC-FETCH-SITE", b"same-site")]
)
def test_a_page_of_another_site_changes_nothing(method: bytes, mark: tuple[bytes, bytes]) -> None:
    problem = Doors().head_fault(method, [HOST, mark])
    assert problem is not None
    assert problem.code == 40301001
    assert Doors().head_fault(method, [HOST]) is None
    assert Doors().head_fault(method, [HOST, (b"Origin", b"http://node:8080")]) is None


@pytest.mark.parametrize("method", [*sorted(SAFE_METHODS), b"get"])
def test_it_may_ask_for_what_its_browser_does_not_show_it(method: bytes) -> None:
    assert Doors().head_fault(method, [HOST, EVIL]) is None


@pytest.mark.no_cover
@pytest.mark.parametrize("method", [*METHODS, b"GET", b"HEAD", b"OPTIONS"])
@pytest.mark.parametrize(
    ("fields", "target"),
    [
        ([(b"HOST", b"evil.example")], b"/"),
        ([HOST, (b"host", b"evil.example")], b"/"),
        ([(b"host", b"evil.example"), HOST], b"/"),
        ([HOST], b"http://evil.example/v1/load/stats"),
        ([HOST], b"http://evil.example?x"),
        ([HOST], b"HTTP://evil.example:80/"),
        ([], b"http://evil.example/"),
    ],
)
def test_a_name_that_is_not_the_nodes_is_refused(
    method: bytes, fields: list[tuple[bytes, bytes]], target: bytes
) -> None:
    problem = Doors().head_fault(method, fields, target=target)
    assert isinstance(problem, InvalidInput)
    assert "Host" in problem.reason


def test_programs_without_a_host_are_served_but_no_sockets() -> None:
    for target in (b"/", b"*", b"http://node/"):
        assert Doors().head_fault(b"POST", [], target=target) is None
    assert isinstance(Doors().head_fault(SOCKET, []), InvalidInput)
    assert isinstance(Doors().head_fault(SOCKET, [(b"host", b"")]), InvalidInput)


def test_the_settings_open_doors() -> None:
    doors = Doors(hosts=HostRule(allowed=["meta.example"]), sites=PageSites(["https://ops.example"]))
    fields = [(b"host", b"meta.example"), (b"origin", b"https://ops.example"), (b"sec-fetch-site", b"cross-site")]
    assert doors.head_fault(b"DELETE", fields) is None


def test_each_kind_of_refusal_is_logged_once_with_the_setting_to_change(caplog: pytest.LogCaptureFixture) -> None:
    doors = Doors(Keys())
    with caplog.at_level(logging.WARNING, "edge.doors"):
        for number in range(3):
            doors.head_fault(b"GET", [(b"host", b"evil%d.example\nfalse line" % number)])
            doors.head_fault(b"POST", [HOST, (b"origin", b"http://evil%d.example" % number)])
            doors.head_fault(b"POST", [HOST, (b"origin", b"null")])
            doors.head_fault(b"POST", [HOST, (b"sec-fetch-site", b"cross-site")])
            answer(doors, Scope.OPERATE, f"203.0.113.{number}")
            answer(doors, Scope.OPERATE, LOCAL, {b"x-forwarded-for": b"203.0.113.9"})
            answer(doors, Scope.OPERATE, STRANGER, {b"x-api-key": b"gone"})
            answer(doors, Scope.OPERATE, STRANGER, {b"x-api-key": b"read"})
    lines = caplog.messages
    assert len(lines) == 8
    assert not any("\n" in line for line in lines)
    settings = ["[Web] AllowedHosts", "[Sockets] Origins", "[Sockets] Origins", "[Sockets] Origins"]
    settings += ["[Auth] OperateFrom", "without the proxy", "a key with the scope operate", "give it the scope operate"]
    for line, setting in zip(lines, settings, strict=True):
        assert setting in line


def test_a_refusal_names_what_was_asked_for() -> None:
    with pytest.raises(Unauthorized, match="operate: no key was sent: this needs a key with the scope operate"):
        Doors().caller(Scope.OPERATE, {}, STRANGER)
