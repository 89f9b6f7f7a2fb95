# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Nodes, clients and a network on a virtual clock, all of it decided by one seed. The nodes run the real core.

`World.told` is the oracle: every event that any node took from its clients. A node that crashes may take events that it
told nobody to the grave.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from itertools import count
from random import Random
from typing import Any

import msgspec

from edge.errors import InvalidInput
from kvcache.handlers import CacheHandlers
from kvcache.index import CacheIndex
from loadstats.ledger import Ledger, Origin, Phase
from loadstats.ledger.record import attempt_of
from replication.anti_entropy import PENDING_SHARE
from replication.buckets import State
from replication.entities import Entities, Summary
from replication.entities.caches import ReplicatedCaches
from replication.entities.requests import ReplicatedRequests
from replication.entity import Entity
from replication.journal import Journal
from replication.log.member import LogMember
from replication.messages import Ack
from replication.pull import NO_SUSPECTS, Pull
from replication.replica import Replica
from replication.sender import Sender
from replication.snapshot.capture import Capture
from replication.snapshot.frames import FrameReader
from replication.snapshot.moment import Moment
from replication.snapshot.restoring import Restored, Restoring, UnusableSnapshot
from replication.snapshot.tail import Tail
from runtime.cold_start import ColdStart
from tests.simulation.coroutines import SimClock, run
from tests.simulation.log_link import SimLog, SimLogLink
from tests.simulation.told import Told, View

# Tombstones far shorter than partitions: that is what the dots are for.
REQUEST_SECONDS, TOMBSTONE_SECONDS = 600.0, 4.0
TTL_SECONDS, ORPHAN_SECONDS = 4, 8.0
RECONCILE_SECONDS = 2.0
EXPIRE_SECONDS = 3.0


@dataclass
class Faults:
    """What the network does to a message, each with its chance."""

    loss: float = 0.0
    duplicate: float = 0.0
    shortest: float = 0.0005
    longest: float = 0.005


class SimJournal(Journal):
    """A journal whose events the world overhears."""

    told: Told

    def append(self, event: Any, now: float, size: int = 0) -> int:
        number = super().append(event, now, size)
        self.told.note((self.origin.name, number), event)
        return number


