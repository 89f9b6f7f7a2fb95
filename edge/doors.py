# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Who may do what. Every way into the process asks here: the lane, ASGI, Django's pages, sockets, the profiling port.

Immutable, but for the kinds of refusals that were logged, so any thread may ask. Two questions are asked of a request.
`head_fault` depends on its head alone: does a page of another site call, or a name that is not the node's? `admit`
depends on who calls: a caller with a key, a session or a certificate has its scopes, and all others are strangers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from edge.call import Call, Route
from edge.caller import Caller, Scope
from edge.errors import ContractError, Forbidden, InvalidInput, Unauthorized
from edge.head_key import HeadKey
from edge.hosts import HostRule
from edge.key_table import KeyTable, NoKeys
from edge.page_sites import PageSites
from edge.refusals import Refusals, shown

# No other method changes anything. A name that is not here does, as far as the doors know.
SAFE_METHODS = frozenset({b"GET", b"HEAD", b"OPTIONS"})
SOCKET = b"WEBSOCKET"  # stands for the method of a handshake
# What proxies add. A client on the proxy's side is not where the connection comes from.
FORWARDED = (
    b"x-forwarded-for",
    b"forwarded",
    b"x-forwarded-host",
    b"x-forwarded-proto",
    b"x-forwarded-by",
    b"x-real-ip",
    b"via",
)
OPEN_TO_STRANGERS = frozenset({Scope.READ, Scope.WRITE})
MAPPED = IPv6Network("::ffff:0:0/96")

Headers = Iterable[tuple[bytes, bytes]]
Network = IPv4Network | IPv6Network


