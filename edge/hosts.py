# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The names that a node may be called by. Pure: any thread may ask.

A page of another site can let its own name lead to a node (DNS rebinding), and then calls it as if the two were one
site. The browser still sends that name as `Host`. So a name that public DNS could give must be in the settings.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import AddressValueError, IPv6Address
from re import compile as regex
from socket import inet_aton

_parts = regex(rb"(\[[^\[\]]*\]|[^\[\]:]*)(?::([0-9]{0,5}))?").fullmatch
_label = regex(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?").fullmatch

# Public DNS has none of these at its end: .local and .internal are reserved, .svc is Kubernetes' own.
PRIVATE_ENDS = (".svc", ".local", ".internal")


def split_host(host: bytes) -> tuple[str, str] | None:
    """Return name and port of a `Host`, in lower case and without a dot at the end. None if it is malformed."""
    found = _parts(host.strip(b" \t").lower())
    if found is None or not found[1].isascii():
        return None
    name = found[1].decode().removesuffix(".")
    if name.startswith("["):
        return (name, (found[2] or b"").decode()) if _is_ipv6(name[1:-1]) else None
    return name, (found[2] or b"").decode()


class HostRule:
    """Says whether a node may be called by a name.

    `own`: the node's own names.
    `allowed`: `[Web] AllowedHosts`: names, `.example.com` for all names under one, `*` for any.
    """

    def __init__(self, own: Iterable[str] = (), allowed: Iterable[str] = ()) -> None:
        patterns = {each.lower().removesuffix(".") for each in allowed}
        self._any = "*" in patterns
        self._ends = tuple(each for each in patterns if each.startswith("."))
        self._names = frozenset({each.lower().removesuffix(".") for each in own} | patterns)

    def permits(self, host: bytes) -> bool:
        """Return whether `host`, the value of a `Host` with or without a port, is a name to be called by."""
        if self._any:
            return True
        found = split_host(host)
        if found is None:
            return False
        name = found[0]
        if name.startswith("[") or name in self._names or f".{name}".endswith(self._ends):
            return True
        labels = name.split(".")
        if len(labels) == 1:
            return not name or _label(name) is not None  # HTTP/1.1 lets a client send an empty one; no browser does
        if _is_ipv4(name):
            return True
        return name.endswith(PRIVATE_ENDS) and all(map(_label, labels))


def _is_ipv4(name: str) -> bool:
    """Return whether it is an address in any spelling, such as `127.1`. No name in DNS ends in a number."""
    try:
        inet_aton(name)
    except (OSError, ValueError):
        return False
    return True


def _is_ipv6(text: str) -> bool:
    """Return whether it is an address, with or without a zone (`fe80::1%25eth0`)."""
    try:
        IPv6Address(text.partition("%")[0])
    except AddressValueError:
        return False
    return True
