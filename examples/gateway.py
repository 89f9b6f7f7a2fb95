# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A client for gateways in Python's standard library: python examples/gateway.py [http://127.0.0.1:8080]

Copy `LoadClient` into a gateway. It keeps one connection for each thread, gives up after 0.1 s, and then the gateway
chooses an engine by itself: load that is not known must never stop a request.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from random import choice
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4


class CallFailed(Exception):
    """The node answered with an error. Its text has the reason."""


class LoadClient:
    """Reports requests to one node and asks it for the load. Any thread may use it.

    `address`: of the node, as `http://10.0.0.1:8080`.
    `timeout_seconds`: for each call.
    """

    def __init__(self, address: str, timeout_seconds: float = 0.1) -> None:
        parts = urlsplit(address)
        self._host = parts.hostname or "127.0.0.1"
        self._port = parts.port or 8080
        self._timeout = timeout_seconds
        self._threads = threading.local()

    def pick(self, cluster: str, request_id: str, prompt_length: int, candidates: Sequence[str]) -> str:
        """Return the engine that has the least to do, with the request counted on it.

        Where the node does not answer, any of the candidates.
        """
        body = {
            "cluster": cluster,
            "request_id": request_id,
            "prompt_length": prompt_length,
            "candidates": list(candidates),
        }
        try:
            return engine_name(self._call("POST", "/v1/load/pick", body))
        except (OSError, HTTPException, CallFailed):
            return choice(candidates)

    def first_token(self, request_id: str) -> None:
        """Report that the engine has read the prompt."""
        self._report("DELETE", "/v1/load/prompt", {"request_id": request_id})

    def tokens(self, request_id: str, input_tokens: int, output_tokens: int) -> None:
        """Report how many tokens the request holds by now; every second or so is enough."""
        body = {"request_id": request_id, "input_tokens": input_tokens, "output_tokens": output_tokens}
        self._report("PUT", "/v1/load/tokens", body)

    def done(self, request_id: str) -> None:
        """Report that the request ended, whether it went well or not. It may be repeated."""
        self._report("DELETE", "/v1/load/stats", {"request_id": request_id})

    def load(self, cluster: str) -> list[dict[str, Any]]:
        """Return a row for each engine of a cluster. Raises `CallFailed`, `OSError` and `HTTPException`."""
        rows: list[dict[str, Any]] = self._call("GET", f"/v1/load/stats?cluster={quote(cluster, safe='')}")
        return rows

    @contextmanager
    def request(self, cluster: str, prompt_length: int, candidates: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Choose an engine for the block and end the request with it. Gives the request's id and the engine."""
        request_id = uuid4().hex
        try:
            yield request_id, self.pick(cluster, request_id, prompt_length, candidates)
        finally:
            self.done(request_id)

    def _report(self, method: str, path: str, body: object) -> None:
        try:
            self._call(method, path, body)
        except (OSError, HTTPException, CallFailed) as problem:
            print(f"not reported: {method} {path}: {problem}", file=sys.stderr)

    def _call(self, method: str, path: str, body: object = None) -> Any:
        """Return `data` of the answer. A connection that failed is not used again."""
        connection = getattr(self._threads, "connection", None)
        if connection is None:
            connection = self._threads.connection = HTTPConnection(self._host, self._port, timeout=self._timeout)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = json.load(connection.getresponse())
        except (OSError, HTTPException, ValueError):
            connection.close()
            self._threads.connection = None
            raise
        if answer["error"] is not None:
            raise CallFailed(answer["error"]["reason"])
        return answer["data"]


def engine_name(row: dict[str, Any]) -> str:
    """Return the name of a row's engine, as a gateway gave it: `10.0.0.7`, or `10.0.0.7:8000`."""
    host = f"[{row['ip']}]" if ":" in row["ip"] and "port" in row else row["ip"]
    return f"{host}:{row['port']}" if "port" in row else host


def main() -> None:
    client = LoadClient(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080", timeout_seconds=2.0)
    with client.request("demo", 1200, ["10.0.0.7:8000", "10.0.0.8:8000"]) as (request_id, engine):
        print(f"request {request_id} goes to {engine}")
        client.first_token(request_id)
        client.tokens(request_id, 1200, 64)
        for row in client.load("demo"):
            print(f"{engine_name(row)}: {row['queued_req_num']} in flight, {row.get('token_num', 0)} tokens")
    print("ended")


if __name__ == "__main__":
    main()
