# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The secret is proved, not sent: each proof is good once, on its connection. No stranger makes a node send it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest
from msgspec.msgpack import decode

from edge.call import Route, Table
from edge.credentials import Credentials
from edge.doors import Doors
from replication import paths
from replication.admission import Admission
from replication.client import BadAnswer, Connection
from replication.handlers import ReplicaHandlers
from replication.secret import OLD_SECONDS, Proofs, Secret
from tests.unit.edge.lanes import Server, answers, post
from tests.unit.replication.raw_peer import Node, RawPeer, http, raw_peer

SECRET = "a long secret of the cluster"
PUSH = b"/v1/replica/push"


def secret(text: str = SECRET, origin: str = "a@1", now: Callable[[], float] = lambda: 0.0) -> Secret:
    return Secret(text, origin, now)


def meet(client: Secret, server: Secret) -> tuple[Proofs, Credentials]:
    """A connection whose Hello is answered."""
    credentials = Credentials()
    welcome = server.welcome(client.hello, credentials)
    assert welcome is not None
    return client.proofs(welcome), credentials


def value(header: bytes) -> bytes:
    name, _, rest = header.partition(b": ")
    assert name == paths.PROOF_HEADER.encode()
    return rest.removesuffix(b"\r\n")


def test_each_message_is_proved_once_and_in_order() -> None:
    server = secret(origin="b@1")
    proofs, credentials = meet(secret(), server)
    first, second, third = (value(proofs.header(PUSH, body)) for body in (b"one", b"two", b"three"))
    assert server.is_proved(credentials, first, PUSH, b"one")
    assert not server.is_proved(credentials, first, PUSH, b"one"), "again"
    assert not server.is_proved(credentials, third, PUSH, b"three"), "before its turn"
    assert server.is_proved(credentials, second, PUSH, b"two")
    assert server.is_proved(credentials, third, PUSH, b"three")


def test_a_proof_is_of_one_connection_path_body_and_secret() -> None:
    server = secret(origin="b@1")
    proofs, credentials = meet(secret(), server)
    _, other = meet(secret(), server)
    proof = value(proofs.header(PUSH, b"one"))
    assert not server.is_proved(other, proof, PUSH, b"one")
    assert not server.is_proved(credentials, proof, PUSH, b"two")
    assert not server.is_proved(credentials, proof, b"/v1/replica/state", b"one")
    assert not server.is_proved(Credentials(), proof, PUSH, b"one"), "no Hello"
    assert not server.is_proved(None, proof, PUSH, b"one")
    for junk in (b"", b"1", b"1 ", b"1 " + b"0" * 64, b"\xff", proof + b"0"):
        assert not server.is_proved(credentials, junk, PUSH, b"one")
    assert server.is_proved(credentials, proof, PUSH, b"one"), "what was refused has cost nothing"
    wrong, credentials = meet(secret("another"), server)
    assert not server.is_proved(credentials, value(wrong.header(PUSH, b"one")), PUSH, b"one")


def test_a_second_hello_makes_the_proofs_before_it_worthless() -> None:
    server = secret(origin="b@1")
    proofs, credentials = meet(secret(), server)
    old = value(proofs.header(PUSH, b"one"))
    server.welcome(secret().hello, credentials)
    assert not server.is_proved(credentials, old, PUSH, b"one")


def test_a_node_can_not_be_made_to_prove_to_itself() -> None:
    """A stranger that is called by a node calls the same node, and hands it its own nonce."""
    node = secret(origin="a@1")
    assert node.welcome(node.hello, Credentials()) is None
    credentials = Credentials()
    welcome = node.welcome(secret("unknown to it", origin="stranger@1").hello, credentials)
    assert welcome is not None
    reflected = value(node.proofs(welcome).header(PUSH, b"one"))
    assert not node.is_proved(credentials, reflected, PUSH, b"one")


