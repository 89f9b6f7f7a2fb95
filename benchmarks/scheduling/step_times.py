# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How long the steps of an engine take, in seconds. Immutable."""

from __future__ import annotations

from math import ceil, sqrt

import numpy as np

from benchmarks.scheduling.profiles import TOKENS, Profile


class StepTimes:
    """The parts of a step's time.

    `dense`: everything but attention, by the number of tokens.
    `chunks`: attention of prompts: a constant, and per token times the mean of the tokens before it.
    `decodes`: attention of decodes: a constant, per token of context, and per request.
    """

    __slots__ = ("chunk_base", "chunk_each", "context_each", "decode_base", "decode_each", "dense")

    def __init__(
        self, dense: list[float], chunks: tuple[float, float] = (0.0, 0.0), decodes: tuple[float, ...] = (0.0, 0.0, 0.0)
    ) -> None:
        self.dense = dense
        self.chunk_base, self.chunk_each = chunks
        self.decode_base, self.context_each, self.decode_each = decodes

    @classmethod
    def of(cls, profile: Profile) -> StepTimes:
        """Return the times of a profile. Between its samples they are interpolated."""
        dense = np.interp(np.arange(profile.step_tokens + 1), TOKENS, profile.dense_ms) / 1e3
        prefill, decode = profile.prefill_ms, profile.decode_ms
        return cls(
            dense.tolist(), (prefill[0] / 1e3, prefill[1] / 1e3), (decode[0] / 1e3, decode[1] / 1e3, decode[2] / 1e3)
        )

    def slowed(self, times: float) -> StepTimes:
        """Return the times of an engine that takes so many times as long."""
        chunks = times * self.chunk_base, times * self.chunk_each
        decodes = times * self.decode_base, times * self.context_each, times * self.decode_each
        return StepTimes([times * each for each in self.dense], chunks, decodes)

    def mixed(self, tokens: int, products: float, requests: int, context: int) -> float:
        """Return the time of one step with prompts.

        `tokens`: all tokens of the step.
        `products`: for each chunk, its tokens times the mean of the tokens before each of them, summed.
        `requests`, `context`: the decodes and the tokens that they have.
        """
        time = self.dense[tokens] + self.chunk_base + self.chunk_each * products
        if requests:
            time += self.decode_base + self.context_each * context + self.decode_each * requests
        return time

    def leap(self, steps: int, requests: int, context: int) -> float:
        """Return the time of so many decode steps in a row. The context grows by one token a request and step."""
        first, growth = self._decode(requests, context)
        return steps * first + growth * (steps * (steps - 1) // 2)

    def steps_until(self, seconds: float, requests: int, context: int) -> int:
        """Return how many decode steps have begun and must end, when so many seconds have passed: at least 1."""
        first, growth = self._decode(requests, context)
        if growth * seconds < 1e-9 * first * first:
            steps = ceil(seconds / first - 1e-9)
        else:
            linear = first - growth / 2
            steps = ceil((sqrt(linear * linear + 2 * growth * seconds) - linear) / growth - 1e-9)
        return max(1, steps)

    def _decode(self, requests: int, context: int) -> tuple[float, float]:
        """Return the time of the next decode step, and by how much each later one is longer."""
        first = self.dense[requests] + self.decode_base + self.context_each * context + self.decode_each * requests
        return first, self.context_each * requests
