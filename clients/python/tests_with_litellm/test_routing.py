# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""LiteLLM's router against a real node.

The load rises at a request's start, its prefill ends at the first token, and at its end nothing is left.
"""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import uuid4

import litellm
import pytest
from fake_engines import FakeEngine, running_engines
from metadata_center_client import AsyncClient, CallRefused, NoNodeAnswered
from metadata_center_client.calls import Call
from metadata_center_client.litellm_routing import LoadRouting

URLS = os.environ["NODE_URLS"].split(",")
NOBODY = ["http://127.0.0.1:1"]
SECONDS = 60.0
MESSAGES = [{"role": "user", "content": "x" * 40}]
PROMPT = 10  # a quarter of its characters


class World:
    """A router with fake engines behind it, and what the node knows of them.

    `model`: the model's name, which is the cluster's as well: each test has its own.
    """

    def __init__(self, engines: list[FakeEngine], model: str, client: AsyncClient, routing: LoadRouting) -> None:
        self.engines, self.model, self.routing = engines, model, routing
        self.router: Any = None
        self.client = client

    def deployments(self, *engines: FakeEngine, model: str = "") -> list[dict[str, Any]]:
        """LiteLLM's list of models, for some of the engines."""
        return [
            {
                "model_name": model or self.model,
                "litellm_params": {
                    "model": "openai/fake", "api_key": "none", "api_base": f"http://127.0.0.1:{engine.port}/v1"
                },
            }
            for engine in engines
        ]  # fmt: skip

    async def load(self, cluster: str = "") -> tuple[int, int, int]:
        """Requests, those before their first token, and the length of their prompts."""
        try:
            rows = await self.client.load(cluster or self.model)
        except CallRefused:
            return 0, 0, 0
        return (
            sum(row.queued_req_num for row in rows),
            sum(row.prefill_req_num for row in rows),
            sum(row.prompt_length for row in rows),
        )

    async def by_port(self) -> dict[int | None, int]:
        """Requests by the engine's port."""
        return {row.port: row.queued_req_num for row in await self.client.load(self.model)}

    async def until(self, requests: int, prefills: int, cluster: str = "") -> None:
        """Wait until the node counts so many requests and prefills."""
        wanted = (requests, prefills, prefills * PROMPT)
        found: object = None
        with suppress(TimeoutError):
            async with asyncio.timeout(SECONDS):
                while (found := await self.load(cluster)) != wanted:
                    await asyncio.sleep(0.01)  # between two looks, not in place of one
        assert found == wanted

    async def ends(self, *more: str) -> None:
        """Wait until nothing is reported as in flight, and nothing waits or was refused."""
        for cluster in (self.model, *more):
            await self.until(0, 0, cluster)
        assert (self.routing.reporter.outbox.refused, self.routing.reporter.outbox.dropped) == (0, 0)

    def let(self, *, begin: bool = False, end: bool = False) -> None:
        """Let the engines begin, and end, their answers."""
        for engine in self.engines:
            if begin:
                engine.may_begin.set()
            if end:
                engine.may_end.set()

    async def ask(self, **more: Any) -> Any:
        return await self.router.acompletion(self.model, MESSAGES, **more)


@asynccontextmanager
async def world(count: int = 3, urls: list[str] = URLS, **options: Any) -> AsyncIterator[World]:
    """A world whose router has all engines behind one model. `options`: the router's."""
    async with running_engines(count) as engines, AsyncClient(URLS, timeout_seconds=SECONDS) as client:
        routing = LoadRouting(urls, owner="litellm-test", timeout_seconds=SECONDS if urls is URLS else 0.1)
        here = World(engines, f"m-{uuid4().hex}", client, routing)
        here.router = litellm.Router(
            model_list=options.pop("model_list", here.deployments)(*engines),
            **{"num_retries": 0, "disable_cooldowns": True, **options},
        )
        routing.attach(here.router)
        try:
            yield here
        finally:
            await routing.aclose()


def test_an_answer_in_one_piece_counts_from_its_start_to_its_end() -> None:
    async def run() -> None:
        async with world() as here:
            asked = asyncio.create_task(here.ask())
            await here.until(1, 1)
            here.let(begin=True)
            assert (await asked).choices[0].message.content == "0 1 2"
            await here.ends()

    asyncio.run(run())


def test_a_stream_is_prefill_until_its_first_piece_and_counts_until_its_last() -> None:
    async def run() -> None:
        async with world() as here:
            asked = asyncio.create_task(here.ask(stream=True))
            await here.until(1, 1)
            here.let(begin=True)
            stream = await asked
            assert isinstance(stream, litellm.CustomStreamWrapper)
            pieces = [await anext(stream)]
            await here.until(1, 0)
            here.let(end=True)
            pieces += [piece async for piece in stream]
            assert "".join(piece.choices[0].delta.content or "" for piece in pieces) == "012"
            await here.ends()

    asyncio.run(run())


