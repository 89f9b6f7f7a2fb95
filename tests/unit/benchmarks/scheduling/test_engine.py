# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The engine of the scheduling benchmark conserves work, and its shortcuts change nothing."""

from __future__ import annotations

from random import Random

import pytest

from benchmarks.scheduling.engine import Engine
from benchmarks.scheduling.kv_pool import BLOCK, KvPool
from benchmarks.scheduling.loop import Loop
from benchmarks.scheduling.profiles import LLAMA_8B, LLAMA_70B_TP2, LLAMA_70B_TP4
from benchmarks.scheduling.request import Request
from benchmarks.scheduling.step_times import StepTimes
from tests.unit.benchmarks.scheduling.lone_engine import serve

TIMES = StepTimes.of(LLAMA_8B)


def crowd(seed: int, count: int = 400, rate: float = 4.0, longest: int = 20_000) -> list[Request]:
    """Return requests of all kinds, some of which begin alike."""
    random = Random(seed)
    found, now = [], 0.0
    for number in range(count):
        now += random.expovariate(rate)
        prompt = random.randint(1, longest)
        stem = random.randrange(8)
        own = 1000 * (number + 1)
        blocks = tuple(stem * 100 + n if n < 10 else own + n for n in range(prompt // BLOCK))
        found.append(Request(number, now, prompt, random.randint(1, 600), blocks))
    return found


@pytest.mark.parametrize("capacity", [10**9, 60_000, 25_000])
def test_every_token_is_computed_once_and_every_block_is_freed(capacity: int) -> None:
    requests = crowd(1)
    engine = serve(requests, TIMES, capacity=capacity)
    assert all(each.arrival <= each.sent < each.first <= each.end for each in requests)
    assert engine.load == engine.unread == 0
    assert engine.pool.used == 0
    assert not engine.pool.refs
    assert BLOCK * len(engine.pool.idle) <= capacity
    assert engine.tokens == sum(each.output for each in requests)
    if not engine.preempted:
        assert engine.prompt_tokens == sum(each.prompt - each.cached for each in requests)
    assert (engine.preempted > 0) == (capacity < 10**9)


@pytest.mark.parametrize("capacity", [10**9, 60_000, 25_000])
@pytest.mark.parametrize("profile", [LLAMA_8B, LLAMA_70B_TP2, LLAMA_70B_TP4])
def test_leaps_give_the_same_times_as_single_steps(capacity: int, profile: object) -> None:
    times = StepTimes.of(profile)  # type: ignore[arg-type]
    leaping, stepping = crowd(2, 200), crowd(2, 200)
    one = serve(leaping, times, capacity=capacity)
    other = serve(stepping, times, capacity=capacity, leaps=False)
    assert [each.first for each in leaping] == pytest.approx([each.first for each in stepping], abs=1e-6)
    assert [each.end for each in leaping] == pytest.approx([each.end for each in stepping], abs=1e-6)
    assert one.busy == pytest.approx(other.busy)
    assert one.preempted == other.preempted


def test_it_is_never_idle_with_requests_and_never_over_its_memory() -> None:
    loop = Loop()
    engine = Engine(loop, TIMES, KvPool(30_000), lambda request: None, lambda request: None)

    def look(request: Request) -> None:
        engine.submit(request)
        assert not engine.idle
        assert engine.pool.used + BLOCK * len(engine.pool.idle) <= 30_000

    for request in crowd(5, longest=15_000):
        loop.at(request.arrival, look, request)
    loop.run()
    assert engine.idle
    assert engine.load == 0


def test_a_lone_request_takes_its_chunks_and_its_steps() -> None:
    request = Request(0, 0.0, 10_000, 3)
    serve([request], TIMES)
    first = TIMES.mixed(8192, 8192 * 4096, 0, 0)
    second = TIMES.mixed(1808, 1808 * (8192 + 904), 0, 0)
    assert request.first == pytest.approx(first + second)
    assert request.end == pytest.approx(request.first + TIMES.leap(2, 1, 10_001))


def test_decodes_go_on_beside_prompts_and_are_slowed_by_them() -> None:
    early, late = Request(0, 0.0, 100, 50), Request(1, 0.05, 8000, 1)
    serve([early, late], TIMES)
    alone = Request(0, 0.0, 100, 50)
    serve([alone], TIMES)
    assert early.end - alone.end == pytest.approx(late.end - late.arrival, abs=0.02)


def test_what_a_prompt_shares_with_an_earlier_one_is_not_computed_again() -> None:
    blocks = tuple(range(20))
    one = Request(0, 0.0, 20 * BLOCK + 5, 2, blocks)
    two = Request(1, 10.0, 20 * BLOCK + 5, 2, blocks)
    three = Request(2, 20.0, 20 * BLOCK, 2, blocks)  # of a whole prompt in the cache one block is computed all the same
    four = Request(3, 30.0, 12 * BLOCK, 2, (*blocks[:5], *range(100, 107)))
    serve([one, two, three, four], TIMES)
    assert [each.cached for each in (one, two, three, four)] == [0, 20 * BLOCK, 19 * BLOCK, 5 * BLOCK]
    assert two.first - two.arrival < (one.first - one.arrival) / 5


def test_the_least_recently_used_prompt_is_forgotten_first_and_its_end_before_its_beginning() -> None:
    pool = KvPool(10 * BLOCK)
    for blocks in ((1, 2, 3, 4), (5, 6, 7, 8)):
        pool.used += BLOCK * len(blocks)
        pool.release(pool.publish(blocks), 0)
    pool.used += 3 * BLOCK
    pool.settle()
    assert pool.match((1, 2, 3, 4), 9) == (3, 3)
    assert pool.match((5, 6, 7, 8), 9) == (4, 4)
    pool.hold((1,))
    assert pool.match((1, 2), 9) == (2, 1)
    assert pool.used == 4 * BLOCK


def test_where_memory_is_short_the_last_one_in_gives_way_and_ends_all_the_same() -> None:
    first, second = Request(0, 0.0, 4000, 3000), Request(1, 0.1, 4000, 3000)
    engine = serve([first, second], TIMES, capacity=10_000)
    assert engine.preempted == 1
    assert first.end < second.end
    assert engine.tokens == 6000


def test_a_request_that_can_never_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="never fit"):
        serve([Request(0, 0.0, 900, 200)], TIMES, capacity=1000)


def test_a_step_costs_what_the_measured_operators_say() -> None:
    """Sampled from aiconfigurator-core 0.12.0: a prompt of 8,192 tokens, and 64 decodes over 8,192 tokens each."""
    assert TIMES.mixed(8192, 8192 * 4096, 0, 0) == pytest.approx(0.1997, rel=0.03)
    assert TIMES.leap(1, 64, 64 * 8192) == pytest.approx(0.0286, rel=0.06)
    assert StepTimes.of(LLAMA_70B_TP4).mixed(8192, 8192 * 4096, 0, 0) == pytest.approx(0.3945, rel=0.03)


@pytest.mark.parametrize("requests", [1, 40])
def test_how_many_steps_fit_into_a_time_is_the_inverse_of_their_time(requests: int) -> None:
    for steps in (1, 2, 17, 400):
        end = TIMES.leap(steps, requests, 50_000)
        assert TIMES.steps_until(end, requests, 50_000) == steps
        assert TIMES.steps_until(end + 1e-5, requests, 50_000) == steps + 1
