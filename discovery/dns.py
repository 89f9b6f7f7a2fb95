# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Peers by DNS: the addresses of a name (A and AAAA), or the targets and ports of a service (SRV).

Runs on the calling thread, which must have no event loop. Each look-up has an event loop of its own, so that all
queries run at once and end with the time limit. Always holds: an answer is not asked for again before its TTL is over,
and failures are not remembered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from io import StringIO
from typing import Final

import dns.exception
import dns.inet
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver
from dns.asyncresolver import Resolver
from msgspec import Struct

from discovery.host import Host
from discovery.resolv_conf import PATH, read_resolv_conf
from discovery.service import LookupFailed
from runtime.config.endpoint import canonical_address, parse_endpoint

# With a TTL of a day this node must not wait a day to see a new record.
MAX_TTL_SECONDS: Final = 60.0
# TTLs are whole seconds, and caches round what is left of one. In Kubernetes TTL and interval are both 5 s. Without
# this slack every second look-up would be left out when the beat comes a millisecond early.
TTL_SLACK_SECONDS: Final = 1.0
# A lost datagram is sent again, and after a dead nameserver there is time for the next.
TRIES: Final = 3
# Of one service. Bounds the queries if the answer has no addresses with it.
MAX_TARGETS: Final = 128
MAX_REASON_CHARACTERS: Final = 300

_ADDRESSES: Final = (dns.rdatatype.A, dns.rdatatype.AAAA)


def system_resolver(path: str = PATH) -> Resolver:
    """Return a resolver with the system's nameservers and search domains, read now: they may change.

    Entries that can't be used are left out. Raises OSError if the file can't be read, and
    `dns.resolver.NoResolverConfiguration` if it has no usable nameserver.
    """
    return Resolver(StringIO(read_resolv_conf(path).text))


def resolver_at(nameservers: Sequence[str]) -> Resolver:
    """Return a resolver for these nameservers, each an address with or without a port (53).

    Names are complete; no search domain is appended. Raises ValueError for anything but an address.
    """
    resolver = Resolver(configure=False)
    resolver.domain = dns.name.root
    resolver.nameservers = [
        dns.nameserver.Do53Nameserver(address, port or 53) for address, port in map(parse_endpoint, nameservers)
    ]
    return resolver


class Answer(Struct, frozen=True):
    """The hosts that a look-up found.

    `hosts`: the hosts.
    `ttl`: how long they may be kept, in seconds; 0 if a part of the answer is missing.
    """

    hosts: frozenset[Host] = frozenset()
    ttl: float = 0


class DnsDiscovery:
    """Looks up `name`: a host name, a service (`_http._tcp.example.org`), or an IP address, which is its own answer.

    Each look-up makes a `resolver` and takes at most `timeout_seconds`. `monotonic` returns seconds.
    """

    def __init__(
        self,
        name: str,
        resolver: Callable[[], Resolver],
        *,
        timeout_seconds: float,
        monotonic: Callable[[], float],
    ) -> None:
        self._name = name
        self._resolver = resolver
        self._timeout = timeout_seconds
        self._monotonic = monotonic
        self._kept = Answer()
        self._kept_until = monotonic()

    def hosts(self) -> Sequence[Host]:
        """See `ServiceDiscovery`."""
        if dns.inet.is_address(self._name):
            return [Host(canonical_address(self._name))]
        now = self._monotonic()
        if now >= self._kept_until:
            try:
                self._kept = asyncio.run(self._look_up())
            except (dns.exception.DNSException, OSError) as error:
                raise LookupFailed(f"{self._name}: {self._reason(error)}"[:MAX_REASON_CHARACTERS]) from error
            self._kept_until = now + min(self._kept.ttl, MAX_TTL_SECONDS) - TTL_SLACK_SECONDS
        return tuple(self._kept.hosts)

    async def _look_up(self) -> Answer:
        resolver = self._resolver()
        resolver.lifetime = self._timeout
        resolver.timeout = self._timeout / TRIES
        query = _LookUp(resolver, asyncio.get_running_loop().time() + self._timeout)
        name = dns.name.from_text(self._name, origin=None)
        return await (query.service(name) if self._name.startswith("_") else query.addresses(name))

    def _reason(self, error: Exception) -> str:
        match error:
            case TimeoutError() | dns.exception.Timeout():
                return f"no answer within {self._timeout:g} s"
            case dns.resolver.NoNameservers():
                said = (f"{server} said {what}" for server, _, _, what, _ in error.kwargs["errors"])
                return " ".join("; ".join(said).split())
            case _:
                return " ".join(str(error).split())