def test_without_a_secret_nothing_is_proved() -> None:
    server = secret("", origin="b@1")
    assert not server
    proofs, credentials = meet(secret(""), server)
    assert not server.is_proved(credentials, value(proofs.header(PUSH, b"")), PUSH, b"")
    assert not server.is_shown(b"", "10.0.0.7", secure=False)


def test_the_secret_goes_in_the_clear_only_while_nodes_of_the_release_before_call(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = [0.0]
    own = secret(now=lambda: now[0])
    caplog.set_level(logging.INFO)
    assert not own.may_be_sent("10.0.0.7:80")
    assert not own.is_shown(b"a guess", "10.9.9.9", secure=False)
    assert not own.may_be_sent("10.0.0.7:80")
    assert own.is_shown(SECRET.encode(), "10.0.0.8", secure=True)
    assert not own.may_be_sent("10.0.0.7:80"), "over TLS every node sends it"
    assert not caplog.records
    for _ in range(3):
        assert own.is_shown(SECRET.encode(), "10.0.0.8", secure=False)
        assert own.may_be_sent("10.0.0.7:80")
        now[0] += OLD_SECONDS - 1
    assert own.sent_to() == ["10.0.0.7:80"]
    assert [each.levelname for each in caplog.records] == ["WARNING", "WARNING"]
    assert "calls from 10.0.0.8" in caplog.records[0].getMessage()
    assert "peer 10.0.0.7:80" in caplog.records[1].getMessage()
    now[0] += 1
    assert own.sent_to() == []
    assert not own.may_be_sent("10.0.0.7:80")
    assert "no longer sent in the clear" in caplog.records[-1].getMessage()
    assert SECRET not in caplog.text


# On the wire


class Peer:
    """Answers as a node does that knows proofs."""

    def __init__(self) -> None:
        self.secret = secret(origin="b@1")
        self.credentials = Credentials()
        self.hellos = 0

    def __call__(self, line: bytes, body: bytes) -> bytes:
        if line.split()[1] == paths.HELLO.encode():
            self.hellos += 1
            return http(200, self.secret.welcome(body, self.credentials) or b"")
        return http(200, b"to " + body)

    def proved(self, head: bytes, body: bytes) -> bool:
        """Whether the head of a request has the next proof."""
        found = [line.partition(b": ")[2] for line in head.split(b"\r\n") if line.startswith(b"X-Replica-Proof: ")]
        return len(found) == 1 and self.secret.is_proved(self.credentials, found[0], PUSH, body)


def connection(peer: RawPeer, own: Secret) -> Connection:
    return Connection("127.0.0.1", peer.port, dial_seconds=30, request_seconds=30, secret=own)


def test_a_connection_says_hello_once_and_proves_each_message() -> None:
    answer = Peer()

    async def scene() -> None:
        async with raw_peer(answer) as peer:
            link = connection(peer, secret())
            for body in (b"one", b"two"):
                assert await link.ask("POST", PUSH.decode(), body) == (200, b"to " + body)
                assert answer.proved(peer.heads[-1], body)
            assert answer.hellos == 1
            link.close()
            await link.ask("POST", PUSH.decode(), b"three")
            assert answer.hellos == 2
            assert answer.proved(peer.heads[-1], b"three")
            assert not any(SECRET.encode() in head for head in peer.heads)
            link.close()

    asyncio.run(scene())


@pytest.mark.parametrize("closes", [False, True], ids=["kept", "closed"])
@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_peer_that_knows_no_proofs_is_sent_nothing_until_an_old_node_has_shown_itself(
    status: int, *, closes: bool
) -> None:
    own = secret()

    def answer(line: bytes, body: bytes) -> bytes:
        if paths.HELLO.encode() in line:
            return http(status, b"", *([b"Connection: close"] if closes else []))
        return http(200, b"ok")

    async def scene() -> None:
        async with raw_peer(answer) as peer:
            link = connection(peer, own)
            assert await link.ask("POST", PUSH.decode(), b"one") == (200, b"ok")
            assert not any(b"X-Replica-" in head for head in peer.heads)
            own.is_shown(SECRET.encode(), "10.0.0.8", secure=False)
            await link.ask("POST", PUSH.decode(), b"two")
            assert b"X-Replica-Secret: %b\r\n" % SECRET.encode() in peer.heads[-1]
            link.close()

    asyncio.run(scene())


@pytest.mark.parametrize("answer", [http(200, b"\xc1"), http(200, b""), http(403, b"no"), http(503, b"not now")])
def test_what_is_no_answer_to_a_hello_is_a_fault_and_shows_nothing(answer: bytes) -> None:
    async def scene() -> None:
        async with raw_peer(lambda line, body: answer) as peer:
            link = connection(peer, secret())
            with pytest.raises(Exception) as caught:  # noqa: PT011 one of those that links expect
                await link.ask("POST", PUSH.decode(), b"one")
            assert isinstance(caught.value, (BadAnswer, ValueError))
            assert len(peer.heads) == 1
            assert SECRET.encode() not in peer.heads[0]

    asyncio.run(scene())


def test_a_connection_that_keeps_the_secret_says_no_hello() -> None:
    answer = Peer()

    async def scene() -> None:
        async with raw_peer(answer) as peer:
            link = connection(peer, secret())
            link.keep_secret()
            await link.ask("POST", paths.EVENT, b"{}")
            assert answer.hellos == 0
            assert b"X-Replica-" not in peer.heads[0]
            link.close()

    asyncio.run(scene())


# Through the lane of a node that lets in by the secret alone


def node() -> tuple[Server, Secret]:
    admission = Admission(SECRET, Doors(trust_loopback=False), origin="b@1")
    handlers = ReplicaHandlers(Node("b@1").replica, admission, lambda: [], {})
    return Server(routes=handlers.routes()), secret()


def statuses(written: bytes) -> list[int]:
    return [each.status for each in answers(written)]


def test_a_recorded_call_is_refused_on_the_same_connection_and_on_another() -> None:
    async def scene() -> None:
        server, own = node()
        lane, transport = server.connect()
        lane.data_received(post(own.hello, path=paths.HELLO.encode()))
        proofs = own.proofs(answers(transport.written)[0].body)
        place = paths.SUMMARY.encode()
        recorded = post(b"", proofs.header(place, b"").strip(), path=place)
        lane.data_received(recorded)
        lane.data_received(recorded)
        assert statuses(transport.written) == [200, 200, 403]
        lane.data_received(post(b"", proofs.header(place, b"").strip(), path=place))
        assert statuses(transport.written)[-1] == 200, "the connection goes on"
        other = await server.speak(recorded)
        assert statuses(other.written) == [403]
        greeted = await server.speak(post(own.hello, path=paths.HELLO.encode()), recorded)
        assert statuses(greeted.written) == [200, 403]
        bare = await server.speak(post(b"", path=place))
        assert statuses(bare.written) == [403]

    asyncio.run(scene())


def test_hello_is_open_to_everyone_and_bounded() -> None:
    table = Table(ReplicaHandlers(Node("b@1").replica, Admission(""), lambda: [], {}).routes())
    route = table.find(b"POST", paths.HELLO.encode())
    assert isinstance(route, Route)
    assert route.scope is None

    async def scene() -> None:
        server, own = node()
        wrong = await server.speak(*(post(body, path=paths.HELLO.encode()) for body in (b"", b"\xc1", b"\x92\x01\x05")))
        assert statuses(wrong.written) == [400, 400, 400]
        nonces = set()
        for _ in range(3):
            fine = await server.speak(post(own.hello, path=paths.HELLO.encode()))
            nonces.add(decode(answers(fine.written)[0].body)[1])
        assert len(nonces) == 3

    asyncio.run(scene())
