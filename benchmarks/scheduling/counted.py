# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Ways for gateways to choose an engine with this service: they report to a node what they do, and ask it.

Gateway 0 speaks to node 0, gateway 1 to node 1, and so on, round and round.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.json import encode

from benchmarks.scheduling.fleet import ENGINE_HOP, Fleet, least
from benchmarks.scheduling.kv_pool import BLOCK
from benchmarks.scheduling.node import CLUSTER, DEFAULT, Lag, Node
from benchmarks.scheduling.request import Request
from benchmarks.scheduling.trials import Prospect, Trial
from loadstats.ledger import Match
from loadstats.ledger.match import Mismatch
from loadstats.pick.options import PickOptions

NODE_HOP = 0.00015
"""Seconds from a gateway to a node, one way. There and back: the 0.3 ms between reading the load and adding to it."""
ENGINE_BLOCKS = 65_536
"""`[KVCache] MaxEngineBlocks`, by default."""

Random = Callable[[], float]


class Counted:
    """What all these ways share: nodes, and gateways that report first tokens and ends."""

    def __init__(
        self,
        fleet: Fleet,
        random: Random,
        *,
        nodes: int = 1,
        lag: Lag = lambda: 0.0,
        index_blocks: int = ENGINE_BLOCKS,
        index_seconds: float = 3600.0,
        settings: PickOptions = DEFAULT,
    ) -> None:
        self.fleet = fleet
        self.random = random
        self.nodes = [Node(fleet, random, f"node{n}@1", index_blocks, index_seconds, settings) for n in range(nodes)]
        if nodes > 1:
            for node in self.nodes:
                node.connect([other for other in self.nodes if other is not node], lag)

    def node(self, request: Request) -> Node:
        """Return the node that a request's gateway speaks to."""
        return self.nodes[request.gateway % len(self.nodes)]

    def first_token(self, request: Request) -> None:
        """Report it, once the gateway has seen it."""
        self.fleet.loop.after(ENGINE_HOP + NODE_HOP, self.node(request).first_token, str(request.number))

    def ended(self, request: Request) -> None:
        """Report it, once the gateway has seen it."""
        self.fleet.loop.after(ENGINE_HOP + NODE_HOP, self.node(request).done, str(request.number), request.failed)

    def close(self) -> None:
        """There is nothing to stop."""

    def give(self, node: Node, request: Request, place: int, known: int, after: float) -> None:
        """Send a request to an engine after it was counted on a node."""
        self.fleet.give(request, place, known, after)
        node.seen[place] += 1


class Pick(Counted):
    """`POST /v1/load/pick`, through the product's handler. `members` are members of the call: policy, weights, share.

    `hashes`: whether gateways send the prompt's blocks, and say that the engine chosen has them from now on.
    `sessions`: whether they say which conversation it is.
    `weigh`: whether they say how fast engines are.
    """

    def __init__(
        self,
        fleet: Fleet,
        random: Random,
        members: dict[str, Any],
        *,
        hashes: bool = False,
        sessions: bool = False,
        weigh: bool = False,
        **nodes: Any,
    ) -> None:
        super().__init__(fleet, random, **nodes)
        self._hashes = hashes
        self._sessions = sessions
        engines: list[Any] = list(fleet.names)
        if weigh:
            engines = [{"ip": ip, "weight": fleet.scenario.speed(place)} for place, ip in enumerate(fleet.names)]
        said = {"cluster": CLUSTER, "save": hashes, **members}
        self._head = encode({**said, "candidates": engines})[:-1]
        self._head_before = encode({**said, "candidates": engines[:-1]})[:-1]

    def arrive(self, request: Request) -> None:
        """Ask the node."""
        self.fleet.loop.after(NODE_HOP, self._pick, request)

    def _pick(self, request: Request) -> None:
        node = self.node(request)
        head = self._head_before if self.fleet.scenario.joins and not self.fleet.begun else self._head
        body = b'%b,"request_id":"%d","prompt_length":%d' % (head, request.number, request.prompt)
        if self._sessions:
            body += b',"session":"%d"' % (request.blocks[1] if len(request.blocks) > 1 else -request.number)
        if self._hashes and request.blocks:
            body += b',"prompt_hash":' + encode(request.blocks)
        place, _ = node.pick(body + b"}")
        self.give(node, request, place, node.seen[place], NODE_HOP + ENGINE_HOP)


