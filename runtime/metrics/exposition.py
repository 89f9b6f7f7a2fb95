# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The metrics as Prometheus reads them, in pieces.

10,000 engines make 3 MB. Made in one piece, they would hold up the event loop for 8 ms. Runs on a thread of its own,
which rests between pieces so that the loop gets the interpreter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from time import sleep

from prometheus_client import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

SAMPLES = 200  # in a piece: about 1 ms
REST_SECONDS = 0.0005
_END = b"# EOF\n"
# The text format moves these samples behind the others, under heads of their own. Their families stay in one piece.
_MOVED = ("_created", "_gsum", "_gcount")

Encode = Callable[[Collector], bytes]


class _FewSamples(Collector):
    """A registry of a few samples of one family, for the library's encoder."""

    def __init__(self, family: Metric, samples: list[Sample]) -> None:
        self._part = Metric(family.name, family.documentation, family.type, family.unit)
        self._part.samples = samples

    def collect(self) -> Iterable[Metric]:
        return [self._part]


def pieces(families: Iterable[Metric], encode: Encode, rest: Callable[[float], None] = sleep) -> Iterator[bytes]:
    """Encode all families, piece by piece. A family's head comes with its first piece only."""
    end = b""
    for family in families:
        for number, samples in enumerate(_batches(family.samples)):
            piece = encode(_FewSamples(family, samples))
            if piece.endswith(_END):
                end = _END
                piece = piece.removesuffix(_END)
            if number:
                piece = b"".join(line for line in piece.splitlines(keepends=True) if not line.startswith(b"#"))
            yield piece
            rest(REST_SECONDS)
    yield end


def _batches(samples: Iterable[Sample]) -> Iterator[list[Sample]]:
    """Return the samples in batches. There is at least one batch, which may be empty."""
    if isinstance(samples, list) and any(sample.name.endswith(_MOVED) for sample in samples):
        yield samples
        return
    rest = iter(samples)
    yield list(islice(rest, SAMPLES))
    while batch := list(islice(rest, SAMPLES)):
        yield batch
