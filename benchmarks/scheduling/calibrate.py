# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Derive the numbers of `profiles.py` again: `python -m benchmarks.scheduling.calibrate`, in a venv of its own.

Needs `aiconfigurator-core` (NVIDIA, Apache-2.0), which is no requirement of the project: it takes 600 MB. It ships
operator latencies measured on real GPUs, and adds them up to the time of one step of an engine. This samples such step
times and fits the form that `StepTimes` computes. It prints the profiles, and how far off the fit is.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

BACKEND = "vllm"
VERSION = "0.24.0"
SYSTEM = "h100_sxm"
MODELS = (
    ("LLAMA_8B", "meta-llama/Meta-Llama-3.1-8B", 1),
    ("LLAMA_70B_TP4", "nvidia/Llama-3.1-70B-Instruct-FP8", 4),
    ("LLAMA_70B_TP2", "nvidia/Llama-3.1-70B-Instruct-FP8", 2),
)
TOKENS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192)
CHUNKS = (256, 1024, 2048, 4096, 8192)
BEFORE = (0, 2048, 8192, 32_768, 65_536)
BATCHES = (1, 4, 8, 16, 32, 64, 128, 256)
CONTEXTS = (128, 512, 2048, 8192, 32_768)


class Sample(NamedTuple):
    """The attention of one step.

    `tokens`: how many tokens the step computes.
    `terms`: what its time is made of.
    """

    tokens: int
    terms: tuple[float, ...]
    attention_ms: float


def main() -> None:
    """Print a profile for each model."""
    logging.disable(logging.CRITICAL)
    from aiconfigurator_core.sdk import (  # type: ignore[import-not-found] # noqa: PLC0415 # in a venv of its own
        EngineHandle,
        estimate_kv_cache,
    )

    for name, model, gpus in MODELS:
        engine = EngineHandle.compile(model, SYSTEM, BACKEND, backend_version=VERSION, tp_size=gpus)
        cache = estimate_kv_cache(
            model,
            SYSTEM,
            BACKEND,
            VERSION,
            max_num_tokens=8192,
            max_batch_size=256,
            memory_fraction_kind="of_total",
            memory_fraction_value=0.9,
            tp_size=gpus,
        )
        dense = [engine.mixed_step_breakdown(n, 0, n, 2, 0)[1] for n in TOKENS]
        prefill = _fit(list(_prefills(engine)))
        decode = _fit(list(_decodes(engine)))
        print(f"{name} = Profile(\n    model={model!r},\n    gpus={gpus},")
        print(f"    kv_tokens={cache['total_kv_size_tokens']},")
        print(f"    dense_ms={tuple(round(each, 3) for each in dense)},")
        print(f"    prefill_ms=({prefill[0]:.4g}, {prefill[1]:.4g}),")
        print(f"    decode_ms=({decode[0]:.4g}, {decode[1]:.4g}, {decode[2]:.4g}),\n)")
        errors = sorted(
            [_error(each, dense, prefill) for each in _prefills(engine)]
            + [_error(each, dense, decode) for each in _decodes(engine)]
        )
        print(f"# off by {np.median(errors):.1%} at the median, {errors[int(0.9 * len(errors))]:.1%} at p90")


def _prefills(engine: Any) -> Iterator[Sample]:
    """Yield chunks of a prompt, by how much of it came before."""
    for chunk in CHUNKS:
        rest = engine.mixed_step_breakdown(chunk, 0, chunk, 2, 0)[1]
        for before in BEFORE:
            attention = engine.predict_prefill_latency(1, chunk + before, before) - rest
            yield Sample(chunk, (1.0, chunk * (before + chunk / 2)), attention)


def _decodes(engine: Any) -> Iterator[Sample]:
    """Yield decode steps, by batch and context."""
    for batch in BATCHES:
        for context in CONTEXTS:
            operators = engine.decode_step_per_op(batch, context, 2)
            attention = sum(ms for name, ms, *_ in operators if name == "generation_attention")
            yield Sample(batch, (1.0, float(batch * context), float(batch)), attention)


def _fit(samples: list[Sample]) -> list[float]:
    """Return the coefficients of least relative error, none below 0."""
    terms = np.array([each.terms for each in samples])
    values = np.array([each.attention_ms for each in samples])
    kept = list(range(terms.shape[1]))
    while True:
        found, *_ = np.linalg.lstsq(terms[:, kept] / values[:, None], np.ones(len(values)), rcond=None)
        if (found >= 0).all():
            break
        del kept[int(found.argmin())]
    coefficients = [0.0] * terms.shape[1]
    for place, value in zip(kept, found, strict=True):
        coefficients[place] = float(value)
    return coefficients


def _error(sample: Sample, dense: list[float], coefficients: list[float]) -> float:
    """Return how far off the fit is, as a share of the whole step."""
    fitted = sum(a * b for a, b in zip(coefficients, sample.terms, strict=True))
    whole = float(np.interp(sample.tokens, TOKENS, dense)) + sample.attention_ms
    return abs(fitted - sample.attention_ms) / whole


if __name__ == "__main__":
    main()
