# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What is asked: each study is some arms in some settings, and the tables that answer from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from benchmarks.scheduling.study import Case, Setting

BASE = "pick:score+index"
"""What a gateway gets that sends its prompts' blocks and configures nothing."""
TOKENS = "pick:least_tokens+index,uncached=1"
BUSY = {"chat": 1.0, "code": 14.0}
"""Requests a second and engine at which a good picker is well within its means and a bad one is not."""
RATES = {"chat": (0.4, 0.7, 1.0, 1.3, 1.5), "code": (8.0, 14.0, 17.0, 20.0)}
"""Up to saturation: at the last one a fleet without a cache index falls behind for as long as it lasts."""
COPIES = {"chat": 1.0, "code": 16.0}
"""Of the trace for 16 engines: with these, both are 5 to 6 times as fast as in life where engines are busy."""
LIMITS = {"chat": 3.0, "code": 1.0}
"""Seconds in which nine of ten first tokens must be there, for the throughput at a limit. A chat prompt at p90 has
27,000 tokens, which take 1.4 s to read on an idle engine."""

BLIND = ("random", "round_robin", "poll:0.05", "poll:1", "poll:10", "own_counts")
COUNTED = ("read_add:0.0003", "read_add:0.01", "compare_add")
PICKED = ("pick:least_load", "pick:power_of_two", "pick:score")
INDEXED = ("pick:score+index", TOKENS)
WAYS = {
    "chat": (*BLIND, *COUNTED, *PICKED, *INDEXED, "oracle"),
    "code": (*BLIND, *COUNTED, *PICKED, "pick:least_tokens", "oracle"),
}
SIZES = (8, 16, 64, 128)
SIZED = (
    *("round_robin", "poll:1", "pick:least_load", "pick:power_of_two"),
    *("pick:score+index", "pick:score+index,share=0", TOKENS),
)
GATEWAYS = (1, 2, 4, 8)
BY_GATEWAYS = ("round_robin", "poll:1", "own_counts", "read_add:0.0003", "pick:least_load")
LAGS = ("", "@mesh", "@5ms", "@100ms")
LAGGED = {
    "chat": ("pick:least_load", "pick:power_of_two", "pick:score+index", TOKENS),
    "code": ("pick:least_load", "pick:power_of_two", "pick:score", "pick:least_tokens"),
}
POLICY_RATES = (1.0, 1.5)
POLICIES = (
    BASE,
    "pick:score+index,index_blocks=2590",
    "pick:score+index,share=0",
    "pick:score+index,request_load=0.3",
    "pick:score+index,share=0,request_load=0.3",
    "pick:score+index,uncached=1",
    "pick:score+index,share=0,request_load=0.3,uncached=1",
)
BY_TOKENS = (
    BASE,
    "pick:least_tokens+index",
    *(f"pick:least_tokens+index,uncached=1,request_tokens={tokens}" for tokens in (0, 100)),
    TOKENS,
    *(f"pick:least_tokens+index,uncached=1,request_tokens={tokens}" for tokens in (500, 1000)),
    "pick:tokens_by_decodes+index,uncached=1",
    "trial:requests_times_prefill+index",
)
FEW_BEST = (BASE, f"{BASE},share=0")
"""A random one of the best 5 % of many engines, and the best one; on one node and on three."""
FEW_BEST_ENGINES = 64
GAPS = ("read_add:0.0003", "read_add:0.01", "pick:least_load")
GAP_SETTINGS = ((8, 8.0), (16, 8.0), (16, 15.6), (64, 8.0), (64, 15.6))
LIFE = ("round_robin", "pick:least_load", "pick:score", "pick:score+index", TOKENS)
LIFE_COPIES = 5.0
ODD = {
    "failing": (
        *("pick:score+index,cool_down=0", "pick:score+index", "pick:score+index,cool_down=5"),
        *("pick:least_load,cool_down=0", "pick:least_load"),
    ),
    "erring": tuple(f"pick:score+index,cool_down={seconds}" for seconds in (0, 1, 5, 30)),
    "newcomer": (
        *("pick:least_load", "pick:least_load,slow_start=10", "pick:least_load,slow_start=30"),
        *("pick:score+index", "pick:score+index,slow_start=10", "pick:score+index,slow_start=30"),
        *(TOKENS, "pick:least_tokens+index,uncached=1,slow_start=10"),
    ),
    "unequal": (
        *("pick:least_load", "pick:least_load,weigh=1", "pick:score+index", "pick:score+index,weigh=1"),
        *(TOKENS, "pick:least_tokens+index,uncached=1,weigh=1"),
    ),
}
"""What is asked of fleets that are odd, by scenario."""
ODD_RATES = {"unequal": 0.7}
"""Of chat, where it is not the busy one: with half of the engines at half the speed that is as busy."""
SESSIONS = (
    *("pick:least_load", "pick:least_load+session", "pick:score", "pick:score+session"),
    *("pick:score+index", "pick:score+index+session"),
)


