# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""PEERS.md: what was measured, and what it means. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.peers.cost import CONNECTIONS, Cost
from benchmarks.peers.counting import PROMPT, Counted, History
from benchmarks.section import table
from benchmarks.spread import Spread

EVEN = 0.03  # closer than this is a draw

HEAD = """<!--
SPDX-FileCopyrightText: 2026 Metadata Center contributors
SPDX-License-Identifier: Apache-2.0
-->

# Beside others

Written by `make bench-peers`; the last part of this page says how. NVIDIA Dynamo has two services for the same work:
its **slot tracker** counts what gateways report, its **select service** also chooses. Both are in Rust. Here they and a
node of ours do the same work on the same core, in turn, under the same load.
"""

MEANING = """## What the rows mean

- **Start of a request.** `POST /v1/load/stats` here, `POST /add` there, without hashes. The node writes an access log
  and counts for `/metrics`, as it does by default; Dynamo's services have neither.
- **Read, unchanged.** `GET /v1/load/stats?cluster=…` here, `GET /loads?model_name=…` there, of engines that each have
  requests. A node keeps the answer until something changes; the slot tracker makes it for each call. A cluster that is
  used changes all the time, so there are rows in which
- **start and read** follow each other, and each read has to be made anew. A number there is for both calls.
- **Pick and book.** `POST /v1/load/pick` here, `POST /select_and_reserve` there, with each one's default policy: they
  do not choose by the same formula. With hashes, a prompt of 64 blocks comes along, which no engine has cached. Dynamo
  is given two lists of hashes, as it asks for, and a node one. The node looks them up in an index without entries, and
  so does Dynamo: its workers have told it nothing of their caches.
"""

LOSE = """## Where the node is behind, and why

- **A start and a pick** are compiled code there and an interpreter's here. Of a start nearly half is the kernel's,
  which both pay: reading a request and writing an answer. The rest is spread over the lane, the ledger's add and the
  access line; a profile shows no step that stands out. A node also does more: it takes calls in any order, so it
  keeps ids after their end; it shares its caps among clients; it logs each call and counts it for `/metrics`.
- **The interpreter.** The last line of this page says how the one was built that was measured. With PGO and LTO, as
  in the image, a call takes a tenth less; see [operations](../docs/operations.md#capacity).
- **Cores.** One node uses one core, and more nodes use more. Dynamo's services have threads for as many cores as they
  are given; here it is one.
- **p99** of either is the machine's where others use its cores: see the load average in the last line.

**Where it is ahead.** A read joins kept bytes and makes anew only the rows of engines that changed, and a row leaves
out what is 0. The slot tracker makes, sorts and encodes all rows for each call.
"""

TIME = f"""What time repairs, by each one's documents: the slot tracker drops a request 300 s after its start, running
or not. A node ends it after `RequestExpire` (660 s) unless it is refreshed; or 30 s (`OrphanGrace`) after its gateway's
heartbeats have lapsed, where the gateway sends some. Each prompt here has {PROMPT} tokens. The slot tracker's documents
say that it does not repair reordered calls, and ask its callers to wait for a start's answer before they report more.
"""

COUNTED = """## What is counted after calls that come late, twice or never

Requests in flight, and the tokens of prompts whose first token has not come, right after the last call.
"""

EXPLAINED = f"""## What a call costs

CPU is that of the whole process, kernel and user, for each piece of work under full load of {CONNECTIONS} kept
connections. p99 is of one call at a rate that both can take (2,000 calls/s, of 1,000 engines 200), at random times,
counted from when each was due. Median, lowest and highest of the rounds. Below 1 in the fourth column the node takes
less.
"""


BUSY = """**The machine was busy with other work.** Of both the numbers of CPU are too high, and p99 is the
machine's. The counts hold, and the ratios roughly. Run it again where nothing else runs.
"""


def page(
    costs: Sequence[Cost],
    counts: Sequence[tuple[History, Counted, Counted]],
    how: str,
    versions: str,
    *,
    busy: bool = False,
) -> str:
    """Return PEERS.md. `how` says when and on what it was measured, `versions` of what; `busy`: others used it too."""
    cost_rows = [
        (
            cost.work.label,
            cost.node.show(),
            cost.dynamo.show(),
            f"{cost.ratio.show(2)}{_verdict(cost.ratio)}",
            _micro(cost.node_p99),
            _micro(cost.dynamo_p99),
            f"{cost.answer_bytes[0]:,} / {cost.answer_bytes[1]:,}",
        )
        for cost in costs
    ]
    cost_head = (
        "work",
        "node, µs CPU",
        "Dynamo, µs CPU",
        "node / Dynamo",
        "node, p99 µs",
        "Dynamo, p99 µs",
        "answer, bytes",
    )
    count_rows = [
        (
            history.label,
            _counted(*history.truth),
            _told(node, history),
            _told(dynamo, history),
            ", ".join(f"{n:,} × {status}" for status, n in dynamo.answers.items()) or "none",
        )
        for history, node, dynamo in counts
    ]
    count_head = ("calls as they arrive", "true", "node", "slot tracker", "its refusals")
    return "\n".join(
        [
            HEAD,
            EXPLAINED,
            *([BUSY] if busy else []),
            table(cost_head, cost_rows) + "\n",
            MEANING,
            LOSE,
            COUNTED,
            table(count_head, count_rows) + "\n",
            TIME,
            "## How it was measured\n",
            f"{versions}\n",
            f"*{how}*",
            "",
        ]
    )


def _verdict(ratio: Spread) -> str:
    if abs(ratio.median - 1) <= EVEN:
        return ", even"
    return ", ahead" if ratio.median < 1 else ", **behind**"


def _micro(value: Spread) -> str:
    return f"{value.median:,.0f} ({value.low:,.0f}–{value.high:,.0f})"


def _counted(requests: int, prompts: int) -> str:
    return f"{requests:,} requests, {prompts:,} tokens"


def _told(counted: Counted, history: History) -> str:
    said = _counted(counted.requests, counted.prompts)
    return said if (counted.requests, counted.prompts) == history.truth else f"**{said}**"
