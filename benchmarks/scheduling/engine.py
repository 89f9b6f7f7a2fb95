# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""An inference engine with continuous batching, as vLLM schedules (V1): in every step each running request gets a
token, and what is left of the step's tokens goes to prompts, in the order of their arrival, in chunks.

A request waits until there is room for its first chunk. Where the KV cache is full the request admitted last is
preempted: it loses what it holds and comes back first, to compute its prompt and its tokens again.

Steps without prompts are simulated many at a time, up to the next end (a leap). An arrival cuts the leap at the end of
the step that it falls into. Always true: an engine with requests has a step under way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heapify, heappop, heappush

from benchmarks.scheduling.kv_pool import BLOCK, KvPool
from benchmarks.scheduling.loop import Loop
from benchmarks.scheduling.request import Request
from benchmarks.scheduling.step_times import StepTimes

Chunk = tuple[Request, int]
Told = Callable[[Request], object]


class Engine:
    """One engine.

    `load`: its requests, waiting ones included.
    `unread`: tokens of its prompts that are still to be computed, of waiting ones as if nothing were cached.
    `busy`: seconds in which a step was under way.
    `prompt_tokens`, `tokens`: computed so far, of prompts and of outputs.
    `preempted`: how often a request was.
    `leaps`: whether steps without prompts are simulated many at a time. Both ways give the same times.
    """

    def __init__(
        self,
        loop: Loop,
        times: StepTimes,
        pool: KvPool,
        on_first: Told,
        on_end: Told,
        *,
        step_tokens: int = 8192,
        step_requests: int = 1024,
        leaps: bool = True,
    ) -> None:
        self._loop = loop
        self._times = times
        self.pool = pool
        self._on_first = on_first
        self._on_end = on_end
        self._step_tokens = step_tokens
        self._step_requests = step_requests
        self._leaps = leaps
        self._waiting: deque[Request] = deque()
        self._running: dict[int, Request] = {}  # by seat, the last admitted at the end
        self._prefilling: list[Request] = []
        self._decoding: list[tuple[int, int, Request]] = []  # heap by the step that brings the last token
        self._seats = 0
        self._steps = 0
        self._context = 0  # tokens of the decoding requests
        self._stepping = False
        self._leap: tuple[float, int] | None = None  # when it began and how many steps it has, if it can be cut
        self._leap_number = 0
        self.load = 0
        self.unread = 0
        self.busy = 0.0
        self.prompt_tokens = self.tokens = self.preempted = 0

    @property
    def idle(self) -> bool:
        """Whether no step is under way."""
        return not self._stepping

    def submit(self, request: Request) -> None:
        """Take a request. Raises ValueError if it can never fit."""
        if request.prompt + request.output > self.pool.capacity:
            raise ValueError(f"request {request.number}: {request.prompt + request.output} tokens never fit")
        request.sent = self._loop.now
        self.load += 1
        self.unread += request.need
        self._waiting.append(request)
        if not self._stepping:
            self._next()
        elif self._leap is not None:
            self._cut()

    def _next(self) -> None:
        """Begin a step, or a leap; stop if there is nothing to do."""
        pool, before = self.pool, self.preempted
        self._make_room(0)
        chunks, tokens, products = self._continue()
        if self.preempted == before:
            tokens, products = self._admit(chunks, tokens, products)
        decodes = len(self._decoding)
        self._leap = None
        if chunks:
            duration = self._times.mixed(decodes + tokens, products, decodes, self._context)
            self._loop.after(duration, self._end_step, chunks)
        elif decodes:
            steps = min(self._decoding[0][0] - self._steps, (pool.capacity - pool.used) // decodes)
            if self._waiting:  # it may fit once a block that it shares was forgotten
                steps = min(steps, max(1, pool.unused // decodes))
            if not self._leaps or self.preempted > before:  # then the next step admits again
                steps = 1
            duration = self._times.leap(steps, decodes, self._context)
            if not self._waiting and len(self._running) < self._step_requests:
                self._leap = self._loop.now, steps
            self._leap_number += 1
            self._loop.after(duration, self._land, self._leap_number, steps)
        else:
            assert not self._waiting
            self._stepping = False
            return
        self._stepping = True
        self.busy += duration

    def _make_room(self, tokens: int, spare: Request | None = None) -> None:
        """Preempt the last admitted until `tokens` fit beside a token for each decode, or `spare` is preempted."""
        pool = self.pool
        while pool.used + tokens + len(self._decoding) > pool.capacity:
            last = next(reversed(self._running.values()))
            self._preempt(last)
            if last is spare:
                break

    def _continue(self) -> tuple[list[Chunk], int, float]:
        """Give tokens of the step to the prompts that have begun. Returns the chunks and what `mixed` wants."""
        chunks: list[Chunk] = []
        tokens, products = 0, 0.0
        for request in self._prefilling.copy():
            take = min(self._step_tokens - len(self._decoding) - tokens, request.need - request.computed)
            if take <= 0 or request.seat not in self._running:
                break
            self._make_room(take, request)
            if request.seat not in self._running:
                break
            products += self._chunk(chunks, request, take)
            tokens += take
        return chunks, tokens, products

    def _admit(self, chunks: list[Chunk], tokens: int, products: float) -> tuple[int, float]:
        """Give what is left of the step to waiting requests, as far as they fit."""
        pool, waiting, decodes = self.pool, self._waiting, len(self._decoding)
        left = self._step_tokens - decodes - tokens
        while waiting and left > 0 and len(self._running) < self._step_requests:
            request = waiting[0]
            found, resting = pool.match(request.blocks, (request.need - 1) // BLOCK)
            take = min(left, request.need - found * BLOCK)
            if pool.used + resting * BLOCK + take + decodes > pool.capacity:
                break
            waiting.popleft()
            request.held = list(request.blocks[:found])
            pool.hold(request.held)
            request.computed = found * BLOCK
            self.unread -= request.computed
            if request.cached < 0:
                request.cached = request.computed
            self._seats += 1
            request.seat = self._seats
            self._running[request.seat] = request
            self._prefilling.append(request)
            products += self._chunk(chunks, request, take)
            tokens += take
            left -= take
        return tokens, products

    def _chunk(self, chunks: list[Chunk], request: Request, take: int) -> float:
        """Add a chunk to the step. Returns its tokens times the mean of the tokens before each."""
        chunks.append((request, take))
        self.pool.used += take
        request.private += take
        self.pool.settle()
        return take * (request.computed + take / 2)

    def _cut(self) -> None:
        """End the leap with the step that is under way."""
        assert self._leap is not None
        began, steps = self._leap
        decodes = len(self._decoding)
        done = self._times.steps_until(self._loop.now - began, decodes, self._context)
        self._leap = None
        if done < steps:
            self._leap_number += 1
            before, duration = (self._times.leap(each, decodes, self._context) for each in (steps, done))
            self.busy += duration - before
            self._loop.at(max(began + duration, self._loop.now), self._land, self._leap_number, done)

    def _land(self, number: int, steps: int) -> None:
        """End a leap."""
        if number == self._leap_number:
            self._decode(steps)
            self._next()

    def _end_step(self, chunks: list[Chunk]) -> None:
        self._decode(1)
        for request, take in chunks:
            fresh = self.pool.publish(request.blocks[request.computed // BLOCK : (request.computed + take) // BLOCK])
            request.held += fresh
            request.private -= BLOCK * len(fresh)
            request.computed += take
            self.prompt_tokens += take
            self.unread -= take
            if request.computed == request.need:
                self._prefilling.remove(request)
                self._read(request)
        self._next()

    def _decode(self, steps: int) -> None:
        """Count the tokens of some steps, and end the requests that have all of theirs."""
        decoding = self._decoding
        grown = steps * len(decoding)
        self._steps += steps
        self._context += grown
        self.tokens += grown
        self.pool.used += grown
        while decoding and decoding[0][0] <= self._steps:
            _, _, request = heappop(decoding)
            self._context -= request.need + request.output - request.generated
            request.private += request.output - request.generated
            request.generated = request.output
            self._finish(request)
        self.pool.settle()

    def _read(self, request: Request) -> None:
        """A prompt is computed, and with it the request's next token."""
        request.generated += 1
        self.tokens += 1
        if request.first < 0:
            request.first = self._loop.now
            self._on_first(request)
        if request.generated == request.output:
            self._finish(request)
            return
        request.joined = self._steps
        request.need += 1  # the new token is computed in the next step
        self._context += request.need
        heappush(self._decoding, (self._steps + request.output - request.generated, request.seat, request))

    def _finish(self, request: Request) -> None:
        del self._running[request.seat]
        self._let_go(request)
        request.end = self._loop.now
        self.load -= 1
        self._on_end(request)

    def _preempt(self, request: Request) -> None:
        """Take a request's cache away and let it wait at the head of the queue."""
        del self._running[request.seat]
        if request in self._prefilling:
            self._prefilling.remove(request)
            self.unread += request.computed
        else:
            self._decoding = [each for each in self._decoding if each[2] is not request]
            heapify(self._decoding)
            made = self._steps - request.joined
            self._context -= request.need + made
            request.private += made
            request.generated += made
            request.need += made
            self.unread += request.need
        self._let_go(request)
        request.computed = 0
        self.preempted += 1
        self._waiting.appendleft(request)

    def _let_go(self, request: Request) -> None:
        self.pool.release(request.held, request.private)
        request.held, request.private = [], 0