class Extent(Struct, frozen=True):
    """How much is run.

    `seeds`: for each arm and setting.
    `each`: requests an engine, by trace.
    `large`: the same in fleets of more than 16 engines.
    """

    seeds: tuple[int, ...]
    each: dict[str, int]
    large: dict[str, int]

    def setting(self, trace: str, engines: int = 16, rate: float = 0.0, gateways: int = 8) -> Setting:
        """Return a setting; the rate is the busy one unless it is said."""
        each = (self.each if engines <= 16 else self.large)[trace]
        return Setting(trace, engines, rate or BUSY[trace], gateways, each, COPIES[trace])

    def life(self) -> Setting:
        """Return the setting that is nearest to life: five copies of the chat trace on 16 engines, nearly as slow as it
        was."""
        return Setting("chat", 16, BUSY["chat"], 8, self.each["chat"], LIFE_COPIES)

    def odd(self, scenario: str) -> Setting:
        """Return the setting of a fleet that is odd."""
        return replace(self.setting("chat", rate=ODD_RATES.get(scenario, 0.0)), scenario=scenario)

    def cases(self) -> Iterator[Case]:
        """Yield every run of every study, some of them more than once."""
        for setting, arms in self._studies():
            for arm in arms:
                for seed in self.seeds:
                    yield Case(setting, seed, arm)

    def _studies(self) -> Iterator[tuple[Setting, Sequence[str]]]:
        """Yield settings and arms, first those that say most."""
        for trace, arms in WAYS.items():
            yield self.setting(trace), arms
        for rate in POLICY_RATES:
            yield self.setting("chat", rate=rate), POLICIES
            yield self.setting("chat", rate=rate), BY_TOKENS
        for scenario, arms in ODD.items():
            yield self.odd(scenario), arms
        yield self.setting("chat"), SESSIONS
        for trace, arms in LAGGED.items():
            yield self.setting(trace), [arm + lag for arm in arms for lag in LAGS]
        for engines, rate in GAP_SETTINGS:
            yield self.setting("code", engines, rate), GAPS
        yield self.life(), LIFE
        for gateways in GATEWAYS:
            yield self.setting("code", gateways=gateways), BY_GATEWAYS
        for trace, rates in RATES.items():
            for rate in rates:
                yield self.setting(trace, rate=rate), WAYS[trace]
        for size in SIZES:
            yield self.setting("chat", size), SIZED
        yield self.setting("chat", FEW_BEST_ENGINES), [arm + lag for arm in FEW_BEST for lag in LAGS]


SHORT = Extent(seeds=(1, 2, 3, 4), each={"chat": 160, "code": 400}, large={"chat": 100, "code": 150})
FULL = Extent(seeds=tuple(range(1, 11)), each={"chat": 600, "code": 1200}, large={"chat": 400, "code": 600})
