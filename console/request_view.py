# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One request's life in words: where it counts, why, and until when. Pure: a request's JSON comes in."""

from __future__ import annotations

from msgspec import Struct

from console.load import span
from console.nodes import node_of

# Prefills take seconds. One that takes longer than this most likely lost its gateway.
LONG_PREFILL_SECONDS = 60


class ShownRequest(Struct, frozen=True):
    """A request as a node sees it. The members are those of `GET /v1/load/request`, and one of the console's.

    `request_id`: its id.
    `phase`: early, prefill, decode or done.
    `cluster`, `ip`: where it runs; empty while it is early.
    `age_seconds`: since it was reported.
    `remaining_seconds`: until it expires or is forgotten.
    `prompt_length`: of its prompt, in the gateway's unit.
    `origin`, `seq`: the node that took its start, and the number of the event there.
    `node`: the node that answers.
    `owner`: the gateway that it names; empty for none.
    `orphaned`: its gateway is silent, or has started anew.
    `superseded`: its gateway has started anew.
    `input_tokens`, `output_tokens`: what it holds on its engine.
    `heartbeats`: its gateway has sent one.
    `cause`: why it is over; empty while it is not, or if the reason is unknown.
    `outcome`: error where its gateway said that the engine failed at it; else empty.
    `grace_seconds`: how long an orphaned request is kept, from the node's configuration.
    """

    request_id: str
    phase: str
    cluster: str = ""
    ip: str = ""
    age_seconds: float = 0
    remaining_seconds: float = 0
    prompt_length: int = 0
    origin: str = ""
    seq: int = 0
    node: str = ""
    owner: str = ""
    orphaned: bool = False
    input_tokens: int = 0
    output_tokens: int = 0
    heartbeats: bool = False
    cause: str = ""
    superseded: bool = False
    outcome: str = ""
    grace_seconds: float = 0

    @property
    def tokens(self) -> int:
        """What it holds on its engine."""
        return self.input_tokens + self.output_tokens

    @property
    def home(self) -> str:
        """The node that took its start from a gateway; empty where none says so."""
        return node_of(self.origin)

    @property
    def counts(self) -> bool:
        """Whether it is part of an engine's load."""
        return self.phase in {"prefill", "decode"}

    @property
    def silent_seconds(self) -> float:
        """How long an orphaned one has been so."""
        return max(0.0, self.grace_seconds - self.remaining_seconds)

    @property
    def long_prefill(self) -> bool:
        """Whether it waits for its first token for longer than prefills take."""
        return self.phase == "prefill" and self.age_seconds >= LONG_PREFILL_SECONDS

    @property
    def end(self) -> str:
        """What comes in `remaining_seconds`."""
        if not self.counts:
            return "Forgotten in"
        if self.orphaned:
            return "Ends in"
        return "Times out without heartbeats in" if self.heartbeats else "Times out in"

    @property
    def state(self) -> str:
        """Where it is in its life, for the page's title."""
        if self.orphaned:
            return "orphaned"
        return {"prefill": "in prefill", "decode": "in decode", "done": "over"}.get(self.phase, "not started yet")

    @property
    def question(self) -> str:
        """What the reasons answer."""
        if self.counts:
            return "Why does this count here?"
        return "Why is it over?" if self.phase == "done" else "Why does it not count yet?"


class Step(Struct, frozen=True):
    """A station of a request's shown. `state` is "past", "now" or "ahead"."""

    name: str
    state: str


ENDED = {
    "gateway": "A gateway reported its end.",
    "operator": "An operator ended it.",
    "age": "No end was reported, and it timed out.",
    "silence": "Its gateway stopped sending heartbeats, so it was ended.",
    "engine_drop": "Its engine was dropped, as after a restart, which ended all requests on it.",
    "elsewhere": "It ended at another node, which does not say why.",
    "": "It has ended. This node does not know why.",
}

FAILED = "error"
STATIONS = (("prefill", "Sent to the engine"), ("decode", "First token"), ("done", "Over"))


def steps(shown: ShownRequest) -> list[Step]:
    """The stations, and where the request is. An early one is at none of them.

    A request that is over has no station for its first token, because nodes do not remember whether it had one.
    """
    stations = [each for each in STATIONS if each[0] != "decode" or shown.phase != "done"]
    names = [phase for phase, _ in stations]
    at = names.index(shown.phase) if shown.phase in names else -1
    return [
        Step(name, "past" if place < at else "now" if place == at else "ahead")
        for place, (_, name) in enumerate(stations)
    ]


