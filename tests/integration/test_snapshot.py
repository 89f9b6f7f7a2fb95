# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Real nodes that are stopped, killed and started again go on from what they left."""

from __future__ import annotations

import re
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from replication.push_reader import PushReader
from replication.snapshot.contents import FORMAT, SnapshotEnd, SnapshotHead, TailPush, read, written
from replication.snapshot.frames import FrameReader, framed
from tests.clusters import Cluster, ClusterNode, running_cluster, wait
from tests.nodes import ROOT, NodeProcess, running_node
from tests.ports import free_port

ON = {"METADATA_CENTER_NODE_SNAPSHOT": "true"}
COLD = "x-metadata-center-cold"


class Told:
    """What a client said, and what follows from it."""

    def __init__(self) -> None:
        self.open: dict[str, tuple[str, int]] = {}
        self.number = 0

    def speak(self, node: NodeProcess, times: int = 30) -> None:
        """Begin requests, and end a third of them and of those from before."""
        for _ in range(times):
            self.number += 1
            name, engine = f"r{self.number}", f"10.0.0.{self.number % 5}"
            self._call(node, "POST", {"cluster": "c", "request_id": name, "ip": engine, "prompt_length": self.number})
            self.open[name] = engine, self.number
        for name in list(self.open)[::3]:
            self._call(node, "DELETE", {"request_id": name})
            del self.open[name]

    def _call(self, node: NodeProcess, method: str, body: dict[str, Any]) -> None:
        assert node.call(method, "/v1/load/stats", body)[0] == 200

    def rows(self) -> dict[str, tuple[int, int]]:
        found: dict[str, tuple[int, int]] = {}
        for engine, length in self.open.values():
            number, lengths = found.get(engine, (0, 0))
            found[engine] = number + 1, lengths + length
        return found


def rows(node: NodeProcess) -> dict[str, tuple[int, int]]:
    found = node.data("/v1/load/stats?cluster=c") or []
    return {row["ip"]: (row["queued_req_num"], row["prompt_length"]) for row in found if row["queued_req_num"]}


def line(node: NodeProcess, name: str = "snapshot") -> dict[str, Any]:
    """A part's line of /readyz."""
    body = msgspec.json.decode(node.call("GET", "/readyz")[2])["data"]
    return next(part for part in body["parts"] if part["name"] == name)


def files(folder: Path) -> Iterator[Path]:
    return (folder / "snapshot").glob("load.*")


def is_written(node: NodeProcess, folder: Path) -> bool:
    """Whether all that the node took in this life is in its snapshot and the tails behind it."""
    status = node.data("/v1/replica/peers")
    origin = status["origin"]
    found = {0}
    for path in files(folder):
        with path.open("rb") as file:
            for content in map(read, FrameReader(file)):
                if isinstance(content, SnapshotHead) and path.name == "load.snapshot":
                    found.add(content.summary.vector.get(origin, 0))
                elif isinstance(content, TailPush):
                    push = PushReader().read(content.push).push
                    if push.origin == origin:
                        found.add(push.first + len(push.events) - 1)
    return bool(status["vector"][origin] == max(found))


@pytest.mark.slow
def test_a_node_that_is_alone_survives_four_stops_and_a_kill(tmp_path: Path) -> None:
    """Each time on another port, and so under another name."""
    told = Told()
    for turn in range(6):
        with running_node(tmp_path, **ON) as node:
            assert rows(node) == told.rows()
            ready = node.data("/readyz")
            if turn:
                assert ready["cold_since"] is None
                assert COLD not in node.call("GET", "/v1/load/stats?cluster=c")[1]
                assert re.match(r"restored from 20\d\d-", line(node)["detail"])
                assert ("without a stop" in line(node)["detail"]) == (turn == 3)
                assert len(node.data("/v1/replica/peers")["vector"]) == turn + 1
            else:
                assert ready["cold_since"] is not None
            told.speak(node)
            if turn == 2:
                wait(lambda: is_written(node, tmp_path), "all is in the tail")
                node.stop(signal.SIGKILL)
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in files(tmp_path))
    assert len(told.open) > 20


@pytest.mark.slow
def test_an_engine_that_is_dropped_just_before_a_stop_stays_dropped(tmp_path: Path) -> None:
    """Its requests are ended once a second, one by one: a stop waits until that is done."""
    told = Told()
    with running_node(tmp_path, **ON) as node:
        told.speak(node, 50)
        for engine in ("10.0.0.1", "10.0.0.2"):
            assert node.call("DELETE", "/v1/load/engine", {"cluster": "c", "ip": engine})[0] == 200
    with running_node(tmp_path, **ON) as node:
        left = told.rows()
        del left["10.0.0.1"], left["10.0.0.2"]
        assert left
        assert rows(node) == left


