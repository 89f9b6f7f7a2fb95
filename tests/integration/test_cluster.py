# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Several nodes, real processes on loopback: whatever happens to one, all agree again with the truth, without help.

Who is no peer is refused with 403. That cannot be seen here, as all of 127.0.0.0/8 is this machine, which is always
let in: see tests/unit/replication/test_admission.py and test_handlers.py.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import permutations
from pathlib import Path
from threading import Thread

import msgspec
import pytest

from edge.engine_name import EngineName
from tests.clusters import SECONDS, Cluster, ClusterNode, running_cluster, wait
from tests.dns_server import DnsServer, Fault
from tests.gateways import Load, load_on

LONG_SECONDS = 3600  # what must not expire while a test runs


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    lasting = {"METADATA_CENTER_LOAD_ORPHAN_GRACE": "1h"}
    with running_cluster(tmp_path_factory.mktemp("mesh"), 3, wires=True, environment=lasting) as cluster:
        yield cluster


@pytest.fixture
def cluster(mesh: Cluster) -> Cluster:
    """Three nodes with wires between them. Tests use ids of their own."""
    mesh.mend()
    return mesh


def check(cluster: Cluster, load: Load, prefix: str, *, doubt: frozenset[str] | set[str] = frozenset()) -> None:
    """All nodes are equal to each other, and to the truth but for what is in doubt."""
    load.stop()
    assert load.calls > 200
    cluster.wait_equal()
    truth = load.truth
    views = [node.live(prefix) for node in cluster.nodes]
    assert all(view == views[0] for view in views)
    wrong = {request_id for request_id in {*views[0], *truth} if views[0].get(request_id) != truth.get(request_id)}
    told = {request_id: (views[0].get(request_id), truth.get(request_id)) for request_id in list(wrong - doubt)[:10]}
    assert not wrong - doubt, f"{len(wrong - doubt)} of {len(truth)}: {told}"


def test_what_any_node_is_told_reaches_all(cluster: Cluster) -> None:
    for place, node in enumerate(cluster.nodes):
        node.add(f"reach-{place}", ip=f"10.0.0.{place}")
    cluster.wait_live("reach-", [f"reach-{place}" for place in range(3)])
    cluster.nodes[1].first_token("reach-0")
    wait(lambda: all(node.live("reach-")["reach-0"].phase == 1 for node in cluster.nodes), "its first token")
    for place, node in enumerate(cluster.nodes):
        node.done(f"reach-{(place + 1) % 3}")
    cluster.wait_live("reach-", [])


def rows(node: ClusterNode, cluster: str) -> dict[str, list[int]]:
    data = msgspec.json.decode(node.call("GET", f"/v1/load/stats?cluster={cluster}"))["data"] or []
    members = ("queued_req_num", "prefill_req_num", "token_num", "orphaned_req_num")
    return {f"{row['ip']}:{row.get('port')}": [row.get(member, 0) for member in members] for row in data}


def everywhere(cluster: Cluster, name: str, expected: dict[str, list[int]]) -> None:
    wait(lambda: all(rows(node, name) == expected for node in cluster.nodes), f"{expected} on all nodes")


def test_tokens_owners_and_ports_reach_all(cluster: Cluster) -> None:
    one, two, three = cluster.nodes
    one.call(
        "POST", "/v1/load/stats", {"cluster": "more", "request_id": "more-1", "ip": "::1", "port": 80, "owner": "gw"}
    )
    two.call("PUT", "/v1/load/tokens", {"request_id": "more-1", "input_tokens": 30, "output_tokens": 4})
    three.call("PUT", "/v1/load/tokens", {"request_id": "more-1", "input_tokens": 10, "output_tokens": 5})
    everywhere(cluster, "more", {"::1:80": [1, 1, 35, 0]})
    three.call("PUT", "/v1/load/owner", {"owner": "gw", "ttl_seconds": 1})
    everywhere(cluster, "more", {"::1:80": [1, 1, 35, 1]})
    two.call("PUT", "/v1/load/owner", {"owner": "gw", "ttl_seconds": LONG_SECONDS})
    everywhere(cluster, "more", {"::1:80": [1, 1, 35, 0]})
    one.done("more-1")
    everywhere(cluster, "more", {"::1:80": [0, 0, 0, 0]})


