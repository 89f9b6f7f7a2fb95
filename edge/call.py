# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What a handler is given, and the table of handlers. Immutable but for a `Call`, which belongs to one handler.

A handler is a plain synchronous function from a `Call` to the answer's `data`, encoded as JSON. It does not depend on
the transport: every door (the lane, ASGI, Django's pages) serves the same one. It raises `ContractError` or
`NotModified` for any answer but 200. A route may have a second, async handler for calls that wait or work in slices.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import final
from urllib.parse import unquote_to_bytes

from msgspec import Struct, field

from edge.caller import Caller, Scope
from edge.credentials import Credentials
from edge.errors import InvalidInput
from runtime.metrics.meter import Meter

NULL = b"null"


class RefusedParts(Struct):
    """Parts of one call that its caller may not make.

    `count`: how many they are.
    `first`: some of them, each by names and values.
    """

    count: int = 0
    first: list[Mapping[str, object]] = field(default_factory=list)


@final
class Call(Struct, gc=False):
    """One request to a handler. The handler sets the members marked with "out".

    `query`: the raw query string.
    `body`: the whole body.
    `headers`: the head's fields by lower-case name, the first of each name.
    `request_id`: out: the id of the inference request that the call is about, for the access log.
    `client`: the address that the call came from; empty if the transport has none.
    `caller`: who makes it; None for one that has proved nothing but its address.
    `credentials`: what its connection has proved; None if the transport can't say.
    `reason`: out, set by the dispatcher: why the call was refused, for the access log; empty if it was not.
    `retry_seconds`: out, set by the dispatcher: after how many seconds the caller may ask again; 0 if nothing is said.
    `etag`: out: tells this answer from others. ASCII without quotes. Sent as a weak tag, for trace ids differ.
    `acts`: out: what it did beside its route's own work that needs `Scope.OPERATE`, for the audit trail: in each the
        names and values of one act.
    `refused`: out: what of it was refused for want of a right, for the audit trail; None if nothing was.
    `waited_ns`: out: nanoseconds in which the handler only waited. The call's duration does not include them.
    """

    query: bytes
    body: bytes
    headers: Mapping[bytes, bytes]
    request_id: str = ""
    client: str = ""
    caller: Caller | None = None
    credentials: Credentials | None = None
    etag: bytes = b""
    waited_ns: int = 0
    reason: str = ""
    retry_seconds: int = 0
    acts: Sequence[Mapping[str, object]] = ()
    refused: RefusedParts | None = None


class NotModified(Exception):
    """The caller has the answer already: the answer is 304 with the call's `etag`, and no body."""


Handler = Callable[[Call], bytes]


def always(query: bytes, size: int) -> bool:
    """Return True: each call of a route goes to its async handler."""
    return True


class AsyncHandler(Struct, frozen=True):
    """A route's handler for calls that wait or work in slices, awaited on the event loop.

    `handler`: returns the answer's `data`.
    `applies`: decides from the query string and the body's size in bytes whether a call is for this handler. Where the
        size is not known yet, it gets the largest one possible. It must not depend on anything else, for the lane
        remembers its answer.
    `idle`: it only waits, and is cancelled when its client leaves. Any other handler is run to its end.
    """

    handler: Callable[[Call], Awaitable[bytes]]
    applies: Callable[[bytes, int], bool] = always
    idle: bool = False


class Route(Struct, frozen=True):
    """A method on a path, with its handlers.

    `method`, `path`: matched exactly.
    `handler`: serves every call that `async_handler` does not apply to.
    `internal`: for other nodes only. The answer is msgpack without an envelope, and there is no page for people.
    `async_handler`: serves the calls that it applies to, if there is one.
    `scope`: what a caller must be allowed to do; None: open to everyone, always. A route that does not say is closed.
    `part_scopes`: a caller with one of these may come in as well: the handler checks each part of the call by itself.
    `meter`: counts the answers and their durations.
    """

    method: str
    path: str
    handler: Handler
    internal: bool = False
    async_handler: AsyncHandler | None = None
    scope: Scope | None = Scope.OPERATE
    part_scopes: frozenset[Scope] = frozenset()
    meter: Meter = field(default_factory=Meter)

    @property
    def operates(self) -> bool:
        """Return whether a call may be, or hold, what needs `Scope.OPERATE`."""
        return self.scope is Scope.OPERATE or Scope.OPERATE in self.part_scopes

    def opens_to(self, caller: Caller) -> bool:
        """Return whether a caller that has proved who it is may make the call, or some part of it."""
        scopes = caller.scopes
        return self.scope is None or self.scope in scopes or not self.part_scopes.isdisjoint(scopes)

    def choose_async(self, query: bytes, size: int) -> AsyncHandler | None:
        """Return the async handler if a call with this query and a body of `size` bytes is for it."""
        async_handler = self.async_handler
        return async_handler if async_handler is not None and async_handler.applies(query, size) else None


class Table:
    """The routes by path and method. Immutable; any thread may read."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = tuple(routes)
        self._by_path: dict[bytes, dict[bytes, Route]] = {}
        for route in self._routes:
            methods = self._by_path.setdefault(route.path.encode(), {})
            methods[route.method.encode()] = route

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes)

    def has(self, path: str) -> bool:
        """Return whether the path has a route for some method."""
        return path.encode("utf-8", "surrogateescape") in self._by_path

    def find(self, method: bytes, path: bytes) -> Route | None:
        """Return the route of exactly this method and path, if there is one."""
        methods = self._by_path.get(path)
        return None if methods is None else methods.get(method)


def query_value(query: bytes, name: bytes) -> str | None:
    """Return the first value of `name` in a query string, percent-decoded; None if it is absent.

    Raises InvalidInput if it is not percent-encoded UTF-8: a wrong escape would otherwise name another cluster.
    """
    for pair in query.split(b"&"):
        key, _, value = pair.partition(b"=")
        if key != name and _decode(key) != name.decode():
            continue
        text = _decode(value)
        if text is None:
            shown = value[:80].decode("ascii", "replace")
            raise InvalidInput(f"{name.decode()}: expected percent-encoded UTF-8, got {shown!r}")
        return text
    return None


_HEX = frozenset(b"0123456789abcdefABCDEF")


def _decode(value: bytes) -> str | None:
    if b"%" in value:
        pieces = value.split(b"%")[1:]
        if not all(len(piece) >= 2 and piece[0] in _HEX and piece[1] in _HEX for piece in pieces):
            return None
        value = unquote_to_bytes(value.replace(b"+", b" "))
    elif b"+" in value:
        value = value.replace(b"+", b" ")
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None
