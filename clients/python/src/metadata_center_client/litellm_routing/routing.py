# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Routing by load for LiteLLM: a node picks the engine, and LiteLLM's hooks report what becomes of the request.

LiteLLM has hooks to narrow the deployments, before an attempt is sent, and when it failed. It has none for the first
piece of a stream and none for a cancelled call. So `attach` puts a thin layer around the router's own methods, too.

Nothing here raises into a request. If no node answers within its time, LiteLLM chooses as it would alone.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from functools import wraps
from typing import Any
from weakref import WeakKeyDictionary

import litellm
from litellm.integrations.custom_logger import CustomLogger

from metadata_center_client import calls
from metadata_center_client.async_client import AsyncClient
from metadata_center_client.client import TIMEOUT_SECONDS, Client
from metadata_center_client.errors import MetadataCenterError
from metadata_center_client.litellm_routing.deployment import Engine, engine_of, estimated_tokens
from metadata_center_client.litellm_routing.flight import Flight, current_flight
from metadata_center_client.litellm_routing.stream import WatchedStream
from metadata_center_client.reporter import Reporter
from metadata_center_client.tracked import start_of

log = logging.getLogger("metadata_center_client")

Deployments = list[dict[str, Any]]
Endpoint = Callable[..., Awaitable[Any]]
# The router's methods that send prompts to engines. Others stay as they are.
ENDPOINTS = (
    "acompletion",
    "atext_completion",
    "aembedding",
    "aresponses",
    "aanthropic_messages",
    "arerank",
    "atranscription",
    "aspeech",
)
MARK = "_metadata_center_routing"