def test_what_a_gateways_former_life_left_is_orphaned_on_all_nodes(cluster: Cluster) -> None:
    one, two, three = cluster.nodes

    def add(node: ClusterNode, request_id: str, **members: str) -> None:
        body = {"cluster": "anew", "request_id": request_id, "ip": "10.0.0.1", "owner": "gw-anew", **members}
        node.call("POST", "/v1/load/stats", body)

    def beat(node: ClusterNode, incarnation: str) -> None:
        node.call(
            "PUT", "/v1/load/owner", {"owner": "gw-anew", "ttl_seconds": LONG_SECONDS, "incarnation": incarnation}
        )

    beat(one, "first")
    for number in range(50):
        add(cluster.nodes[number % 3], f"anew-{number}", incarnation="first")
    add(two, "anew-plain")
    everywhere(cluster, "anew", {"10.0.0.1:None": [51, 51, 0, 0]})
    beat(two, "second")
    everywhere(cluster, "anew", {"10.0.0.1:None": [51, 51, 0, 50]})
    beat(three, "first")
    add(one, "anew-late", incarnation="first")
    add(three, "anew-new", incarnation="second")
    everywhere(cluster, "anew", {"10.0.0.1:None": [53, 53, 0, 51]})
    three.kill()
    three.start()
    cluster.wait_ready()
    beat(three, "first")  # a node that has just joined knows which one stands
    everywhere(cluster, "anew", {"10.0.0.1:None": [53, 53, 0, 51]})
    for number in range(50):
        one.done(f"anew-{number}")
    for request_id in ("anew-plain", "anew-late", "anew-new"):
        two.done(request_id)
    everywhere(cluster, "anew", {"10.0.0.1:None": [0, 0, 0, 0]})


def where(node: ClusterNode, *hashes: int, cluster: str = "kv") -> list[tuple[str, int]]:
    answer = node.call("POST", "/v1/cache/query", {"cluster": cluster, "prompt_hash": hashes})
    found = msgspec.json.decode(answer)["data"]["locations"]
    return [(str(EngineName(each["ip"], each.get("port"), each.get("dp_rank"))), each["length"]) for each in found]


def test_a_dropped_engine_is_forgotten_by_all_and_its_neighbours_keep_their_caches(cluster: Cluster) -> None:
    one, *others = cluster.nodes

    def there(node: ClusterNode) -> list[tuple[str, int]]:
        return where(node, 1, 2, cluster="dropped")

    for turn in range(20):
        engine = {"cluster": "dropped", "ip": "10.0.0.1", "port": 8000}
        others[turn % 2].call("POST", "/v1/cache/save", {**engine, "prompt_hash": [1, 2]})
        others[0].call("POST", "/v1/cache/save", {**engine, "port": 8001, "prompt_hash": [1]})
        one.call("POST", "/v1/load/stats", {**engine, "request_id": f"r{turn}"})
        both = [("10.0.0.1:8000", 2), ("10.0.0.1:8001", 1)]
        wait(lambda both=both: all(there(node) == both for node in cluster.nodes), "both caches on all nodes")
        one.call("DELETE", "/v1/load/engine", engine)
        wait(lambda kept=both[1:]: all(there(node) == kept for node in cluster.nodes), "one cache on all nodes")


def test_caches_reach_all_and_a_node_that_starts_anew(cluster: Cluster) -> None:
    one, two, three = cluster.nodes
    big = 2**64 - 1
    one.call("POST", "/v1/cache/save", {"cluster": "kv", "prompt_hash": [1, 2, big], "ip": "10.0.0.1"})
    two.call("POST", "/v1/cache/save", {"cluster": "kv", "prompt_hash": [1, 2], "ip": "10.0.0.2"})
    found = [("10.0.0.1", 3), ("10.0.0.2", 2)]
    wait(lambda: all(where(node, 1, 2, big) == found for node in cluster.nodes), "both caches on all nodes")
    three.kill()
    three.start()
    cluster.wait_ready()
    wait(lambda: where(three, 1, 2, big) == found, "both caches on a node that forgot")
    three.call("DELETE", "/v1/cache", {"cluster": "kv", "ip": "10.0.0.1"})
    wait(lambda: all(where(node, 1, 2, big) == found[1:] for node in cluster.nodes), "a lost cache on all")


