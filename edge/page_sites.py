# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Which web pages may call a node: its own, and those of the sites in the settings. Pure: any thread may ask.

A browser says which page a request comes from, in `Origin` and `Sec-Fetch-Site`, and no page can change that. A program
sends neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from re import compile as regex

from msgspec import Struct

from edge.hosts import split_host

_origin = regex(rb"(https?)://([^/?#@\s]+)").fullmatch
_PORTS = {"http": "80", "https": "443"}
_NULL = b"null"
# A request that the person made, in the address bar for example, and one of a page of the same site.
_OWN_SITE = frozenset({b"same-origin", b"none"})


class PageOrigin(Struct, frozen=True):
    """Where a page comes from. `port` is that of the scheme if the text names none."""

    scheme: str
    name: str
    port: str

    @classmethod
    def of(cls, text: bytes) -> PageOrigin | None:
        """Return what an `Origin` header names; None if that is no web page's origin."""
        found = _origin(text.strip(b" \t").lower())
        host = None if found is None else split_host(found[2])
        if found is None or host is None or not host[0]:
            return None
        scheme = found[1].decode()
        return cls(scheme, host[0], host[1] or _PORTS[scheme])


class PageSites:
    """The pages that may call a node.

    `listed`: `[Sockets] Origins`, each as `https://ops.example.com:8443`, `https://.example.com` for all sites under a
        name, the same without a scheme for any scheme and port, or `*` for every site.
    """

    def __init__(self, listed: Iterable[str] = ()) -> None:
        patterns = [each.lower().rstrip("/") for each in listed]
        self._any = "*" in patterns
        self._names = tuple(each.rpartition(":")[0] or each for each in patterns if "://" not in each)
        self._origins = tuple(filter(None, (PageOrigin.of(each.encode()) for each in patterns)))

    def fault(self, host: bytes, origins: Sequence[bytes], fetched: Sequence[bytes]) -> str | None:
        """Return which header says that a page of another site calls. None if none does.

        `host`: the request's `Host`.
        `origins`, `fetched`: the values of `Origin` and of `Sec-Fetch-Site`; a browser sends at most one of each.
        """
        own = False
        listed = bool(origins)
        for value in origins:
            if value.strip(b" \t").lower() == _NULL:
                return "Origin: null"
            if self._any:
                continue
            origin = PageOrigin.of(value)
            if origin is None:
                return "Origin"
            if not self._lists(origin):
                listed = False
                own = self._is_own(origin, host)
                if not own:
                    return "Origin"
        for value in () if listed else fetched:
            said = value.strip(b" \t").lower()
            if said not in _OWN_SITE and not (own and said == b"same-site"):
                return "Sec-Fetch-Site"
        return None

    def _lists(self, origin: PageOrigin) -> bool:
        return any(_under(origin.name, each) for each in self._names) or any(
            (origin.scheme, origin.port) == (each.scheme, each.port) and _under(origin.name, each.name)
            for each in self._origins
        )

    @staticmethod
    def _is_own(origin: PageOrigin, host: bytes) -> bool:
        called = split_host(host)
        return called is not None and (origin.name, origin.port) == (called[0], called[1] or _PORTS[origin.scheme])


def _under(name: str, pattern: str) -> bool:
    """Return whether a name is the pattern, or one under it if the pattern begins with a dot."""
    return name == pattern.removeprefix(".") or (pattern.startswith(".") and name.endswith(pattern))
