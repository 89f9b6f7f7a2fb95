# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What models on real hardware take for one step. Immutable.

Source: the operator latencies that `aiconfigurator-core` 0.12.0 ships (NVIDIA, Apache-2.0), measured on H100 SXM with
vLLM 0.24.0. `calibrate.py` samples step times from it and fits these numbers. The attention's fit is off by 1 % of a
step at the median and by 2 to 4 % at p90, over chunks of 256 to 8,192 tokens after 0 to 65,536, and batches of 1 to 256
with contexts of 128 to 32,768.

Left out: what an engine's own process takes between steps, which asynchronous scheduling hides for the most part.
"""

from __future__ import annotations

from msgspec import Struct

TOKENS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192)
"""The tokens of a step at which `dense_ms` was sampled."""


class Profile(Struct, frozen=True):
    """One model on one kind of machine.

    `model`: its name.
    `gpus`: how many GPUs one engine has.
    `kv_tokens`: how many tokens its KV cache holds with 90 % of the memory in use, as vLLM's default is.
    `dense_ms`: everything but attention, by the tokens of a step.
    `prefill_ms`: attention of a step's chunks: a constant, and per token times the mean of the tokens before it.
    `decode_ms`: attention of a step's decodes: a constant, per token of context, and per request.
    `step_tokens`: the most tokens in one step. vLLM's default for a server on an H100.
    `step_requests`: the most requests in one step, as above.
    """

    model: str
    gpus: int
    kv_tokens: int
    dense_ms: tuple[float, ...]
    prefill_ms: tuple[float, float]
    decode_ms: tuple[float, float, float]
    step_tokens: int = 8192
    step_requests: int = 1024


LLAMA_8B = Profile(
    model="meta-llama/Meta-Llama-3.1-8B",
    gpus=1,
    kv_tokens=432_992,
    dense_ms=(
        *(5.746, 5.95, 6.095, 6.001, 6.353, 6.369, 6.516, 6.701, 7.745, 9.537),
        *(10.893, 15.328, 20.55, 29.806, 40.237, 60.102, 81.185, 126.576, 170.106),
    ),
    prefill_ms=(0.9148, 8.125e-07),
    decode_ms=(0.3376, 4.294e-05, 0.00341),
)
LLAMA_70B_TP4 = Profile(
    model="nvidia/Llama-3.1-70B-Instruct-FP8",
    gpus=4,
    kv_tokens=1_325_824,
    dense_ms=(
        *(9.343, 8.819, 9.215, 9.075, 9.385, 10.714, 11.0, 13.051, 17.487, 28.238),
        *(27.153, 39.536, 52.46, 78.385, 102.976, 150.88, 197.279, 289.972, 353.887),
    ),
    prefill_ms=(2.157, 1.081e-06),
    decode_ms=(1.136, 1.506e-05, 0.003251),
)
LLAMA_70B_TP2 = Profile(
    model="nvidia/Llama-3.1-70B-Instruct-FP8",
    gpus=2,
    kv_tokens=439_372,
    dense_ms=(
        *(15.239, 15.113, 15.861, 15.422, 15.278, 15.939, 16.664, 18.512, 22.995, 43.53),
        *(39.909, 58.305, 77.682, 117.501, 152.701, 233.557, 308.386, 450.795, 526.246),
    ),
    prefill_ms=(2.492, 2.253e-06),
    decode_ms=(1.114, 2.986e-05, 0.007488),
)