def test_calls_of_one_request_at_different_nodes_in_any_order(cluster: Cluster) -> None:
    for calls in permutations(range(3)):
        for places in permutations(cluster.nodes):
            request_id = f"order-{''.join(map(str, calls))}-{''.join(node.address[-1] for node in places)}"
            for call in calls:
                node = places[call]
                (node.add, node.first_token, node.done)[call](request_id)
    cluster.nodes[0].add("order-last")
    cluster.wait_live("order-", ["order-last"])
    cluster.wait_equal()


def test_two_adds_of_one_id_that_disagree_settle_on_one(cluster: Cluster) -> None:
    for number in range(20):
        for place, node in enumerate(cluster.nodes):
            node.add(f"disagree-{number}", ip=f"10.0.1.{place}")
    cluster.wait_equal()
    views = [node.live("disagree-") for node in cluster.nodes]
    assert views[0] == views[1] == views[2]
    assert len(views[0]) == 20


@pytest.mark.slow
def test_a_node_killed_and_restarted_under_load_costs_only_the_calls_in_flight_to_it(cluster: Cluster) -> None:
    victim = cluster.nodes[1]
    with load_on(cluster, "kill") as load:
        wait(lambda: load.calls > 300, "some load")
        # A node tells what it took in order: with this all that it answered before is told. What it answers from here
        # on may be told to nobody.
        told = time.monotonic()
        victim.add("told-before")
        wait(lambda: all(node.live("told-before") for node in cluster.nodes), "what the victim was told before")
        killed = time.monotonic()
        victim.kill()
        dead = time.monotonic()
        wait(lambda: load.calls > 800, "load on the others")
        wait(lambda: any(peer["state"] == "lost" for peer in cluster.nodes[0].peers()), "it is missed")
        assert cluster.nodes[0].ready()
        assert cluster.nodes[2].ready()
        victim.start()
        cluster.wait_ready(1)
        more = load.calls + 300
        wait(lambda: load.calls > more, "load on all")
        again = time.monotonic()
        doubt = load.answered_by(1, told, dead)
        check(cluster, load, "kill", doubt=doubt)
    assert all(failure.place == 1 and killed <= failure.ended <= again for failure in load.failures), load.failures


def stopped_for(cluster: Cluster, seconds: float, prefix: str) -> None:
    victim = cluster.nodes[2]
    with load_on(cluster, prefix, impatient=(2,)) as load:
        wait(lambda: load.calls > 200, "some load")
        began = time.monotonic()
        victim.signal(signal.SIGSTOP)
        wait(lambda: time.monotonic() - began > seconds, "the time is over", seconds + SECONDS)
        missed = {"state": "lost", "last_error": "no answer for 1 s"}
        port = cluster.wires[0, 2].port
        wait(lambda: missed.items() <= peer_at(cluster.nodes[0], port).items(), "it is missed")
        victim.signal(signal.SIGCONT)
        resumed = load.calls + 200
        wait(lambda: load.calls > resumed, "load on all")
        check(cluster, load, prefix)
    assert {failure.place for failure in load.failures} <= {2}


def test_a_node_that_stands_still_for_a_while_catches_up(cluster: Cluster) -> None:
    stopped_for(cluster, 3.0, "pause")


@pytest.mark.slow
def test_a_node_that_stands_still_for_long_catches_up(cluster: Cluster) -> None:
    stopped_for(cluster, 20.0, "longpause")