@pytest.mark.slow
def test_a_kill_that_tears_the_tail_costs_what_was_torn(tmp_path: Path) -> None:
    told = Told()
    with running_node(tmp_path, **ON) as node:
        told.speak(node)
        wait(lambda: is_written(node, tmp_path), "all is in the tail")
        node.stop(signal.SIGKILL)
    (tail,) = (path for path in files(tmp_path) if ".tail." in path.name)
    tail.write_bytes(tail.read_bytes() + framed(b"a frame that is cut off in its middle")[:20])
    with running_node(tmp_path, **ON) as node:
        assert rows(node) == told.rows()
        assert any("a tail is torn at byte" in each for each in node.output)


def spoil(folder: Path, how: str) -> None:
    path = folder / "snapshot" / "load.snapshot"
    with path.open("rb") as file:
        bodies = list(FrameReader(file))
    if how == "torn":
        # In its end. Pages of history may be behind it, if the node lived for ten seconds, and those it can lack.
        end = next(place for place, body in enumerate(bodies) if isinstance(read(body), SnapshotEnd))
        path.write_bytes(b"".join(map(framed, bodies[: end + 1]))[:-9])
        return
    head = read(bodies[0])
    assert isinstance(head, SnapshotHead)
    later = SnapshotHead(FORMAT + 1, head.at, head.first_tail, head.alone, head.summary)
    path.write_bytes(b"".join(map(framed, [written(later), *bodies[1:]])))


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("torn", "torn"),
        pytest.param("of a later release", "format 2", marks=pytest.mark.slow),
        pytest.param("old", "too old", marks=pytest.mark.slow),
    ],
)
def test_what_cannot_be_used_is_set_aside_and_the_node_is_cold(tmp_path: Path, how: str, said: str) -> None:
    told = Told()
    with running_node(tmp_path, **ON) as node:
        told.speak(node)
    before = {path.name for path in files(tmp_path)}
    assert "load.snapshot" in before
    if how != "old":
        spoil(tmp_path, how)
    more = {"METADATA_CENTER_LOAD_REQ_EXPIRE": "1s"} if how == "old" else {}
    if how == "old":
        with (tmp_path / "snapshot" / "load.snapshot").open("rb") as file:
            head = read(next(iter(FrameReader(file))))
        assert isinstance(head, SnapshotHead)
        wait(lambda: type(head.at).now().seconds_since(head.at) > 4, "requests have expired")
    with running_node(tmp_path, **ON, **more) as node:
        assert rows(node) == {}
        if how != "old":  # cold for a second at the most
            assert node.data("/readyz")["cold_since"] is not None
            assert int(node.call("GET", "/v1/load/stats?cluster=c")[1][COLD]) >= 1
        assert any(said in each and "set aside" in each for each in node.output), node.output
        aside = {path.name for path in (tmp_path / "snapshot" / "set-aside").iterdir()}
        assert before <= aside
        told = Told()
        told.speak(node, 6)
        wait(lambda: is_written(node, tmp_path), "it goes on")


def test_a_full_disk_is_said_and_survived(tmp_path: Path) -> None:
    told = Told()
    with running_node(tmp_path, **ON) as node:
        told.speak(node)
        wait(lambda: is_written(node, tmp_path), "all is in the tail")
        unlimited = resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        told.speak(node)
        wait(lambda: line(node)["state"] == "degraded", "the node says so")
        assert "cannot be written: File too large" in line(node)["detail"]
        assert node.call("GET", "/readyz")[0] == 200
        assert rows(node) == told.rows()
        metrics = node.call("GET", "/metrics")[2].decode()
        assert float(metrics.partition("\nmetadata_center_snapshot_failures_total ")[2].split()[0]) >= 1
        resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, unlimited)
        wait(lambda: line(node)["state"] == "ok", "it is written again")
        wait(lambda: is_written(node, tmp_path), "what found no room is there")
        node.stop(signal.SIGKILL)
    with running_node(tmp_path, **ON) as node:
        assert rows(node) == told.rows()


@pytest.mark.slow
def test_without_the_setting_nothing_is_kept(tmp_path: Path) -> None:
    with running_node(tmp_path, METADATA_CENTER_NODE_SNAPSHOT="false") as node:
        Told().speak(node)
        assert all(part["name"] != "snapshot" for part in node.data("/readyz")["parts"])
    assert not (tmp_path / "snapshot").exists()


