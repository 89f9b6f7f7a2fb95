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
        return "Ends without heartbeats in" if self.heartbeats else "Ends for its age in"

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
    "gateway": "Since then a gateway reported its end.",
    "operator": "Since then an operator ended it.",
    "age": "Nobody reported its end, and it ended for its age.",
    "silence": "Its gateway fell silent, and so it ended.",
    "engine_drop": "Its engine was dropped, as after a restart, and that ended all its requests.",
    "elsewhere": "It ended at another node, which does not say why.",
    "": "It has ended since. This node does not know why.",
}

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
            return f"Counts 1 request and a prompt of {shown.prompt_length:,}", "at"
        case "decode":
            return "Counts 1 request and no prompt any more", "at"
        case "done":
            return "Is over and counts nothing", "any more at"
        case _:
            return "Counts nothing yet", "at"


def alarm(shown: ShownRequest) -> str:
    """Why it most likely counts without being there, in one line; empty where nothing speaks for that."""
    left = span(shown.remaining_seconds)
    if shown.counts and shown.superseded:
        return f"Orphaned: its gateway {shown.owner} has started anew since. Ends in {left}."
    if shown.counts and shown.orphaned:
        return f"Orphaned for {span(shown.silent_seconds)}: its gateway {shown.owner} is silent. Ends in {left}."
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
            words = f"A gateway reported {ago} that it sent it to this engine. No first token has been reported since."
            if not shown.long_prefill:
                return [words]
            return [
                words,
                "That is long for a prefill. Its gateway may have died, or it does not report first tokens.",
            ]
        case "decode":
            return [f"A gateway reported it {ago}, and its first token since. Its end has not been reported."]
        case "done":
            return [f"A gateway reported it {ago}. {ENDED.get(shown.cause, ENDED[''])}"]
        case _:
            return [
                f"Its first token or its end was reported {ago}, and its start has not been: calls for one request may "
                "reach the nodes in any order. Its start is merged with that when it comes.",
            ]


def _ends(shown: ShownRequest) -> list[str]:
    left = span(shown.remaining_seconds)
    if shown.orphaned:
        return [_orphaned(shown, left)]
    if shown.counts and shown.owner and not shown.heartbeats:
        return [
            f"Its gateway is {shown.owner}, which has never sent a heartbeat: nobody would notice if it fell silent. "
            f"If nobody reports its end, this node ends it for its age in {left}."
        ]
    if shown.counts and shown.owner:
        return [
            f"Its gateway is {shown.owner}: while that sends heartbeats it does not end for its age. When they stop it "
            f"is orphaned, and ends {span(shown.grace_seconds)} later."
        ]
    if shown.counts:
        return [f"If nobody reports its end, this node ends it for its age in {left}."]
    if shown.phase == "done":
        return [f"It is remembered for another {left}, so that a late or repeated call changes nothing."]
    return [f"If that does not come within {left}, it is forgotten."]


def _replicated(shown: ShownRequest) -> list[str]:
    if not shown.origin:
        return ["No node put its name to it: this node has no peers, or a node of the Go version reported it."]
    if shown.home == node_of(shown.node) or shown.home == shown.node:
        return [f"Its start was reported to this node, and is its event {shown.seq:,}."]
    return [
        f"Its start was reported to {shown.home}, and is that node's event {shown.seq:,}. This node was told of it."
    ]


def _orphaned(shown: ShownRequest, left: str) -> str:
    if shown.superseded:
        return (
            f"Its gateway {shown.owner} has started anew since, and what its former life left is orphaned. "
            f"This node ends it in {left}."
        )
    return (
        f"Its gateway {shown.owner} has fallen silent {span(shown.silent_seconds)} ago. "
        f"If no heartbeat of it comes, this node ends it in {left}."
    )
