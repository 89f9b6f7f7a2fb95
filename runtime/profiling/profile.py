# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A profile while it is gathered: numbers by stack, bounded, encoded as pprof's gzipped protobuf.

Owned by the thread that gathers it; not thread-safe. The same frame, function or string is held and written once.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from typing import Any

from runtime.profiling.schema import profile_class
from runtime.profiling.stack import Frame

# Past this many different stacks, all others count under one stack that says so.
MAX_STACKS = 20_000
_MORE = Frame("", "(more stacks)", "", 0, 0)


class Profile:
    """A profile.

    `sample_types` names each number of a sample and its unit, as in `("cpu", "nanoseconds")`.
    """

    def __init__(
        self, sample_types: Sequence[tuple[str, str]], *, program: str, time_ns: int, max_stacks: int = MAX_STACKS
    ) -> None:
        self._sample_types = sample_types
        self._program = program
        self._time_ns = time_ns
        self._max_stacks = max_stacks
        self._locations: dict[Frame, int] = {}
        self._samples: dict[tuple[tuple[int, ...], str], list[int]] = {}

    def numbers(self, stack: Sequence[Frame], thread: str = "") -> list[int]:
        """Return the numbers of a stack (innermost frame first) on a thread. They are zero at first; add to them."""
        # setdefault: a frame costs 100 bytes or more, its id in a stack 8.
        locations = self._locations
        key = (tuple([locations.setdefault(frame, len(locations) + 1) for frame in stack]), thread)
        numbers = self._samples.get(key)
        if numbers is None:
            if len(self._samples) >= self._max_stacks and stack != (_MORE,):
                return self.numbers((_MORE,))
            numbers = self._samples[key] = [0] * len(self._sample_types)
        return numbers

    def encode(
        self, *, duration_ns: int, period_type: tuple[str, str], period: int, default: str, comments: Sequence[str] = ()
    ) -> bytes:
        """Return the profile as gzipped protobuf. `default` is the sample type that viewers show first."""
        strings: dict[str, int] = {"": 0}

        def text(string: str) -> int:
            return strings.setdefault(string, len(strings))

        def value_type(pair: tuple[str, str]) -> dict[str, int]:
            return {"type": text(pair[0]), "unit": text(pair[1])}

        message: Any = profile_class()(
            sample_type=[value_type(pair) for pair in self._sample_types],
            time_nanos=self._time_ns,
            duration_nanos=duration_ns,
            period_type=value_type(period_type),
            period=period,
            default_sample_type=text(default),
            comment=[text(comment) for comment in comments],
        )
        # One mapping that has its names already: `go tool pprof` then looks for no binary and asks for no symbols.
        message.mapping.add(
            id=1, filename=text(self._program), has_functions=True, has_filenames=True, has_line_numbers=True
        )
        functions: dict[tuple[str, str, int], int] = {}
        for frame, location in self._locations.items():
            key = (frame.name, frame.filename, frame.start_line)
            function = functions.get(key)
            if function is None:
                function = functions[key] = len(functions) + 1
                message.function.add(
                    id=function,
                    name=text(frame.name),
                    system_name=text(frame.function),
                    filename=text(frame.filename),
                    start_line=frame.start_line,
                )
            message.location.add(id=location, mapping_id=1, line=[{"function_id": function, "line": frame.line}])
        for (stack, thread), numbers in self._samples.items():
            labels = [{"key": text("thread"), "str": text(thread)}] if thread else []
            message.sample.add(location_id=stack, value=numbers, label=labels)
        # File and thread names may hold surrogates, which protobuf refuses.
        message.string_table.extend(string.encode(errors="replace").decode() for string in strings)
        return gzip.compress(message.SerializeToString(), compresslevel=6, mtime=0)
