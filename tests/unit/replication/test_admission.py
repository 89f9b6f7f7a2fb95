# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from edge.call import Call
from edge.caller import Caller, Scope
from edge.doors import Doors
from edge.errors import ContractError, Forbidden, Unauthorized
from replication.admission import Admission


def ask(admission: Admission, client: str, **headers: bytes) -> bytes:
    named = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    return admission.guard(lambda call: b"in")(Call(b"", b"", named, client=client))


def peers(*addresses: str, secret: str = "") -> Admission:
    admission = Admission(secret)
    admission.set_peers(addresses)
    return admission


def test_without_a_secret_an_empty_one_opens_nothing() -> None:
    with pytest.raises(Forbidden):
        ask(peers("10.0.0.2"), "10.9.9.9", x_replica_secret=b"")


@pytest.mark.parametrize("client", ["127.0.0.1", "127.0.0.9", "::1", "::ffff:127.0.0.1", ""])
@pytest.mark.parametrize("secret", ["", "s3cret"])
def test_this_machine_is_let_in(client: str, secret: str) -> None:
    assert ask(peers(secret=secret), client) == b"in"


@pytest.mark.parametrize("header", [b"x-forwarded-for", b"forwarded"])
def test_who_comes_through_a_proxy_on_this_machine_is_not_this_machine(header: bytes) -> None:
    guarded = peers().guard(lambda call: b"in")
    with pytest.raises(Forbidden):
        guarded(Call(b"", b"", {header: b"10.9.9.9"}, client="127.0.0.1"))


@pytest.mark.parametrize("client", ["10.0.0.2", "127.0.0.1", ""])
def test_where_keys_are_required_an_address_is_not_enough(client: str) -> None:
    admission = Admission("s3cret", Doors(required=True))
    admission.set_peers(["10.0.0.2"])
    with pytest.raises(Unauthorized, match="a key with the scope replicate"):
        ask(admission, client)
    assert ask(admission, client, x_replica_secret=b"s3cret") == b"in"


@pytest.mark.parametrize("required", [False, True])
def test_a_key_that_may_replicate_is_let_in_from_anywhere(required: bool) -> None:
    guarded = Admission("", Doors(required=required)).guard(lambda call: b"in")
    caller = Caller("key peers", frozenset({Scope.REPLICATE}))
    assert guarded(Call(b"", b"", {}, client="10.9.9.9", caller=caller)) == b"in"
    with pytest.raises(ContractError):
        guarded(Call(b"", b"", {}, client="10.9.9.9", caller=Caller("key other", frozenset({Scope.WRITE}))))


@pytest.mark.parametrize(
    ("peer", "client"),
    [
        ("10.0.0.2", "10.0.0.2"),
        ("10.0.0.2", "::ffff:10.0.0.2"),
        ("fd00::2", "fd00:0:0::2"),
        ("fe80::2", "fe80::2%eth0"),
        ("::ffff:10.0.0.2", "10.0.0.2"),
    ],
)
def test_a_peer_is_known_by_its_address_however_it_is_written(peer: str, client: str) -> None:
    assert ask(peers(peer), client) == b"in"


@pytest.mark.parametrize("client", ["10.0.0.3", "::ffff:10.0.0.3", "fd00::2", "0.0.0.0"])
def test_who_is_no_peer_is_refused(client: str) -> None:
    called = []
    guarded = peers("10.0.0.2").guard(lambda call: called.append(call) or b"in")  # type: ignore[func-returns-value]
    with pytest.raises(Forbidden, match="neither the address of a peer") as caught:
        guarded(Call(b"", b"", {}, client=client))
    assert caught.value.status == 403
    assert not called


def test_a_peer_that_is_gone_is_refused_from_then_on() -> None:
    admission = peers("10.0.0.2", "10.0.0.3")
    admission.set_peers(["10.0.0.3"])
    with pytest.raises(Forbidden):
        ask(admission, "10.0.0.2")
    assert ask(admission, "10.0.0.3") == b"in"


def test_a_guard_made_before_the_peers_are_known_sees_them() -> None:
    admission = Admission("")
    guarded = admission.guard(lambda call: b"in")
    admission.set_peers(["10.0.0.2"])
    assert guarded(Call(b"", b"", {}, client="10.0.0.2")) == b"in"


def test_with_a_secret_whoever_sends_it_is_let_in_and_so_are_peers() -> None:
    admission = peers("10.0.0.2", secret="s3cret")
    assert ask(admission, "10.9.9.9", x_replica_secret=b"s3cret") == b"in"
    assert ask(admission, "10.0.0.2") == b"in"
    for headers in ({}, {"x_replica_secret": b"S3cret"}, {"x_replica_secret": b""}, {"x_replica_secret": b"\xff"}):
        with pytest.raises(Forbidden, match="a proof of the cluster") as caught:
            ask(admission, "10.9.9.9", **headers)
        assert "s3cret" not in caught.value.reason


def test_where_certificates_are_required_an_address_is_not_enough() -> None:
    admission = Admission("s3cret", by_address=False)
    admission.set_peers(["10.0.0.2"])
    for client in ("10.0.0.2", "127.0.0.1"):
        with pytest.raises(Forbidden, match="neither a peer's certificate"):
            ask(admission, client)
    assert ask(admission, "10.9.9.9", x_replica_secret=b"s3cret") == b"in"


def test_a_certificate_that_makes_a_peer_lets_in() -> None:
    admission = Admission("", by_address=False)
    call = Call(b"", b"", {}, client="10.9.9.9", caller=Caller("certificate node", frozenset({Scope.REPLICATE})))
    assert admission.guard(lambda call: b"in")(call) == b"in"
    call.caller = Caller("certificate gateway", frozenset({Scope.READ, Scope.WRITE}))
    with pytest.raises(Forbidden):
        admission.guard(lambda call: b"in")(call)
