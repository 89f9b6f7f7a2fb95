# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The order in which the workers of xdist run the tests. Each worker computes it, and all find the same.

`--dist worksteal` gives each worker as many tests as the next one, in a row; who has none left takes from the end of
another's row. So each row begins with its part of what takes long, and ends with tests that take no time: no worker is
left with a long test when the others are done, and no file whose tests share nodes is torn apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain, islice
from typing import TypeVar

TestT = TypeVar("TestT")


def shared_out(
    files: Iterable[Sequence[TestT]], workers: int, seconds: Callable[[Sequence[TestT]], float]
) -> list[TestT]:
    """Return all tests in the order for so many workers.

    `files`: the tests of each file. They stay together, and files of one length stay in their order.
    `seconds`: tells how long a test of a file takes, about; 0 for those that take no time.
    """
    ordered = sorted(files, key=seconds, reverse=True)
    long = [tests for tests in ordered if seconds(tests)]
    short = chain.from_iterable(ordered[len(long) :])
    count = sum(map(len, ordered))
    found = list[TestT]()
    for place in range(workers):
        end = len(found) + (count - len(found)) // (workers - place)
        found += chain.from_iterable(long[place::workers])
        found += islice(short, max(0, end - len(found)))
    return found