class _LookUp:
    """One look-up, until `deadline` on its event loop's clock."""

    def __init__(self, resolver: Resolver, deadline: float) -> None:
        self._resolver = resolver
        self._deadline = deadline

    async def addresses(self, name: dns.name.Name) -> Answer:
        """Look up a host's addresses of both families."""
        found, complete = await self._find(name, _ADDRESSES)
        hosts = frozenset(Host(canonical_address(record.address)) for answer in found for record in answer)
        return Answer(hosts, min(map(_ttl, found)) if complete else 0)

    async def service(self, name: dns.name.Name) -> Answer:
        """Look up all targets of a service, with their ports. Priorities and weights do not matter among peers."""
        (found,), _ = await self._find(name, (dns.rdatatype.SRV,))
        # A target of "." says that there is no such service here (RFC 2782).
        services = sorted((srv.target, srv.port) for srv in found if srv.target != dns.name.root)[:MAX_TARGETS]
        targets = sorted({target for target, _ in services})
        results = await asyncio.gather(*(self._target(target, found) for target in targets), return_exceptions=True)
        answers = {
            target: result for target, result in zip(targets, results, strict=True) if isinstance(result, Answer)
        }
        if not answers:  # one unknown target must not hide the others
            raise next((r for r in results if isinstance(r, Exception)), LookupFailed(f"{name}: no such service"))
        return Answer(
            frozenset(
                Host(host.address, port or None)
                for target, port in services
                if target in answers
                for host in answers[target].hosts
            ),
            min(_ttl(found), *(answer.ttl for answer in answers.values())) if len(answers) == len(targets) else 0,
        )

    async def _target(self, target: dns.name.Name, found: dns.resolver.Answer) -> Answer:
        """Return a target's addresses: from the same answer, or else by more queries."""
        along = [r for r in found.response.additional if r.name == target and r.rdtype in _ADDRESSES]
        if not along:
            return await self.addresses(target)
        hosts = frozenset(Host(canonical_address(record.address)) for rrset in along for record in rrset)
        return Answer(hosts, min(rrset.ttl for rrset in along))

    async def _find(
        self, name: dns.name.Name, types: Sequence[dns.rdatatype.RdataType]
    ) -> tuple[list[dns.resolver.Answer], bool]:
        """Return the answers with records for the first candidate of the name that has any, and whether no type failed.

        There is at least one answer. While a candidate may exist, the candidates after it are not asked for.
        """
        known = False
        for candidate in self._candidates(name):
            tasks = [
                asyncio.create_task(self._resolver.resolve(candidate, type_, search=False, raise_on_no_answer=False))
                for type_ in types
            ]
            remaining = self._deadline - asyncio.get_running_loop().time()
            done, late = await asyncio.wait(tasks, timeout=max(0.0, remaining))
            for task in late:
                task.cancel()
            errors: list[BaseException] = [TimeoutError()] if late else []
            found = []
            for task in done:
                match task.exception():
                    case None:
                        known = True
                        found += [task.result()] if task.result().rrset else []
                    case dns.resolver.NXDOMAIN():
                        pass
                    case error:
                        errors.append(error)
            if found:
                return found, not errors
            if errors:
                raise errors[0]
        what = " or ".join(dns.rdatatype.to_text(type_) for type_ in types)
        raise LookupFailed(f"{name}: no {what} records" if known else f"{name}: no such name")

    def _candidates(self, name: dns.name.Name) -> Iterator[dns.name.Name]:
        """Return the complete names that a name may stand for, in the system resolver's order (resolv.conf(5))."""
        if name.is_absolute():
            yield name
            return
        resolver = self._resolver
        domains = resolver.search or [resolver.domain]
        searched = [name + domain for domain in domains if domain != dns.name.root]
        complete = [name + dns.name.root]
        # The name has one dot less than labels.
        dotted = len(name) > (1 if resolver.ndots is None else resolver.ndots)
        yield from complete + searched if dotted else searched + complete


def _ttl(answer: dns.resolver.Answer) -> float:
    """Return the smallest TTL in the chain of names that led to the records."""
    return answer.chaining_result.minimum_ttl