class SimNode:
    """One life of one node. It begins with what is on its disk, if it has one."""

    def __init__(self, world: World, name: str, epoch: int, disk: SimDisk | None = None) -> None:
        self.world = world
        self.name = name
        self.skew = world.random.uniform(-1e6, 1e6)  # its clocks have nothing to do with anybody's
        self.wall_skew = world.random.choice([0.0, 0.5, -20.0, 3600.0]) if world.skewed else 0.0
        self.ledger = Ledger(
            request_seconds=world.request_seconds,
            tombstone_seconds=TOMBSTONE_SECONDS,
            stub_seconds=world.request_seconds,
            orphan_seconds=ORPHAN_SECONDS,
        )
        origin = self.ledger.replica.origin(f"{name}@{epoch}")
        self.journal = SimJournal(Origin.of(origin.name), capacity=world.capacity, spare=world.capacity // 8)
        self.journal.told = world.told
        self.ledger.journal = self.journal
        self.index = CacheIndex()
        self.cache_calls = CacheHandlers(self.index, now=self.now, wall_ns=self.wall_ns)
        seen = self.cache_calls.stamps.seen
        self.caches = ReplicatedCaches(self.index, self.ledger.journal_event, seen, lambda name: name)
        self.cache_calls.journal = self.caches
        self.replica = Replica(self.journal, Entities(ReplicatedRequests(self.ledger, lambda name: name), self.caches))
        self.pending = self.replica.pending[self.caches.name]
        self.senders: dict[str, Sender] = {}
        self.suspects: dict[str, Mapping[str, frozenset[int]]] = {}
        self.pulling = False
        self.disk = disk
        self.restored = None if disk is None else disk.restore(self.replica, self.now(), self.wall_ns())
        if self.restored is not None and not self.restored.handed_on:
            self.journal.begin_behind_gap()
        self.tail = Tail(self.journal, self.now)
        self.capturing = False
        self.mesh, logged = world.ways[name]
        self.log: LogMember | None = None
        if world.log is not None and logged:
            self.log = LogMember(
                self.replica,
                self.journal,
                SimLogLink(world.log, self),
                SimClock(world, self),
                random=Random(f"{name}@{epoch}"),
                cold=ColdStart(world.request_seconds, now=self.now, wall=lambda: self.wall_ns() / 1e9),
                join_seconds=5.0,
                keep_seconds=world.request_seconds,
                machine=name,
                keep=lambda body: None if disk is None else disk.keep_nodes(body),
            )
            self.log.joining.former = "" if self.restored is None else self.restored.origin
            if disk is not None and self.restored is not None and disk.nodes:
                self.log.silent.recall(disk.nodes)
            self.replica.log = self.log
        self.mesh_joined = not self.mesh

    def now(self) -> float:
        return self.world.now + self.skew + 2e6

    def wall_ns(self) -> int:
        return int((self.world.now + self.wall_skew + 1.7e9) * 1e9)

    # The part of the loop

    def connect(self) -> None:
        for name in self.world.names:
            if name != self.name and self.mesh:
                self.senders[name] = Sender(self.journal, self.world.random.random, self.replica.for_peer)
        self.journal.on_append = lambda: None
        if self.mesh:
            self.world.at(0.0, self.join, owner=self)
        if self.log is not None:
            self.journal.on_append = self.log.writer.wake
            for each in self.log.runs:
                self.world.at(0.0, lambda each=each: run(each()), owner=self)
            run(self.follow_log(self.log))
        for every, what in (
            (RECONCILE_SECONDS, self.reconcile),
            (1.0, self.lapse),
            (EXPIRE_SECONDS, self.expire),
        ):
            self.world.at(self.world.random.uniform(0, every), what, owner=self)
        for name in self.senders:
            self.world.at(0.0, lambda name=name: self.push(name), owner=self)
        if self.disk is not None:
            self.rotate()
            self.world.at(0.1, self.append, owner=self)
            self.world.at(self.world.random.uniform(0.5, 10), self.capture, owner=self)

    async def follow_log(self, log: LogMember) -> None:
        """Be ready once all ways have joined, and drop what all have."""
        clock = SimClock(self.world, self)
        await log.ready.wait()
        while not self.mesh_joined:
            await clock.sleep(0.05)
        self.replica.joined = True
        while True:
            self.trim()
            await clock.sleep(0.05)

    def trim(self) -> None:
        """Drop what all others have."""
        self.replica.trim([each.acknowledged for each in self.senders.values()])

    def has_joined(self) -> None:
        """Note that all is pulled from the peers."""
        self.mesh_joined = True
        if self.log is None or self.log.ready.is_set():
            self.replica.joined = True

    # What it leaves

    def rotate(self) -> int:
        assert self.disk is not None
        return self.disk.begin_tail(self.tail.head(self.disk.moment()))

    def append(self) -> None:
        """Ten times a second. A disk that is full takes nothing for a while."""
        assert self.disk is not None
        self.world.at(0.1, self.append, owner=self)
        if not self.disk.full and (frames := self.tail.take()):
            self.disk.append(frames)
            self.tail.written()

    def write_all(self, *, clean: bool = False) -> None:
        """End what is under way, and append the rest. `clean`: as a stop does."""
        assert self.disk is not None
        while self.ledger.lapse(self.now(), self.wall_ns()):
            pass
        while frames := self.tail.take():
            self.disk.append(frames)
            self.tail.written()
        if clean:
            self.disk.append(self.tail.end())

    def capture(self) -> None:
        """A snapshot, slice by slice, while the node goes on."""
        disk = self.disk
        assert disk is not None
        self.world.at(self.world.random.uniform(2, 15), self.capture, owner=self)
        if self.capturing or not self.replica.joined or self.replica.gaps or any(self.replica.pending.values()):
            return
        self.capturing = True
        number = self.rotate()
        frames = Capture(self.replica, number, disk.moment(), self.now, alone=len(self.world.names) == 1).frames()
        written: list[bytes] = []

        def step() -> None:
            frame = next(frames, None)
            if frame is None:
                disk.finish(number, written)
                self.capturing = False
                return
            written.append(frame)
            self.world.at(0.05, step, owner=self)

        step()

    def push(self, peer: str) -> None:
        sender = self.senders[peer]
        message = sender.poll(self.now())
        if message is not None:
            self.world.ask(
                self,
                peer,
                lambda node: node.replica.take(recoded(message), node.now(), node.wall_ns()),
                lambda ack: self.pushed(sender, ack),
                lambda: sender.failed("lost", self.now()),
            )
        self.trim()
        due = sender.due(self.now())
        wait = 0.02 if due is None else min(max(due - self.now(), 0.004), 0.05)
        self.world.at(wait, lambda: self.push(peer), owner=self)

    def pushed(self, sender: Sender, ack: Ack) -> None:
        sender.took(recoded(ack), self.now())
        assert sender.acknowledged <= self.journal.latest

    def join(self) -> None:
        """Pull everything from the peer that is furthest ahead; ready once that is in, or after a while."""
        answers: dict[str, Summary] = {}
        begun = self.world.now

        def decide() -> None:
            ahead = max(
                answers, key=lambda name: (answers[name].joined, sum(answers[name].vector.values())), default=None
            )
            if ahead is None:
                if self.world.now - begun > 5:
                    self.has_joined()
                else:
                    self.world.at(0.5, ask, owner=self)
                return
            self.pull(ahead, whole=True, then=self.has_joined)

        def ask() -> None:
            for name in self.senders:
                self.world.ask(
                    self,
                    name,
                    lambda node: node.replica.summary(node.now()),
                    lambda summary, name=name: answers.__setitem__(name, recoded(summary)),
                    lambda: None,
                )
            self.world.at(0.2, decide, owner=self)

        ask()

    def reconcile(self) -> None:
        """What the beat does every two seconds."""
        self.world.at(RECONCILE_SECONDS, self.reconcile, owner=self)
        self.replica.hold(self.senders.values(), self.now())
        if self.world.caches and (self.pulling or not self.replica.joined):
            return  # one pull at a time, as in production
        for name, sender in self.senders.items():
            if name in self.replica.gaps and sender.origin:
                self.pull(name, whole=True)
                return
        pending = [name for name in self.senders if self.world.caches and name in self.pending]
        if pending and self.world.random.random() < PENDING_SHARE:
            self.pull_caches(self.world.random.choice(pending))
            return
        if self.senders:
            self.pull(self.world.random.choice(list(self.senders)), whole=False)

    def lapse(self) -> None:
        self.world.at(1.0, self.lapse, owner=self)
        while self.ledger.lapse(self.now(), self.wall_ns()):
            pass

    def expire(self) -> None:
        self.world.at(EXPIRE_SECONDS, self.expire, owner=self)
        while self.ledger.expire(self.now(), self.wall_ns()):
            pass
        self.index.expire(self.now())  # one slice: peers may ask amid it

    def pull(self, peer: str, *, whole: bool, then: Callable[[], None] = lambda: None) -> None:
        if self.pulling and not whole:
            return
        suspects = self.suspects.get(peer, NO_SUSPECTS)
        pull = Pull(self.replica, self.replica.compared, peer, whole=whole, suspects=suspects)

        def failed() -> None:
            if whole and not (self.world.caches and self.replica.joined):
                self.world.at(0.3, lambda: self.pull(peer, whole=True, then=then), owner=self)

        def done() -> None:
            self.suspects[peer] = pull.differing
            then()
            if whole and self.world.caches:
                self.pull_caches(peer)
            elif self.log is not None:  # there are none, and a node with some to pull writes no snapshot
                self.pending.begin(peer)
                self.pending.pulled(peer, (), whole=True)

        self.carry(pull, peer, done, failed)

    def pull_caches(self, peer: str) -> None:
        """One pull of a peer's index. Where it fails, a later round begins anew."""
        self.carry(Pull(self.replica, [self.caches], peer), peer, lambda: None, lambda: None)

    def carry(self, pull: Pull, peer: str, done: Callable[[], None], failed: Callable[[], None]) -> None:
        """One pull over the network."""
        self.pulling = True

        def fail() -> None:
            self.pulling = False
            pull.close()
            failed()

        def go_on() -> None:
            want = pull.want()
            if want is None:
                self.pulling = False
                pull.done(self.senders)
                pull.close()
                done()
                return
            entity = pull.entity

            def took(state: State) -> None:
                try:
                    for _ in pull.take(recoded_state(entity, state), self.now(), self.wall_ns()):
                        pass
                except InvalidInput:  # of another life
                    fail()
                else:
                    go_on()

            self.world.ask(
                self, peer, lambda node: node.replica.state(entity.name, recoded(want), node.now()), took, fail
            )

        def begin(summary: Summary | None) -> None:
            pull.begin(None if summary is None else recoded(summary), self.now())
            go_on()

        if pull.compares:
            self.world.ask(self, peer, lambda node: node.replica.summary(node.now()), begin, fail)
        else:
            begin(None)


def recoded(message: Any) -> Any:
    """A message as it comes out of the other end of a wire."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(message), type=type(message))


def recoded_state(entity: Entity, state: State) -> State:
    """A State, laid out as its entity says, as it comes out of the other end of a wire."""
    return entity.layout.read_state(entity.layout.write_state(state))


class SimDisk:
    """A node's files, as they outlive it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.boot = 0
        self.full = False
        self.snapshot: bytes | None = None
        self.nodes = b""
        self.tails: dict[int, bytearray] = {}
        self.restorations = 0
        self.unclean = 0

    def moment(self) -> Moment:
        """The machine's time. Its wall clock is set now and then, so that it is of no use within one start."""
        return Moment(f"boot {self.boot}", int((self.world.now + 10) * 1e9), int((self.world.now + 1.7e9) * 1e9))

    def begin_tail(self, head: bytes) -> int:
        number = max(self.tails, default=0) + 1
        self.tails[number] = bytearray(head)
        return number

    def append(self, frames: bytes) -> None:
        self.tails[max(self.tails)] += frames

    def finish(self, first_tail: int, frames: list[bytes]) -> None:
        self.snapshot = b"".join(frames)
        self.tails = {number: tail for number, tail in self.tails.items() if number >= first_tail}

    def keep_nodes(self, body: bytes) -> None:
        if not self.full:
            self.nodes = body

    def crash(self, lost: int) -> None:
        """The last bytes of the last tail may be torn off."""
        if self.tails and lost:
            del self.tails[max(self.tails)][-lost:]

    def restore(self, replica: Replica, now: float, wall_ns: int) -> Restored | None:
        if not self.tails:
            return None
        restoring = Restoring(
            None if self.snapshot is None else FrameReader(BytesIO(self.snapshot)),
            [FrameReader(BytesIO(bytes(self.tails[number]))) for number in sorted(self.tails)],
            at=self.moment(),
            now=now,
            most_seconds=self.world.request_seconds,
        )
        try:
            restoring.survey()
        except UnusableSnapshot:
            self.snapshot = None
            self.tails.clear()
            return None
        self.restorations += 1
        return restoring.merge(replica, wall_ns)


class World:
    """Everything there is. Events run in order of time; equal times in order of making."""

    def __init__(
        self,
        seed: int,
        *,
        nodes: int = 3,
        capacity: int = 64,
        request_seconds: float = REQUEST_SECONDS,
        caches: bool = False,
        skewed: bool = True,
        disks: bool = False,
        lossless: bool = False,
        mesh: bool = True,
        log: bool = False,
    ) -> None:
        self.random = Random(seed)
        self.skewed = skewed  # whether wall clocks differ
        self.capacity = capacity
        self.request_seconds = request_seconds
        self.caches = caches  # whether they are pulled: that would change the histories of all seeds
        self.told = Told()
        self.names = [f"n{number}" for number in range(nodes)]
        self.now = 0.0
        self.faults = Faults()
        self.ways = dict.fromkeys(self.names, (mesh, log))  # how each node's next life is reached: by mesh, by log
        self.cut: set[frozenset[str]] = set()
        self.paused: set[str] = set()
        self.unsaved = False  # a node that stopped took events with it: nobody could be reached
        self.draining: set[str] = set()  # nodes that are about to stop: gateways are told
        self._order = count()
        self._queue: list[tuple[float, int, Callable[[], None], SimNode | None]] = []
        self._epoch = count(1)
        self.nodes: dict[str, SimNode] = {}
        self.log = SimLog(self) if log else None
        self.lossless = lossless  # whether all that a node took is on its disk when it crashes
        self.disks = {name: SimDisk(self) for name in self.names} if disks else {}
        for name in self.names:
            self.start(name)

    def at(self, delay: float, what: Callable[[], None], owner: SimNode | None = None) -> None:
        heapq.heappush(self._queue, (self.now + delay, next(self._order), what, owner))

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self._queue and self._queue[0][0] <= end:
            self.now, _, what, owner = heapq.heappop(self._queue)
            if owner is not None and self.nodes.get(owner.name) is not owner:
                continue  # of a life that is over
            if owner is not None and owner.name in self.paused:
                self.at(0.05, what, owner)
                continue
            what()
        self.now = end

    def start(self, name: str) -> None:
        node = self.nodes[name] = SimNode(self, name, next(self._epoch), self.disks.get(name))
        node.connect()

    def stop(self, name: str, then: Callable[[], None]) -> None:
        """Stop a node as operators do: it takes no more calls, hands on what it has, and says goodbye."""
        node = self.nodes[name]
        self.draining.add(name)
        begun = self.now

        def look() -> None:
            log = node.log
            while node.ledger.dropping:
                node.ledger.lapse(node.now(), node.wall_ns())
            handed = all(sender.lag_events == 0 for sender in node.senders.values())
            if log is not None:
                handed = handed and not log.writer.lag_events and (not log.roster.present() or log.handed_on())
            if not handed and self.now - begun < 5:
                self.at(0.1, look, owner=node)
            else:
                self.unsaved |= not handed
                if log is not None:
                    run(log.leave())
                end()

        def end() -> None:
            if self.nodes.get(name) is node:
                del self.nodes[name]
            self.draining.discard(name)
            then()

        look()

    def crash(self, name: str) -> None:
        """The node's memory is gone, and with it what it told nobody. What is on its disk is left, or most of it."""
        node = self.nodes[name]
        if self.lossless:
            node.write_all()
        del self.nodes[name]
        self.draining.discard(name)
        if disk := self.disks.get(name):
            if not self.lossless:
                disk.crash(self.random.choice([0, 0, 1, 20, 300]))
            disk.boot += self.random.random() < 0.3

    def ask(
        self,
        asker: SimNode,
        peer: str,
        serve: Callable[[SimNode], Any],
        answered: Callable[[Any], None],
        failed: Callable[[], None],
    ) -> None:
        """A call over the network: it or its answer may be lost, late, or delivered twice."""
        done = [False]
        delay = lambda: self.random.uniform(self.faults.shortest, self.faults.longest)  # noqa: E731

        def lost() -> bool:
            return self.random.random() < self.faults.loss or frozenset((asker.name, peer)) in self.cut

        def arrive() -> None:
            node = self.nodes.get(peer)
            if node is None or lost():
                return
            if peer in self.paused:
                self.at(0.5, arrive)
                return
            answer = serve(node)
            if not lost():
                self.at(delay(), lambda: finish(answer), owner=asker)

        def finish(answer: Any) -> None:
            if not done[0]:
                done[0] = True
                answered(answer)

        def give_up() -> None:
            if not done[0]:
                done[0] = True
                failed()

        self.at(delay(), arrive)
        if self.random.random() < self.faults.duplicate:
            self.at(delay() * 4, arrive)
        self.at(1.0, give_up, owner=asker)

    # What must be so once all is quiet

    def views(self) -> dict[str, dict[str, View]]:
        """For each node its live requests."""
        return {name: live(node.ledger) for name, node in self.nodes.items()}

    def rows(self) -> dict[str, dict[str, tuple[int, ...]]]:
        """For each node the load of the engines that have any."""
        return {
            name: {
                f"{cluster} {row.ip} {row.port}": (
                    row.queued_req_num,
                    row.prompt_length,
                    row.prefill_req_num,
                    row.token_num,
                    row.orphaned_req_num,
                )
                for cluster in node.ledger.clusters()
                for row in node.ledger.rows(cluster)
                if row.queued_req_num
            }
            for name, node in self.nodes.items()
        }


def live(ledger: Ledger) -> dict[str, View]:
    found = {}
    for record in ledger.requests.records():
        engine, more = record.engine, record.extras
        if engine is None or engine.cluster is None or record.phase is Phase.DONE:
            continue
        owner = "" if more is None or more.owner is None else more.owner.name
        tokens = (0, 0) if more is None else (more.input_tokens, more.output_tokens)
        refreshed = 0 if more is None else more.refreshed_ms
        incarnation = "" if more is None or more.incarnation is None else more.incarnation.name
        found[record.request_id] = View(
            engine.cluster.name,
            engine.name,
            int(record.phase),
            record.prompt_length,
            owner,
            tokens,
            refreshed,
            attempt_of(record),
            incarnation,
        )
    return found