class Doors:
    """The one rule.

    `keys`: the keys that callers may have.
    `required`: strangers may do nothing but what is always open.
    """

    def __init__(
        self,
        keys: KeyTable | None = None,
        *,
        required: bool = False,
        operate_from: Iterable[str] = (),
        trust_loopback: bool = True,
        hosts: HostRule | None = None,
        sites: PageSites | None = None,
    ) -> None:
        self.keys: KeyTable = NoKeys() if keys is None else keys
        self.required = required
        self._networks = tuple(network_of(each) for each in operate_from)
        self._trust_loopback = trust_loopback
        self._hosts = HostRule() if hosts is None else hosts
        self._sites = PageSites() if sites is None else sites
        self._refusals = Refusals()

    def head_fault(self, method: bytes, headers: Headers, *, target: bytes = b"") -> ContractError | None:
        """Return why nothing may be answered to a request with this head, whoever sends it. None if it may.

        `method`: `SOCKET` for a handshake.
        `headers`: all fields of the head, names in any case.
        `target`: the request's target; it holds a host if it is a whole URL.
        """
        hosts, origins, fetched = [], [], []
        for name, value in headers:
            key = name.lower()
            if key == b"host":
                hosts.append(value)
            elif key == b"origin":
                origins.append(value)
            elif key == b"sec-fetch-site":
                fetched.append(value)
        host = hosts[0] if hosts else b""
        if authority := _authority(target):
            hosts.append(authority)
        for each in hosts:
            if not self._hosts.permits(each):
                return self._foreign_host(each)
        if method == SOCKET and not host:
            return self._foreign_host(host)
        if method.upper() in SAFE_METHODS:
            return None
        sign = self._sites.fault(host, origins, fetched)
        return None if sign is None else self._foreign_page(sign, host, origins, fetched)

    def is_open(self, scope: Scope | None, headers: Mapping[bytes, bytes]) -> bool:
        """Return whether `admit` would let in anybody with this head, whatever the address. The lane remembers it.

        `headers`: the first field of each name; names in lower case.
        """
        if scope is None:
            return True
        return not self.required and scope is not Scope.OPERATE and not sends_key(headers)

    def head_key(self, route: Route, headers: Mapping[bytes, bytes]) -> HeadKey | None:
        """Return the key of a head, for the lane to remember; None if a call of the route with this head asks for none.

        `headers`: the first field of each name; names in lower case.
        """
        return HeadKey(self.keys, route, headers) if route.scope is not None and sends_key(headers) else None

    def asks_session(self, scope: Scope | None, headers: Mapping[bytes, bytes]) -> bool:
        """Return whether only a session can let a call in, so that Django has to look: it has a cookie and no key."""
        return (
            b"cookie" in headers
            and scope is not Scope.REPLICATE
            and not sends_key(headers)
            and not self.is_open(scope, headers)
        )

    def admit(self, route: Route, call: Call) -> None:
        """Let a call in. Sets its `caller`, where a key says who it is.

        Raises Unauthorized if a key would help and the call brings no valid one, Forbidden if its caller lacks the
        scope.
        """
        scope = route.scope
        if scope is None:
            return
        if route.part_scopes:
            known = (self.keys.find(call.headers) if sends_key(call.headers) else None) or call.caller
            if known is not None and scope not in known.scopes:
                scope = next((part for part in route.part_scopes if part in known.scopes), scope)
        call.caller = self.caller(scope, call.headers, call.client, call.caller)

    def caller(
        self, scope: Scope, headers: Mapping[bytes, bytes], client: str, proved: Caller | None = None
    ) -> Caller | None:
        """Return who may come in; None for a stranger who may.

        `client`: the address; empty if the transport has none.
        `proved`: who it is by a session or certificate. A valid key says more.
        Raises Unauthorized or Forbidden as `admit` does.
        """
        caller = (self.keys.find(headers) if sends_key(headers) else None) or proved
        if caller is not None:
            if scope in caller.scopes:
                return caller
            what = f"{caller.name} lacks the scope {scope.value}"
            self._refusals.note(f"scope {scope}", what, f"give it the scope {scope.value}")
            raise Forbidden(what, who=caller.name)
        if not self.stranger_may(scope, headers, client):
            raise self._no_key(scope, headers, client)
        return None

    def is_local(self, headers: Mapping[bytes, bytes], client: str) -> bool:
        """Return whether a call comes from this machine, and may do what that allows.

        A proxy on this machine makes everybody local, so what a proxy sends is not. `[Auth] TrustLoopback` and
        `Required` turn it off.
        """
        return (
            self._trust_loopback
            and not self.required
            and is_loopback(client)
            and not any(name in headers for name in FORWARDED)
        )

    def stranger_may(self, scope: Scope, headers: Mapping[bytes, bytes], client: str) -> bool:
        """Return whether a call may come in that proves nothing but its address."""
        if scope is Scope.REPLICATE:
            return True  # `replication.admission` decides: it knows the peers
        if self.required:
            return False
        return scope in OPEN_TO_STRANGERS or self.is_local(headers, client) or self._is_operator(client)

    def _is_operator(self, client: str) -> bool:
        if not self._networks or not client:
            return False
        address = _address(client)
        return address is not None and any(address in network for network in self._networks)

    def _no_key(self, scope: Scope, headers: Mapping[bytes, bytes], client: str) -> Unauthorized:
        found = "the key is unknown, expired or revoked" if sends_key(headers) else "no key was sent"
        settings = f"send a key with the scope {scope.value}"
        if self.required:
            settings += ", or set [Auth] Required = false"
        elif is_loopback(client):
            proxied = any(name in headers for name in FORWARDED)
            found += ", and it came through a proxy" if proxied else ", and [Auth] TrustLoopback is false"
            settings += ", or call without the proxy" if proxied else ""
        else:
            settings += ", call from this machine, or put the client's network into [Auth] OperateFrom"
        what = f"{scope.value}: {found}"
        self._refusals.note(f"key {what}", f"{what}, from {client or 'an unknown address'}", settings)
        return Unauthorized(f"{what}: this needs a key with the scope {scope.value}")

    def _foreign_host(self, host: bytes) -> InvalidInput:
        what = f"Host: {shown(host)} is not a name of this node"
        self._refusals.note("Host", what, "put the name into [Web] AllowedHosts")
        return InvalidInput(what)

    def _foreign_page(self, sign: str, host: bytes, origins: list[bytes], fetched: list[bytes]) -> Forbidden:
        said = ", ".join(map(shown, origins if sign.startswith("Origin") else fetched))
        what = f"{sign}: a web page of another site may not call this node"
        detail = f"{what} (got {said}, Host {shown(host)})"
        self._refusals.note(sign, detail, "put the page's site into [Sockets] Origins")
        return Forbidden(what)


def sends_key(headers: Mapping[bytes, bytes]) -> bool:
    """Return whether a head brings a key. Other kinds of `Authorization` are for proxies on the way."""
    return b"x-api-key" in headers or headers.get(b"authorization", b"")[:7].lower() == b"bearer "


def network_of(text: str) -> Network:
    """Return a network as `10.0.0.0/8`, `fd00::/8` or one address. Raises ValueError."""
    network = ip_network(text)
    if isinstance(network, IPv6Network) and network.subnet_of(MAPPED):
        mapped = network.network_address.ipv4_mapped
        return IPv4Network((int(mapped or 0), network.prefixlen - 96))
    return network


@lru_cache(4096)
def is_loopback(client: str) -> bool:
    """Return whether an address is this machine's own. A transport without addresses is on this machine."""
    if not client:
        return True
    address = _address(client)
    return address is not None and address.is_loopback


def _address(client: str) -> IPv4Address | IPv6Address | None:
    """Return an address without its zone; IPv4 if a dual-stack socket shows it inside IPv6. None if it is none."""
    try:
        address = ip_address(client.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address


def _authority(target: bytes) -> bytes:
    """Return the host of a target that is a whole URL; empty for a path and `*`."""
    if target.startswith(b"/"):
        return b""
    _, separator, rest = target.partition(b"://")
    return rest.partition(b"/")[0].partition(b"?")[0] if separator else b""
