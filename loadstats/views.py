# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The load calls' pages."""

from typing import ClassVar

from msgspec import Struct

from loadstats.handlers import PROMPT, STATS
from loadstats.wire import Add, Ended, Name
from metadata_center.rest import HandlerViewSet


class Query(Struct):
    """`GET /v1/load/stats`: the query string."""

    cluster: Name


class LoadStats(HandlerViewSet):
    """The load of a cluster's engines, and the requests that it follows from."""

    path = STATS
    inputs: ClassVar = {"GET": Query, "POST": Add, "DELETE": Ended}
    examples: ClassVar = {"cluster": "demo", "request_id": "demo-1", "ip": "10.0.0.1", "prompt_length": 100}


class LoadPrompt(HandlerViewSet):
    """The prompts that engines have yet to read."""

    path = PROMPT
    inputs: ClassVar = {"DELETE": Ended}
    examples: ClassVar = {"request_id": "demo-1"}
