# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A profile in pprof's format, as a test wants to look at it."""

from __future__ import annotations

import gzip
from typing import Any, NamedTuple

from runtime.profiling.schema import profile_class


class Sample(NamedTuple):
    functions: tuple[str, ...]  # innermost first
    thread: str
    numbers: dict[str, int]


class Read:
    def __init__(self, data: bytes) -> None:
        self.message: Any = profile_class().FromString(gzip.decompress(data))
        text = self.text = list(self.message.string_table)
        self.types = [(text[kind.type], text[kind.unit]) for kind in self.message.sample_type]
        self.default = text[self.message.default_sample_type]
        self.comments = [text[comment] for comment in self.message.comment]
        functions = {function.id: function for function in self.message.function}
        names = {place.id: text[functions[place.line[0].function_id].name] for place in self.message.location}
        self.samples = [
            Sample(
                tuple(names[location] for location in sample.location_id),
                "".join(text[label.str] for label in sample.label if text[label.key] == "thread"),
                dict(zip((name for name, _ in self.types), sample.value, strict=True)),
            )
            for sample in self.message.sample
        ]

    def of(self, thread: str) -> list[Sample]:
        return [sample for sample in self.samples if sample.thread == thread]