class LoadRouting(CustomLogger):  # type: ignore[misc]  # mypy runs without LiteLLM
    """Chooses among a router's deployments by the load that nodes know, and reports the router's requests to them.

    `urls`, `key`, `timeout_seconds`: the nodes, as in `Client`.
    `owner`: this gateway's name. It sends heartbeats; if it dies, its requests end soon after. None: no heartbeats.
    `cluster`: the cluster of all deployments. None: each model name is a cluster of its own.
    `prompt_length`: measures a prompt, from its messages and input. Default: a quarter of its characters.
    `reporter`: delivers what is reported, and says what waits, was dropped or refused.

    Call `attach` for a router. LiteLLM's proxy needs no call: name the object under `callbacks` in its settings.
    """

    def __init__(
        self,
        urls: Iterable[str],
        *,
        key: str | None = None,
        owner: str | None = None,
        cluster: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        prompt_length: Callable[[object, object], int] = estimated_tokens,
    ) -> None:
        super().__init__()
        self._urls = list(urls)
        self._options: dict[str, Any] = {"key": key, "timeout_seconds": timeout_seconds}
        self._cluster = cluster
        self._prompt_length = prompt_length
        self._client = Client(self._urls, **self._options)
        self.reporter = Reporter(self._client, owner=owner)
        self._picking: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncClient] = WeakKeyDictionary()
        self._attached: list[Any] = []

    def attach(self, router: Any) -> None:
        """Begin to choose and report for a router. Further calls have no effect."""
        if self not in litellm.callbacks:
            litellm.callbacks.append(self)
        for name in ENDPOINTS:
            endpoint = getattr(router, name, None)
            if callable(endpoint) and getattr(endpoint, MARK, None) is not self:
                setattr(router, name, self._reported(endpoint))
        if not any(router is each for each in self._attached):
            self._attached.append(router)

    def close(self) -> None:
        """Stop choosing. Delivers what waits, for 5 s at the most."""
        with suppress(ValueError):
            litellm.callbacks.remove(self)
        for router in self._attached:
            for name in ENDPOINTS:
                endpoint: Any = getattr(router, name, None)
                if getattr(endpoint, MARK, None) is self:
                    setattr(router, name, endpoint.__wrapped__)
        self._attached.clear()
        self.reporter.close()
        self._client.close()

    async def aclose(self) -> None:
        """Stop choosing, as `close`, from within an event loop: the connections for its picks are closed as well."""
        await asyncio.to_thread(self.close)
        client = self._picking.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.close()

    def _reported(self, endpoint: Endpoint) -> Endpoint:
        @wraps(endpoint)
        async def call(*args: Any, **named: Any) -> Any:
            flight, outer = Flight(self.reporter), current_flight.get()
            current_flight.set(flight)
            try:
                answer = await endpoint(*args, **named)
            except BaseException:  # cancelled ones, too
                flight.end()
                raise
            finally:
                current_flight.set(outer)
            if hasattr(answer, "__aiter__"):
                return WatchedStream(answer, flight)
            flight.first_token()
            flight.end()
            return answer

        setattr(call, MARK, self)
        return call

    # LiteLLM's hooks

    async def async_filter_deployments(
        self,
        model: str,
        healthy_deployments: Deployments,
        messages: list[Any] | None,
        request_kwargs: dict[str, Any] | None = None,
        parent_otel_span: object = None,
    ) -> Deployments:
        """Leave the deployments of the engine that a node picks; all of them if none could."""
        flight = current_flight.get()
        if flight is None or flight.over or not healthy_deployments:
            return healthy_deployments
        try:
            return await self._narrowed(flight, model, healthy_deployments, messages, request_kwargs or {})
        except Exception:
            log.exception("LiteLLM chooses by itself")
            return healthy_deployments

    async def async_pre_call_deployment_hook(self, kwargs: Mapping[str, Any], call_type: object) -> None:
        """Note that an attempt is sent. If LiteLLM chose its engine, the attempt is reported there."""
        flight = current_flight.get()
        if flight is None:
            return
        try:
            self._sent(flight, kwargs)
        except Exception:
            log.exception("an attempt was not reported")

    async def async_post_call_failure_deployment_hook(
        self,
        request_data: Mapping[str, Any],
        exception: Exception,
        call_type: object,
        fallback_depth: int | None = None,
    ) -> None:
        """Note that an attempt failed. LiteLLM may begin another one."""
        flight = current_flight.get()
        if flight is not None:
            flight.fail()

    async def async_pre_call_hook(
        self, user_api_key_dict: object, cache: object, data: object, call_type: object
    ) -> None:
        """Attach to the router of LiteLLM's proxy, which calls this before it routes a request."""
        router = getattr(sys.modules.get("litellm.proxy.proxy_server"), "llm_router", None)
        if router is not None:
            self.attach(router)

    async def _narrowed(
        self, flight: Flight, model: str, deployments: Deployments, messages: object, request: Mapping[str, Any]
    ) -> Deployments:
        by_engine: dict[str, Deployments] = {}
        for each in deployments:
            engine = engine_of(each.get("litellm_params") or {}, each.get("model_info") or {})
            if engine is None:
                return deployments  # some are no engines of ours: LiteLLM weighs them
            by_engine.setdefault(engine.name, []).append(each)
        attempt = flight.attempt
        if attempt is not None and not flight.was_sent and attempt.engine in by_engine:
            return by_engine[attempt.engine]  # asked twice for one attempt
        members = {
            "candidates": [name for name in by_engine if name not in flight.failed] or list(by_engine),
            "prompt_length": self._prompt_length(messages, request.get("input", request.get("prompt"))),
            **self._owner(),
        }
        attempt = flight.begin(self._cluster or model)
        attempt.asks()
        try:
            picked = await self._picker().make(calls.pick(attempt.cluster, attempt.request_id, members))
        except MetadataCenterError as error:
            log.warning("LiteLLM chooses by itself: %s", error)
            return deployments
        attempt.was_picked(picked)
        self.reporter.put(start_of(attempt, members))
        return by_engine.get(attempt.engine, deployments)

    def _sent(self, flight: Flight, kwargs: Mapping[str, Any]) -> None:
        model_info = kwargs.get("model_info") or {}
        engine: Engine | None = engine_of(kwargs, model_info)
        attempt = flight.attempt
        if attempt is not None and (
            flight.was_sent or (attempt.engine and attempt.engine != getattr(engine, "name", ""))
        ):
            flight.leave()  # a picked engine that LiteLLM did not take, or an attempt that ended unseen
            attempt = None
        if engine is not None and (attempt is None or not attempt.engine):
            cluster = self._cluster or (kwargs.get("metadata") or {}).get("model_group") or flight.cluster
            attempt = attempt or flight.begin(cluster or str(kwargs.get("model")))
            length = self._prompt_length(kwargs.get("messages"), kwargs.get("input", kwargs.get("prompt")))
            attempt.sent_to(engine.ip, port=engine.port, prompt_length=length, **self._owner())
        flight.was_sent = True

    def _owner(self) -> dict[str, str]:
        owner = self.reporter.owner
        return {} if owner is None else {"owner": owner, "incarnation": self.reporter.incarnation}

    def _picker(self) -> AsyncClient:
        """The client that picks on the running loop."""
        loop = asyncio.get_running_loop()
        found = self._picking.get(loop)
        if found is None:
            found = self._picking[loop] = AsyncClient(self._urls, **self._options)
        return found