def test_requests_at_once_go_to_different_engines() -> None:
    async def run() -> None:
        async with world(4) as here:
            asked = []
            for number in range(1, 9):
                asked.append(asyncio.create_task(here.ask(stream=bool(number % 2))))
                await here.until(number, number)
            assert sorted((await here.by_port()).values()) == [2, 2, 2, 2]
            here.let(begin=True, end=True)
            for answer in await asyncio.gather(*asked):
                if hasattr(answer, "__aiter__"):
                    assert [piece async for piece in answer]
            await here.ends()

    asyncio.run(run())


@pytest.mark.parametrize("stream", [False, True])
def test_a_cancelled_request_ends(stream: bool) -> None:
    async def run() -> None:
        async with world() as here:
            asked = asyncio.create_task(here.ask(stream=stream))
            await here.until(1, 1)
            asked.cancel()
            with suppress(asyncio.CancelledError):
                await asked
            assert asked.cancelled()
            await here.ends()

    asyncio.run(run())


def test_a_request_that_is_cancelled_by_a_time_limit_within_its_task_ends() -> None:
    async def run() -> None:
        async with world() as here:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await here.ask()
            await here.ends()

    asyncio.run(run())


def _close(stream: Any) -> Coroutine[Any, Any, None]:
    return stream.aclose()  # type: ignore[no-any-return]


async def _cancel(stream: Any) -> None:
    reading = asyncio.create_task(_read_all(stream))
    await asyncio.sleep(0)
    reading.cancel()
    with suppress(asyncio.CancelledError):
        await reading


async def _read_all(stream: Any) -> None:
    async for _ in stream:
        pass


async def _forget(stream: Any) -> None:
    """The caller drops it below."""


