# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How a gateway picks from a node's answer: the least loaded engine. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from .engines import ReplayEngine


def least_loaded(engines: Sequence[str], rows: Iterable[ReplayEngine], rng: random.Random) -> str:
    """Return the engine with the fewest queued requests, then the shortest prompts. Among equals, any.

    An engine without a row is idle; a row of an engine not in `engines` does not count.
    """
    load = {row.ip: (row.queued_req_num, row.prompt_length) for row in rows}
    idle = (0, 0)
    lightest = min(load.get(engine, idle) for engine in engines)
    return rng.choice([engine for engine in engines if load.get(engine, idle) == lightest])
