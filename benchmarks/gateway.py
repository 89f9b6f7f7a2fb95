# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Requests as a gateway written in Go sends them; the same as `wrk/gateway.lua`. Pure."""

from __future__ import annotations

from collections.abc import Iterator

# A request's prompt ends this many requests after it was added, the request as many later again: 0.2 s each at 5,000
# calls/s.
LAG = 256

_HEAD = b"%b HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: Go-http-client/1.1\r\n"
_REST = b"Traceid: \r\nAccept-Encoding: gzip\r\n\r\n"
_GET = _HEAD % b"GET /v1/load/stats?cluster=%b" + _REST
_POST = _HEAD % b"POST /v1/load/stats" + b"Content-Length: %d\r\n" + _REST
_PROMPT = _HEAD % b"DELETE /v1/load/prompt" + b"Content-Length: %d\r\n" + _REST
_STATS = _HEAD % b"DELETE /v1/load/stats" + b"Content-Length: %d\r\n" + _REST


class LoadGateway:
    """One gateway's calls. `run` sets its request ids apart.

    Its requests go to `engines` engines, in clusters of `per_cluster`: `cluster`, `cluster-1`, `cluster-2` and so on.
    """

    def __init__(self, run: int, *, cluster: str = "model-a", engines: int = 100, per_cluster: int = 100) -> None:
        self._ids = b"6ba7%04x-9dad-41d1-80b4-" % run
        self._engines = engines
        self._per_cluster = per_cluster
        name = cluster.encode()
        self._clusters = [name, *(b"%b-%d" % (name, n) for n in range(1, -(-engines // per_cluster)))]
        self._get = _GET % name

    def get(self) -> bytes:
        """The load of all engines of the first cluster."""
        return self._get

    def post(self, n: int) -> bytes:
        """Request n was sent to an engine."""
        engine = n * 31 % self._engines
        body = b'{"cluster":"%b","request_id":"%b%012x","prompt_length":%d,"ip":"10.%d.%d.%d"}' % (
            self._clusters[engine // self._per_cluster],
            self._ids,
            n,
            n * 7919 % 10 ** (1 + n % 5),
            engine // 62500,
            engine // 250 % 250,
            engine % 250 + 1,
        )
        return _POST % len(body) + body

    def prompt(self, n: int) -> bytes:
        """Request n has its first token."""
        body = self._ended(n)
        return _PROMPT % len(body) + body

    def stats(self, n: int) -> bytes:
        """Request n is over."""
        body = self._ended(n)
        return _STATS % len(body) + body

    def life(self) -> Iterator[bytes]:
        """Whole lives of requests without end, a quarter of the calls each: GET, POST, prompt and request over."""
        n = 0
        while True:
            n += 1
            yield self.get()
            yield self.post(n)
            yield self.prompt(n - LAG) if n > LAG else self.get()
            yield self.stats(n - 2 * LAG) if n > 2 * LAG else self.get()

    def adds(self) -> Iterator[bytes]:
        """Return requests that are never ended."""
        n = 0
        while True:
            n += 1
            yield self.post(n)

    def _ended(self, n: int) -> bytes:
        return b'{"request_id":"%b%012x","cluster":"","ip":""}' % (self._ids, n)
