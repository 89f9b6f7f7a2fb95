# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What a handler is given, and the table of handlers.

A handler is a plain synchronous function from a `Call` to the answer's `data`, encoded as JSON. It knows nothing of the
transport, so that every door (the lane, ASGI, Django's pages) serves the same one. It raises `ContractError` for any
answer but 200, and `NotModified`. A route may have a second handler that is awaited, for calls that take their time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from urllib.parse import unquote_to_bytes

from msgspec import Struct, field

from edge.errors import InvalidInput
from runtime.metrics.meter import Meter

NULL = b"null"


class Call(Struct, gc=False):
    """One request to a handler.

    `query` is the raw query string, `body` the whole body, `headers` the head's fields by lower-case name (the first
    of each), `client` the address it came from, empty where the transport has none. The handler leaves the id of the
    inference request it was about in `request_id`, for the access log, in `etag` what tells its answer from any other
    (ASCII without quotes; weak, for each answer has a trace id of its own), and in `waited_ns` how long it did nothing
    but wait, which is no fault of the node's.
    """

    query: bytes
    body: bytes
    headers: Mapping[bytes, bytes]
    request_id: str = ""
    client: str = ""
    etag: bytes = b""
    waited_ns: int = 0


class NotModified(Exception):
    """The caller has the answer already: 304 with the call's `etag`, and no body."""


Handler = Callable[[Call], bytes]


def always(query: bytes, size: int) -> bool:
    """Each call may take its time."""
    return True


class Patient(Struct, frozen=True):
    """The handler of a route's calls that may take a while, awaited on the event loop.

    `applies` tells these calls by query string and size of the body (where that is not known yet: the most it may be),
    and by nothing else, for the lane remembers what it said. An `idle` one does nothing but wait, and is cancelled when
    its client leaves; any other is finished.
    """

    handler: Callable[[Call], Awaitable[bytes]]
    applies: Callable[[bytes, int], bool] = always
    idle: bool = False


class Route(Struct, frozen=True):
    """A method on a path, its handler, and the count of what it answered.

    The answer of a `packed` route is msgpack for another node, and goes out as it is: no envelope, no page for people.
    """

    method: str
    path: str
    handler: Handler
    packed: bool = False
    patient: Patient | None = None
    meter: Meter = field(default_factory=Meter)

    def awaited(self, query: bytes, size: int) -> Patient | None:
        """Who serves a call with this query and a body of `size` bytes in `handler`'s stead, if anybody."""
        patient = self.patient
        return patient if patient is not None and patient.applies(query, size) else None


class Table:
    """The handlers by path and method. Fixed once built; read from any thread."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = tuple(routes)
        self._by_path: dict[bytes, dict[bytes, Route]] = {}
        for route in self._routes:
            methods = self._by_path.setdefault(route.path.encode(), {})
            methods[route.method.encode()] = route

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes)

    def find(self, method: bytes, path: bytes) -> Route | None:
        """The route of exactly this method and path."""
        methods = self._by_path.get(path)
        return None if methods is None else methods.get(method)


def query_value(query: bytes, name: bytes) -> str | None:
    """The first value of `name` in a query string, percent-decoded; None where it is absent.

    Raises InvalidInput where it is not percent-encoded UTF-8: a wrong escape would otherwise name another cluster.
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