def heals_in(cluster: Cluster, seconds: float, prefix: str) -> float:
    """Node 0 is cut off from both others for so long, and clients reach all three. Returns how long it took to heal."""
    with load_on(cluster, prefix) as load:
        wait(lambda: load.calls > 200, "some load")
        for wire in cluster.wires_of(0):
            wire.cut()
        began = time.monotonic()
        wait(lambda: time.monotonic() - began > seconds, "the time is over", seconds + SECONDS)
        wait(lambda: [peer["state"] for peer in cluster.nodes[0].peers()] == ["lost", "lost"], "both are lost")
        assert all(node.ready() for node in cluster.nodes)
        load.stop()
        assert not cluster.equal()
        for wire in cluster.wires_of(0):
            wire.heal()
        took = cluster.wait_equal()
        print(f"reconverged {took:.2f} s after a cut of {time.monotonic() - began - took:.0f} s")  # noqa: T201
        check(cluster, load, prefix)
    assert load.failures == []
    return took


def test_a_cut_heals_within_two_seconds(cluster: Cluster) -> None:
    # The best counts: others have their share of the machine.
    assert any(heals_in(cluster, 3.0, f"cut-{attempt}-") <= 2.0 for attempt in range(10))


@pytest.mark.slow
def test_a_long_cut_heals_within_two_seconds(cluster: Cluster) -> None:
    assert any(heals_in(cluster, 30.0, f"longcut-{attempt}-") <= 2.0 for attempt in range(6))


def test_a_slow_peer_does_not_slow_the_clients_of_the_others(cluster: Cluster) -> None:
    # The best counts: others have their share of the machine.
    assert any(is_quick_beside_a_slow_one(cluster, f"slow-{attempt}-") for attempt in range(5))


def is_quick_beside_a_slow_one(cluster: Cluster, prefix: str) -> bool:
    """Whether all but a few calls to the other two take less than an answer of the slow one, and one event does."""
    for wire in cluster.wires_of(2):
        wire.delay_seconds = 0.4  # each way: its answers take twice as long
    with load_on(cluster, prefix) as load:
        wait(lambda: load.calls > 1000, "some load")
        took = []
        for number in range(5):
            request_id = f"{prefix}quick-{number}"
            began = time.monotonic()
            cluster.nodes[0].add(request_id)
            wait(lambda request_id=request_id: cluster.nodes[1].live(request_id), "it is there")  # type: ignore[misc]
            took.append(time.monotonic() - began)
        for number in range(5):
            cluster.nodes[0].done(f"{prefix}quick-{number}")
        check(cluster, load, prefix)
    assert load.failures == []
    return min(took) < 0.8 and load.p99_seconds([0, 1]) < 0.8


def begin_with(cluster: Cluster, prefix: str, requests: int) -> float:
    """Requests in flight at node 0, then node 2 begins anew. Returns its time from first contact to ready."""
    first, joining = cluster.nodes[0], cluster.nodes[2]
    joining.kill()
    ids = [f"{prefix}-{number}" for number in range(requests)]
    first.many(
        ("POST", "/v1/load/stats", {"cluster": f"c{n % 50}", "request_id": each, "ip": f"10.1.0.{n % 200}"})
        for n, each in enumerate(ids)
    )
    # It may catch up with either of the others.
    wait(lambda: cluster.nodes[1].live(prefix).keys() == set(ids), "the other has them all")
    joining.start()
    try:
        assert joining.process is not None
        joining.process.wait_for("  API ")
        began = time.monotonic()
        wait(joining.ready, "it is ready")
        took = time.monotonic() - began
        assert joining.live(prefix).keys() == set(ids)  # at once: ready is to have caught up
        cluster.wait_equal()
    finally:
        first.many(("DELETE", "/v1/load/stats", {"request_id": each}) for each in ids)
    cluster.wait_live(prefix, [])
    print(f"{requests} in flight: ready {took:.2f} s after it listened; {pulled(joining)}")  # noqa: T201
    return took