def headline(shown: ShownRequest) -> tuple[str, str]:
    """What it counts, in one line, and what leads from there to its engine's name."""
    match shown.phase:
        case "prefill":
            return f"In prefill: 1 request and a prompt of {shown.prompt_length:,}", "at"
        case "decode":
            return "Decoding: 1 request", "at"
        case "done":
            return ("Failed" if shown.outcome == FAILED else "Finished"), "on"
        case _:
            return "Not counted yet", "at"


def alarm(shown: ShownRequest) -> str:
    """Why it most likely counts without being there, in one line; empty where nothing speaks for that."""
    left = span(shown.remaining_seconds)
    if shown.counts and shown.superseded:
        return f"Orphaned: its gateway {shown.owner} has restarted. Ends in {left}."
    if shown.counts and shown.orphaned:
        return (
            f"Orphaned for {span(shown.silent_seconds)}: its gateway {shown.owner} sends no heartbeats. Ends in {left}."
        )
    if shown.long_prefill and shown.heartbeats:
        return f"No first token for {span(shown.age_seconds)}, and its gateway {shown.owner} still sends heartbeats."
    if shown.long_prefill:
        return f"No first token for {span(shown.age_seconds)}: its gateway may be gone. Ends in {left} at the latest."
    return ""


def reasons(shown: ShownRequest) -> list[str]:
    """Why it counts what it counts, how that ends, and who says so."""
    return [*_reported(shown), *_ends(shown), *_replicated(shown)]


def _reported(shown: ShownRequest) -> list[str]:
    ago = f"{span(shown.age_seconds)} ago"
    match shown.phase:
        case "prefill":
            words = f"A gateway reported {ago} that it sent it to this engine. No first token has been reported."
            if not shown.long_prefill:
                return [words]
            return [
                words,
                "That is long for a prefill. Its gateway may have died, or it does not report first tokens.",
            ]
        case "decode":
            return [f"A gateway reported it {ago}, and its first token since. Its end has not been reported."]
        case "done" if shown.outcome == FAILED:
            return [f"A gateway reported it {ago}, and then its end: the engine failed."]
        case "done":
            return [f"A gateway reported it {ago}. {ENDED.get(shown.cause, ENDED[''])}"]
        case _:
            return [
                f"Its first token or its end was reported {ago}, before its start: calls for one request may "
                "arrive in any order. The start is merged when it arrives.",
            ]


def _ends(shown: ShownRequest) -> list[str]:
    left = span(shown.remaining_seconds)
    if shown.orphaned:
        return [_orphaned(shown, left)]
    if shown.counts and shown.owner and not shown.heartbeats:
        return [
            f"Its gateway is {shown.owner}, which has never sent a heartbeat. "
            f"Without a reported end, it times out in {left}."
        ]
    if shown.counts and shown.owner:
        return [
            f"Its gateway is {shown.owner}: while it sends heartbeats, the request does not time out. When they stop, "
            f"it is orphaned, and ends {span(shown.grace_seconds)} later."
        ]
    if shown.counts:
        return [f"Without a reported end, it times out in {left}."]
    if shown.phase == "done":
        return [f"It is kept for another {left}, so that a late or repeated call has no effect."]
    return [f"If the start does not arrive within {left}, it is removed."]


def _replicated(shown: ShownRequest) -> list[str]:
    if not shown.origin:
        return ["Origin unknown: this is a single node, or a peer of the Go version reported it."]
    if shown.home == node_of(shown.node) or shown.home == shown.node:
        return [f"Its start was reported to this node, and is its event {shown.seq:,}."]
    return [f"Its start was reported to {shown.home}, and is that node's event {shown.seq:,}. This node received it."]


def _orphaned(shown: ShownRequest, left: str) -> str:
    if shown.superseded:
        return (
            f"Its gateway {shown.owner} has restarted, and requests of its previous run are orphaned. "
            f"This node ends it in {left}."
        )
    return (
        f"Its gateway {shown.owner} stopped sending heartbeats {span(shown.silent_seconds)} ago. "
        f"Without a new heartbeat, this node ends it in {left}."
    )
