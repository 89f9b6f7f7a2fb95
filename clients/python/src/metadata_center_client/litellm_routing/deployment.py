# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What LiteLLM's dicts say of engines and prompts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from metadata_center_client.rows import engine_name

CHARACTERS_PER_TOKEN = 4
PORTS = {"http": 80, "https": 443}


class Engine(NamedTuple):
    """An engine's address and port."""

    ip: str
    port: int

    @property
    def name(self) -> str:
        """Its name as nodes write it, such as 10.0.0.1:8000."""
        return engine_name(self.ip, self.port)


def engine_of(parameters: Mapping[str, Any], model_info: Mapping[str, Any]) -> Engine | None:
    """Return the engine of a deployment: `engine` of its `model_info`, such as 10.0.0.1:8000, or its `api_base`'s host.

    None if that is no address: the deployment is then none of the engines that nodes know.
    """
    named = model_info.get("engine")
    place = f"//{named}" if named else str(parameters.get("api_base") or "")
    try:
        parts = urlsplit(place)
        return Engine(str(ip_address(parts.hostname or "")), parts.port or PORTS.get(parts.scheme, 80))
    except ValueError:
        return None


def estimated_tokens(messages: object, other: object = None) -> int:
    """Return about how many tokens a prompt has, a quarter of its characters. `other`: what stands for messages."""
    return sum(map(len, _texts(messages if messages is not None else other))) // CHARACTERS_PER_TOKEN


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):  # a message, or a part of one
        yield from _texts(value.get("content", value.get("text")))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