def shared(seconds: float) -> float:
    """How long that may take where others use the machine too: in proportion to what waits for each core."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def pulled(node: ClusterNode) -> str:
    return next((line.strip() for line in node.output().splitlines() if "pulled everything" in line), "")


@pytest.mark.slow
def test_a_node_that_joins_is_ready_when_it_has_everything(cluster: Cluster) -> None:
    assert any(begin_with(cluster, f"join-{attempt}-", 20_000) < shared(10) for attempt in range(3))


@pytest.mark.slow
def test_a_node_that_joins_with_many_in_flight_is_ready_soon(cluster: Cluster) -> None:
    assert any(begin_with(cluster, f"manyjoin-{attempt}-", 100_000) < shared(10) for attempt in range(3))


@pytest.mark.slow
def test_a_rolling_restart_under_load_loses_nothing(cluster: Cluster) -> None:
    with load_on(cluster, "roll") as load:
        wait(lambda: load.calls > 200, "some load")
        for place, node in enumerate(cluster.nodes):
            began = time.monotonic()
            node.stop()
            node.start()
            cluster.wait_ready(place)
            wait(cluster.connected, "all are connected")
            assert {failure.place for failure in load.failures if failure.ended > began} <= {place}
        more = load.calls + 200
        wait(lambda: load.calls > more, "load on all")
        check(cluster, load, "roll")


# Peers that are not nodes of this kind


class OldNode(ThreadingHTTPServer):
    """Speaks the original's event API alone, as the original does: 404 for all else."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        self.taken: list[tuple[str, dict[str, object]]] = []
        super().__init__(("127.0.0.1", 0), OldNodeHandler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that ends is no news."""


class OldNodeHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: OldNode

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        known = self.path == "/v1/replica/event" and "TraceId" in self.headers
        if known:
            self.server.taken.append((self.headers["Event-Type"], msgspec.json.decode(body)))
        answer = b'{"status":"OK","error":null,"data":null}' if known else b"404 page not found"
        self.send_response(200 if known else 404)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the base class names it so
        """Nobody reads it."""


class GarbageNode(OldNode):
    """Answers everything with noise, of another kind each time."""

    KINDS = (
        b"\x00\xff\xfe noise\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nnoise",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\ncut off",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
        b"",
    )

    def __init__(self) -> None:
        super().__init__()
        self.RequestHandlerClass = GarbageHandler


class GarbageHandler(OldNodeHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        assert isinstance(self.server, GarbageNode)
        self.server.taken.append((self.path, {}))
        self.wfile.write(self.server.KINDS[len(self.server.taken) % len(self.server.KINDS)])
        self.close_connection = True


@contextlib.contextmanager
def serving(server: OldNode) -> Iterator[OldNode]:
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(60)


def peer_at(node: ClusterNode, port: int) -> dict[str, object]:
    [found] = [peer for peer in node.peers() if peer["peer"] == f"127.0.0.1:{port}"]
    return found


@pytest.mark.slow
def test_peers_that_know_no_better_and_peers_that_answer_garbage(tmp_path: Path) -> None:
    with serving(OldNode()) as old, serving(GarbageNode()) as garbage:
        others = [f"127.0.0.1:{server.server_address[1]}" for server in (old, garbage)]
        patient = {"REPLICA_CLIENT_REQUEST_TIMEOUT": "60s"}  # or what the old one is slow to answer is sent again
        with running_cluster(tmp_path, 2, others=others, environment=patient) as cluster:
            first, second = cluster.nodes

            # An old peer receives every event of either node's own clients, once, and none that a node was told.
            wait(lambda: all(peer_at(node, old.server_port)["state"] == "legacy" for node in cluster.nodes), "legacy")
            for number in range(50):
                cluster.nodes[number % 2].add(f"r{number}", ip=f"10.0.0.{number % 4}")
            for number in range(50):
                cluster.nodes[number % 2].first_token(f"r{number}")
            for number in range(40):
                cluster.nodes[number % 2].done(f"r{number}")
            wait(lambda: len(old.taken) >= 140, "every event at the old peer")
            events = sorted((kind, str(body["request_id"])) for kind, body in old.taken)
            assert events == sorted(
                [("load.stats.set", f"r{number}") for number in range(50)]
                + [("load.prompt.delete", f"r{number}") for number in range(50)]
                + [("load.stats.delete", f"r{number}") for number in range(40)]
            )
            added = {body["request_id"]: body for kind, body in old.taken if kind == "load.stats.set"}
            assert added["r5"] == {"request_id": "r5", "cluster": "c", "ip": "10.0.0.1", "prompt_length": 5}
            assert peer_at(first, old.server_port)["lost_events"] == 0

            # Its events are taken, by the node it tells, and not told on: it tells each node itself.
            event = {"request_id": "theirs", "cluster": "c", "ip": "10.0.0.9", "prompt_length": 3}
            for node in cluster.nodes:
                node.call("POST", "/v1/replica/event", event, {"Event-Type": "load.stats.set"})
            assert all("theirs" in node.live() for node in cluster.nodes)
            for node in cluster.nodes:
                node.call("POST", "/v1/replica/event", {"request_id": "theirs"}, {"Event-Type": "load.stats.delete"})
            cluster.wait_live("", [f"r{number}" for number in range(40, 50)])
            cluster.wait_equal()
            assert len(old.taken) == 140

            # Garbage is a lost peer with an error, and harms nobody.
            wait(lambda: len(garbage.taken) > 10, "garbage of every kind, more than once")
            lost = f"127.0.0.1:{garbage.server_port}: lost"
            for node in cluster.nodes:
                peer = peer_at(node, garbage.server_port)
                assert peer["state"] == "lost"
                assert peer["last_error"]
                assert node.ready()
                assert "Traceback" not in node.output()
                node.wait_said(lost)
                assert node.output().count(lost) == 1  # a line for each change
            state, _, answer = first.process.call("GET", "/readyz") if first.process else (0, {}, b"")
            assert state == 200
            assert b"lost: 127.0.0.1" in answer
            assert second.process is not None
            assert second.process.stop() == 0


@pytest.mark.slow
def test_peers_by_dns_that_fails_and_flaps_and_returns_the_node_itself(tmp_path: Path) -> None:
    addresses = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]

    def knows(node: ClusterNode, *others: str) -> bool:
        return sorted(peer["peer"].partition(":")[0] for peer in node.peers()) == sorted(others)

    def all_know_all() -> bool:
        return all(knows(node, *(each for each in addresses if each != node.address)) for node in cluster.nodes)

    def looked_up(times: int) -> None:
        dns.forget()
        wait(lambda: len(dns.queries()) >= times, "look-ups")

    with DnsServer() as dns:
        dns.publish("peers.test", "A", *addresses)
        dns.behave(Fault.SERVFAIL)  # at first nobody finds anybody
        environment = {
            "META_DATA_CENTER_SVC_DISC_HOST": "peers.test",
            "META_DATA_CENTER_SVC_DISC_NAMESERVERS": dns.endpoint,
            "REPLICA_DNS_LOOKUP_INTERVAL": "1s",
            "METADATA_CENTER_DISCOVERY_LOOKUP_TIMEOUT": "500ms",
            "METADATA_CENTER_REPLICATION_JOIN_TIMEOUT": "2s",
        }
        with running_cluster(tmp_path, 3, environment=environment) as cluster:
            assert all(node.peers() == [] for node in cluster.nodes)
            cluster.nodes[0].add("before")
            dns.behave()
            wait(all_know_all, "all find all others, and not themselves")
            wait(cluster.connected, "all are connected")
            cluster.wait_live("", ["before"])

            dns.behave(Fault.NONE, Fault.SERVFAIL, Fault.EMPTY, Fault.SILENT, Fault.NXDOMAIN)
            looked_up(12)
            assert all_know_all()
            dns.behave(Fault.SERVFAIL)
            looked_up(6)
            assert all_know_all()
            cluster.nodes[1].done("before")
            cluster.nodes[2].add("meanwhile")
            cluster.wait_live("", ["meanwhile"])
            for node in cluster.nodes:
                node.wait_said("peers: added")
                assert node.output().count("peers: added") == 1

            dns.behave()
            dns.publish("peers.test", "A", *addresses[:2])
            wait(lambda: knows(cluster.nodes[0], addresses[1]) and knows(cluster.nodes[1], addresses[0]), "one is gone")
            dns.publish("peers.test", "A", *addresses)
            wait(all_know_all, "it is back")
            cluster.nodes[2].done("meanwhile")
            cluster.wait_live("", [])