@pytest.mark.slow
def test_nodes_that_are_all_killed_at_once_meet_again_with_all_that_they_had(tmp_path: Path) -> None:
    with running_cluster(tmp_path, 2, environment=ON) as cluster:
        for number in range(30):
            cluster.nodes[number % 2].add(f"r{number}", ip=f"10.0.0.{number % 5}")
        for number in range(0, 30, 4):
            cluster.nodes[1 - number % 2].done(f"r{number}")
        expected = {f"r{number}" for number in range(30) if number % 4}
        cluster.wait_live("r", expected)
        for place, node in enumerate(cluster.nodes):
            process = node.process
            assert process is not None
            wait(lambda process=process, place=place: is_written(process, tmp_path / f"n{place}"), "all is written")
        for node in cluster.nodes:
            node.kill()
        for node in cluster.nodes:
            node.start()
        cluster.wait_ready()
        cluster.wait_live("r", expected)
        cluster.wait_equal()
        wait(lambda: not any(node.status()["cold_since"] for node in cluster.nodes), "none is cold")
        events_outlive_a_node(cluster)


def events_outlive_a_node(cluster: Cluster) -> None:
    """What each node reports is seen at the other, and what a node reported before it stopped is there again."""
    first, second = cluster.nodes

    def kinds(asked: ClusterNode, reporter: ClusterNode) -> set[str]:
        query = f"/v1/events?limit=200&node={reporter.address}:{reporter.port}"
        return {each["kind"] for each in msgspec.json.decode(asked.call("GET", query))["data"]["events"]}

    for here, there in ((first, second), (second, first)):
        wait(
            lambda here=here, there=there: {"node_restored", "peer_joined"} <= kinds(here, there), "the other's events"
        )
    first.call("POST", "/log/level", {"LevelParam": "INFO"})
    wait(lambda: "log_level_changed" in kinds(second, first), "the other's act")
    first.stop()
    wait(lambda: "node_stopped" in kinds(second, first), "the stop")
    wait(lambda: "peer_lost" in kinds(second, second), "the loss")
    first.start()
    cluster.wait_ready(0)
    wait(lambda: {"log_level_changed", "node_stopped"} <= kinds(first, first), "what its life before reported")
    wait(lambda: "peer_lost" in kinds(first, second), "what happened meanwhile")


@pytest.mark.slow
def test_a_node_that_was_alone_has_all_of_its_load_in_repairs_once_it_has_peers(tmp_path: Path) -> None:
    with running_cluster(tmp_path, 2, environment=ON) as cluster:
        first, second = cluster.nodes
        first.stop()
        second.stop()
        hosts = f"{first.address},{second.address}"
        for node in cluster.nodes:
            node.set(METADATA_CENTER_DISCOVERY_HOSTS="")
        first.start()
        cluster.wait_ready(0)
        for number in range(20):
            first.add(f"r{number}")
        first.stop()
        for node in cluster.nodes:
            node.set(METADATA_CENTER_DISCOVERY_HOSTS=hosts)
            node.start()
        cluster.wait_ready()
        cluster.wait_live("r", {f"r{number}" for number in range(20)})
        for number in range(0, 20, 2):
            second.done(f"r{number}")
        cluster.wait_live("r", {f"r{number}" for number in range(1, 20, 2)})


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_five_restarts_under_replay_leave_no_difference(tmp_path: Path) -> None:
    """Four stops, and a kill while the gateways stand still: what the last 0.2 s held is nothing then."""
    address = "127.0.0.1"
    node = ClusterNode(tmp_path / "node", address, free_port([address]), ON)
    node.start()
    try:
        wait(node.ready, "ready")
        replay = subprocess.Popen(
            [
                *(sys.executable, "manage.py", "replay", "--speed", "2", "--allow-errors"),
                *("--target", f"http://{address}:{node.port}"),
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            for turn in range(5):
                wait(lambda: len(node.live()) > 10, "requests in flight")
                if turn == 2:
                    replay.send_signal(signal.SIGSTOP)
                    wait(lambda: settled(node) and is_written(node.process, tmp_path / "node"), "all is written")
                    node.kill()
                else:
                    node.stop()
                node.start()
                wait(node.ready, "ready again")
                if turn == 2:
                    replay.send_signal(signal.SIGCONT)
                assert node.status()["cold_since"] is None
                assert replay.poll() is None, "the replay ended before the node was started anew five times"
            calls = node.live().keys()
            wait(lambda: node.live().keys() != calls, "the gateways go on")
            replay.send_signal(signal.SIGINT)  # it ends what is open, and compares once more
            text, _ = replay.communicate(timeout=600)
        finally:
            if replay.poll() is None:
                replay.kill()
                replay.communicate()
        sys.stdout.write(text)  # shown where somebody asks for it
        assert replay.returncode == 130, text
        assert re.search(r" 0 differences$", text, re.MULTILINE), text
    finally:
        node.stop()


def settled(node: ClusterNode) -> bool:
    """Whether two looks at what the node has taken show the same."""
    return node.status()["vector"] == node.status()["vector"]
