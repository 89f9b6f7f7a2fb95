# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What a client certificate makes of its holder."""

from __future__ import annotations

from typing import Any

import pytest

from edge.caller import Scope
from edge.credentials import Certificates

HOLDER = {Scope.READ, Scope.WRITE}


class Transport:
    """A connection whose client has shown a certificate, or none."""

    def __init__(self, cert: dict[str, Any] | None, *, encrypted: bool = True) -> None:
        self._info = {"ssl_object": object() if encrypted else None, "peercert": cert}

    def get_extra_info(self, name: str) -> Any:
        return self._info[name]


def cert(common: str, *others: tuple[str, str]) -> dict[str, Any]:
    return {"subject": ((("organizationName", "o"),), (("commonName", common),)), "subjectAltName": others}


def scopes(transport: Transport, *names: str) -> set[Scope]:
    caller = Certificates(names).of(transport).caller  # type: ignore[arg-type]
    assert caller is not None
    return set(caller.scopes)


def test_without_tls_or_without_a_certificate_nothing_is_proved() -> None:
    for transport in (Transport(None, encrypted=False), Transport(None), Transport({})):
        assert Certificates().of(transport).caller is None  # type: ignore[arg-type]
    assert Certificates().of(Transport(None)).secure  # type: ignore[arg-type]
    assert not Certificates().of(Transport(None, encrypted=False)).secure  # type: ignore[arg-type]


def test_without_names_of_peers_every_holder_is_one() -> None:
    assert scopes(Transport(cert("gateway"))) == HOLDER | {Scope.REPLICATE}


@pytest.mark.parametrize(
    ("found", "is_peer"),
    [
        (cert("node-1.nodes.example"), True),
        (cert("any", ("DNS", "NODE-2.nodes.example")), True),
        (cert("any", ("URI", "spiffe://mesh/ns/center/node")), True),
        (cert("gateway"), False),
        (cert("nodes.example.evil", ("DNS", "node-1.nodes.example.evil")), False),
        (cert("any", ("email", "node-1.nodes.example")), False),
    ],
)
def test_with_names_only_those_who_have_one_are_peers(found: dict[str, Any], *, is_peer: bool) -> None:
    wanted = "*.nodes.example", "spiffe://mesh/ns/center/*"
    assert (Scope.REPLICATE in scopes(Transport(found), *wanted)) is is_peer
    assert scopes(Transport(found), *wanted) >= HOLDER


def test_a_holder_is_a_caller_only_for_what_it_may() -> None:
    proved = Certificates(["node"]).of(Transport(cert("gateway")))  # type: ignore[arg-type]
    assert proved.caller is not None
    assert proved.caller.name == "certificate gateway"
    assert proved.caller_for(Scope.WRITE) is proved.caller
    assert proved.caller_for(Scope.REPLICATE) is None
    assert proved.caller_for(Scope.OPERATE) is None
    assert proved.caller_for(None) is None