class ReadThenAdd(Counted):
    """`GET /v1/load/stats`, the fewest requests (then the shortest prompts), `POST /v1/load/stats`.

    `gap`: seconds from when the node reads the load for the gateway to when it counts the request.
    """

    def __init__(self, fleet: Fleet, random: Random, gap: float, **nodes: Any) -> None:
        super().__init__(fleet, random, **nodes)
        self._gap = gap

    def arrive(self, request: Request) -> None:
        """Read the load."""
        self.fleet.loop.after(NODE_HOP, self._read, request)

    def _read(self, request: Request) -> None:
        node = self.node(request)
        requests, prompts = node.rows()
        place = least(requests, self.random, prompts)
        self.fleet.give(request, place, node.seen[place], self._gap + NODE_HOP + ENGINE_HOP)
        self.fleet.loop.after(self._gap, self._add, node, request)

    def _add(self, node: Node, request: Request) -> None:
        place = request.place
        node.add(str(request.number), place, request.prompt, self.fleet.names[place])
        node.seen[place] += 1


class CompareAndAdd(Counted):
    """The same with `match`: the node refuses the add if the engine has another number of requests by then, and says
    how many. Then the gateway chooses again."""

    TRIES = 20

    def arrive(self, request: Request) -> None:
        """Read the load."""
        self.fleet.loop.after(NODE_HOP, self._read, request)

    def _read(self, request: Request) -> None:
        node = self.node(request)
        self._try(node, request, *node.rows(), self.TRIES)

    def _try(self, node: Node, request: Request, requests: list[float], prompts: list[float], tries: int) -> None:
        place = least(requests, self.random, prompts)
        self.fleet.loop.after(2 * NODE_HOP, self._add, node, request, place, requests, prompts, tries)

    def _add(
        self, node: Node, request: Request, place: int, requests: list[float], prompts: list[float], tries: int
    ) -> None:
        loop = self.fleet.loop
        match = Match(queued_req_num=int(requests[place])) if tries else None
        try:
            node.ledger.add(
                str(request.number),
                CLUSTER,
                self.fleet.names[place],
                request.prompt,
                loop.now,
                int(loop.now * 1e9),
                match=match,
            )
        except Mismatch as refused:
            requests[place], prompts[place] = float(refused.row.queued_req_num), float(refused.row.prompt_length)
            self._try(node, request, requests, prompts, tries - 1)
            return
        self.give(node, request, place, node.seen[place], NODE_HOP + ENGINE_HOP)


class OnTrial(Counted):
    """Choosing in one step by a rule that the product does not have, with rows that leave out what is cached.

    `hashes`: as in `Pick`.
    """

    def __init__(self, fleet: Fleet, random: Random, trial: Trial, *, hashes: bool = True, **nodes: Any) -> None:
        super().__init__(fleet, random, **nodes)
        self._trial = trial
        self._hashes = hashes

    def arrive(self, request: Request) -> None:
        """Ask the node."""
        self.fleet.loop.after(NODE_HOP, self._choose, request)

    def _choose(self, request: Request) -> None:
        node, names = self.node(request), self.fleet.names
        lengths = node.lengths(request.blocks) if self._hashes else None
        cached = [0 if lengths is None else BLOCK * lengths.at(name, name) for name in names]
        requests, prompts = node.rows()
        place = self._trial(Prospect(request.prompt, cached, requests, prompts), self.random)
        known = node.seen[place]
        node.add(str(request.number), place, max(1, request.prompt - cached[place]), names[place])
        if self._hashes and request.blocks:
            node.save(names[place], request.blocks)
        self.give(node, request, place, known, NODE_HOP + ENGINE_HOP)