@pytest.mark.parametrize("leave", [_close, _cancel, _forget])
def test_a_stream_that_is_left_before_its_end_ends(leave: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        async with world() as here:
            here.let(begin=True)
            stream = await here.ask(stream=True)
            await anext(stream)
            await here.until(1, 0)
            await leave(stream)
            del stream
            gc.collect()
            await here.ends()

    asyncio.run(run())


def test_a_failed_request_ends_and_its_error_is_litellms() -> None:
    async def run() -> None:
        async with world() as here:
            for engine in here.engines:
                engine.status = 500
            with pytest.raises(litellm.InternalServerError, match="made to fail"):
                await here.ask()
            await here.ends()

    asyncio.run(run())


def test_a_retry_goes_to_another_engine_and_the_failed_attempt_does_not_count() -> None:
    async def run() -> None:
        async with world(num_retries=2) as here:
            here.engines[0].status = here.engines[1].status = 500
            asked = asyncio.create_task(here.ask())
            served = here.engines[2]
            async with asyncio.timeout(SECONDS):
                while not served.open:
                    await asyncio.sleep(0.01)  # between two looks, not in place of one
            await here.until(1, 1)
            assert {port for port, requests in (await here.by_port()).items() if requests} == {served.port}
            here.let(begin=True)
            await asked
            assert max(engine.served for engine in here.engines) == 1
            await here.ends()

    asyncio.run(run())


def test_a_fallback_to_another_model_counts_in_its_cluster_and_no_longer_in_the_first() -> None:
    async def run() -> None:
        other = f"other-{uuid4().hex}"

        async with running_engines(1) as (engine,), world(1) as here:
            here.engines[0].status = 500
            router = litellm.Router(
                model_list=[*here.deployments(here.engines[0]), *here.deployments(engine, model=other)],
                fallbacks=[{here.model: [other]}],
                num_retries=0,
            )
            here.routing.attach(router)
            asked = asyncio.create_task(router.acompletion(here.model, MESSAGES, stream=True))
            await here.until(1, 1, other)
            await here.until(0, 0)
            engine.may_begin.set()
            engine.may_end.set()
            assert [piece async for piece in await asked]
            await here.ends(other)

    asyncio.run(run())


def test_a_stream_that_breaks_ends() -> None:
    async def run() -> None:
        async with world() as here:
            for engine in here.engines:
                engine.breaks = True
            here.let(begin=True)
            stream = await here.ask(stream=True)
            with suppress(Exception):  # what LiteLLM makes of it is its own affair
                await _read_all(stream)
            await here.ends()

    asyncio.run(run())


def test_without_a_node_litellm_chooses_and_requests_are_served() -> None:
    async def run() -> None:
        async with world(urls=NOBODY) as here:
            here.let(begin=True, end=True)
            for _ in range(3):
                assert (await here.ask()).choices[0].message.content == "0 1 2"
            assert [piece async for piece in await here.ask(stream=True)]
            assert sum(engine.served for engine in here.engines) == 4
            assert len(here.routing.reporter.outbox)  # what the nodes will be told
            here.routing.reporter.close(0)

    asyncio.run(run())


class LostAnswer:
    """Picks as told, and then loses the answer: `kind` "slow" never gives it, "failed" says that no node answered."""

    def __init__(self, client: AsyncClient, kind: str) -> None:
        self._client, self._kind = client, kind

    async def make(self, call: Call[Any]) -> Any:
        await self._client.make(call)
        if self._kind == "failed":
            raise NoNodeAnswered({})
        await asyncio.Event().wait()


def test_a_pick_that_is_cancelled_does_not_count_though_the_node_took_it() -> None:
    async def run() -> None:
        async with world() as here:
            here.routing._picker = lambda: LostAnswer(here.client, "slow")
            asked = asyncio.create_task(here.ask())
            await here.until(1, 1)
            asked.cancel()
            with suppress(asyncio.CancelledError):
                await asked
            await here.ends()

    asyncio.run(run())


def test_a_pick_whose_answer_was_lost_ends_with_its_request() -> None:
    async def run() -> None:
        async with world() as here:
            here.routing._picker = lambda: LostAnswer(here.client, "failed")
            asked = asyncio.create_task(here.ask())
            await here.until(1, 1)
            here.let(begin=True)
            assert (await asked).choices[0].message.content == "0 1 2"
            await here.ends()

    asyncio.run(run())


def test_what_litellm_chooses_is_reported_where_some_deployments_are_no_engines() -> None:
    async def run() -> None:
        async with world(1) as here:
            (engine,) = here.engines
            named = here.deployments(engine)
            named[0]["litellm_params"]["api_base"] = f"http://localhost:{engine.port}/v1"
            named[0]["model_info"] = {"engine": f"127.0.0.1:{engine.port}"}
            outside = here.deployments(engine)
            outside[0]["litellm_params"]["api_base"] = f"http://localhost:{engine.port}/v1"
            outside[0]["litellm_params"]["weight"] = 0
            named[0]["litellm_params"]["weight"] = 1
            router = litellm.Router(model_list=[*named, *outside], num_retries=0)
            here.routing.attach(router)
            asked = asyncio.create_task(router.acompletion(here.model, MESSAGES))
            await here.until(1, 1)
            here.let(begin=True)
            await asked
            await here.ends()

    asyncio.run(run())


@pytest.mark.parametrize("stream", [False, True])
def test_text_completions_count(stream: bool) -> None:
    async def run() -> None:
        async with world() as here:
            asked = asyncio.create_task(here.router.atext_completion(here.model, "x" * 40, stream=stream))
            await here.until(1, 1)
            here.let(begin=True, end=True)
            answer = await asked
            if stream:
                assert [piece async for piece in answer]
            await here.ends()

    asyncio.run(run())


def test_embeddings_count() -> None:
    async def run() -> None:
        async with world() as here:
            asked = asyncio.create_task(here.router.aembedding(here.model, ["x" * 20, "x" * 20]))
            await here.until(1, 1)
            here.let(begin=True)
            assert len((await asked).data) == 1
            await here.ends()

    asyncio.run(run())


def test_a_closed_routing_leaves_the_router_as_it_was() -> None:
    async def run() -> None:
        async with world() as here:
            here.let(begin=True)
            await here.routing.aclose()
            assert here.routing not in litellm.callbacks
            assert (await here.ask()).choices[0].message.content == "0 1 2"
            assert await here.load() == (0, 0, 0)

    asyncio.run(run())


def test_a_storm_of_requests_that_end_in_all_ways_leaves_nothing() -> None:
    async def one(here: World, number: int) -> None:
        kind = number % 5
        asked = asyncio.create_task(here.ask(stream=kind >= 2))
        if kind == 0:
            await asyncio.sleep(number / 300)  # cut at any moment
            asked.cancel()
        with suppress(asyncio.CancelledError, litellm.InternalServerError):
            answer = await asked
            if kind == 3:
                await anext(answer)
                await answer.aclose()
            elif kind == 4:
                await _read_all(answer)

    async def run() -> None:
        async with world(num_retries=1) as here:
            here.engines[0].status = 500
            here.let(begin=True, end=True)
            await asyncio.gather(*(one(here, number) for number in range(60)))
            gc.collect()
            await here.ends()

    asyncio.run(run())
