# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The signals: the numbers in an engine's row, each declared once.

To add a signal, write an attribute of `Load` with its `Signal`, and add it to `count`; one of ours to `present`, too.
Rows, sums of clusters, websockets, metrics, pages and the API's schema follow. A number that needs new data of a
request adds that to `record.py` and to an event. A test compares both functions with the table.

Pure. `count` and the three functions below it run on the hot path, under the ledger's lock: a loop over the table would
cost an add a quarter of its time.
"""

from collections.abc import Callable
from typing import Annotated, Protocol, get_type_hints

from msgspec import Struct

from loadstats.ledger.expiry_queue import Link
from loadstats.ledger.phase import PREFILL, Phase


class CountedExtras(Protocol):
    """What a signal reads of a record's extras. See `RecordExtras`."""

    input_tokens: int
    output_tokens: int
    orphaned: bool


class Counted(Protocol):
    """What a signal reads of a record. See `Record`."""

    @property
    def phase(self) -> Phase: ...
    @property
    def prompt_length(self) -> int: ...
    @property
    def extras(self) -> CountedExtras | None: ...


class SignalMetric(Struct, frozen=True):
    """How Prometheus sees a signal.

    `name`: the family's name after `metadata_center_engine_` or `metadata_center_cluster_`.
    `help`: what it counts, as a sentence.
    `per_engine`: one sample for each engine; else one for each cluster, the sum of its engines.
    """

    name: str
    help: str
    per_engine: bool = False


class Signal(Struct, frozen=True):
    """A number of an engine: the sum of what each of its live records adds.

    `of`: returns what a live record adds.
    `description`: what it counts, for the API's schema.
    `metric`: how Prometheus sees it.
    `heading`: of its column on pages.
    `contract`: the Go version has it too, so it comes before `updated_time` in a row.
    `wide`: a sum that may pass 32 bits.
    """

    of: Callable[[Counted], int]
    description: str
    metric: SignalMetric
    heading: str
    contract: bool = False
    wide: bool = False


class Load(Link, gc=False, eq=False):
    """The numbers of an engine. Each attribute is a signal. Pages show them in this order."""

    queued_req_num: Annotated[
        int,
        Signal(
            of=lambda record: 1,
            description="requests that were started and not ended",
            metric=SignalMetric("queued_requests", "Requests in flight.", per_engine=True),
            heading="Requests",
            contract=True,
        ),
    ] = 0
    prefill_req_num: Annotated[
        int,
        Signal(
            of=lambda record: int(record.phase is PREFILL),
            description="requests before their first token",
            metric=SignalMetric("prefill_requests", "Requests before their first token."),
            heading="In prefill",
        ),
    ] = 0
    prompt_length: Annotated[
        int,
        Signal(
            of=lambda record: record.prompt_length if record.phase is PREFILL else 0,
            description="sum over those before their first token",
            metric=SignalMetric(
                "prompt_length", "Prompt length of requests in prefill, in the gateways' unit.", per_engine=True
            ),
            heading="Prompt length",
            contract=True,
            wide=True,
        ),
    ] = 0
    token_num: Annotated[
        int,
        Signal(
            of=lambda record: record.extras.input_tokens + record.extras.output_tokens if record.extras else 0,
            description="tokens held by requests in flight",
            metric=SignalMetric("tokens", "Tokens held by requests in flight."),
            heading="Tokens",
            wide=True,
        ),
    ] = 0
    orphaned_req_num: Annotated[
        int,
        Signal(
            of=lambda record: int(record.extras.orphaned) if record.extras else 0,
            description="requests whose owner is gone",
            metric=SignalMetric("orphaned_requests", "Requests in flight whose gateway fell silent or started anew."),
            heading="Orphaned",
        ),
    ] = 0


def count(load: Load, record: Counted, sign: int) -> None:
    """Add what a live record adds to its engine (`sign` 1), or take it away (-1)."""
    load.queued_req_num += sign
    if record.phase is PREFILL:
        load.prefill_req_num += sign
        load.prompt_length += sign * record.prompt_length
    extras = record.extras
    if extras is not None:
        load.token_num += sign * (extras.input_tokens + extras.output_tokens)
        if extras.orphaned:
            load.orphaned_req_num += sign


def leave_prefill(load: Load, record: Counted) -> None:
    """Take away what a live record adds in prefill alone, before it moves to decode."""
    load.prefill_req_num -= 1
    load.prompt_length -= record.prompt_length


def hold_tokens(load: Load, change: int) -> None:
    """Add to the tokens that the engine's records hold."""
    load.token_num += change


def present(load: Load) -> tuple[bool, ...]:
    """Return which signals of ours are not 0, in the order of `OURS`: a row has only those."""
    return load.prefill_req_num != 0, load.token_num != 0, load.orphaned_req_num != 0


def _declared() -> dict[str, Signal]:
    found = {}
    # With the module's names given, an `of` that reads one of them finds it when it is called.
    for name, hint in get_type_hints(Load, globalns=globals(), include_extras=True).items():
        for note in getattr(hint, "__metadata__", ()):
            if isinstance(note, Signal):
                found[name] = note
    return found


SIGNALS: dict[str, Signal] = _declared()
"""The signals by name, in the order of pages."""

CONTRACT = tuple(name for name, signal in SIGNALS.items() if signal.contract)
"""The signals that the Go version has too, in the order of its rows."""

OURS = tuple(name for name, signal in SIGNALS.items() if not signal.contract)
"""The signals of ours. They come last in a row, which leaves out those that are 0."""


def numbers(load: object) -> tuple[int, ...]:
    """Return the signals of an engine, or of its row, in the table's order."""
    return tuple([getattr(load, name) for name in SIGNALS])
