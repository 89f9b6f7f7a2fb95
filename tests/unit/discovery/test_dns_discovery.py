# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Look-ups against a real DNS server."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import enumerate as enumerate_threads
from time import monotonic

import pytest
from dns.asyncresolver import Resolver

from discovery.dns import MAX_TARGETS, MAX_TTL_SECONDS, DnsDiscovery, resolver_at, system_resolver
from discovery.host import Host
from discovery.resolv_conf import read_resolv_conf
from discovery.service import LookupFailed
from tests.dns_server import DnsServer, Fault, Query
from tests.unit.discovery.fakes import Clock

# A look-up that is to succeed may take long on a busy machine; one that is to fail for silence, should not. A third of
# the time is for each query, so a busy server of ours is not asked twice.
PATIENT = 180.0
SHORT = 0.3


@pytest.fixture
def server() -> Iterator[DnsServer]:
    with DnsServer() as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


def discovery(name: str, *servers: DnsServer, timeout: float = PATIENT, clock: Clock | None = None) -> DnsDiscovery:
    resolver = partial(resolver_at, [server.endpoint for server in servers])
    return DnsDiscovery(name, resolver, timeout_seconds=timeout, monotonic=clock or Clock())


def found(name: str, *servers: DnsServer, timeout: float = PATIENT) -> list[str]:
    return sorted(map(str, discovery(name, *servers, timeout=timeout).hosts()))


def found_at_last(name: str, *servers: DnsServer) -> list[str]:
    """The same where some queries get no answer, which takes all of a look-up's time: what it finds, given enough."""
    for timeout in (0.5, 2.0, 8.0, 32.0):
        with suppress(LookupFailed):
            return found(name, *servers, timeout=timeout)
    return found(name, *servers, timeout=PATIENT)


def failure(name: str, *servers: DnsServer, timeout: float = SHORT) -> str:
    with pytest.raises(LookupFailed) as caught:
        discovery(name, *servers, timeout=timeout).hosts()
    reason = str(caught.value)
    assert "\n" not in reason
    return reason


def searching(server: DnsServer, lines: str) -> DnsDiscovery:
    """With a resolv.conf of these lines."""

    def resolver() -> Resolver:
        resolver = Resolver(io.StringIO(f"nameserver {server.address}\n{lines}\n"))
        resolver.port = server.port
        return resolver

    return DnsDiscovery("peers.a", resolver, timeout_seconds=PATIENT, monotonic=Clock())


def asked(server: DnsServer) -> set[tuple[str, str]]:
    return {(query.name, query.type) for query in server.queries()}


def test_it_finds_the_addresses_of_a_name_without_ports(server: DnsServer) -> None:
    server.publish("peers.test", "A", "10.0.0.2", "10.0.0.1")
    assert set(discovery("peers.test", server).hosts()) == {Host("10.0.0.1"), Host("10.0.0.2")}


def test_it_merges_both_families(server: DnsServer) -> None:
    server.publish("peers.test", "A", "10.0.0.1")
    server.publish("peers.test", "AAAA", "fd00:0::1", "::ffff:10.0.0.2")
    assert found("peers.test", server) == ["10.0.0.1", "10.0.0.2", "fd00::1"]
    assert asked(server) == {("peers.test", "A"), ("peers.test", "AAAA")}


@pytest.mark.parametrize("fault", [Fault.SERVFAIL, Fault.REFUSED, Fault.SILENT, Fault.EMPTY, Fault.NXDOMAIN])
@pytest.mark.parametrize(("failing", "expected"), [("A", "fd00::1"), ("AAAA", "10.0.0.1")])
def test_one_family_suffices(server: DnsServer, fault: Fault, failing: str, expected: str) -> None:
    server.publish("peers.test", "A", "10.0.0.1")
    server.publish("peers.test", "AAAA", "fd00::1")
    server.behave(fault, type_=failing)
    find = found_at_last if fault is Fault.SILENT else found
    assert find("peers.test", server) == [expected]


def test_it_follows_another_name(server: DnsServer) -> None:
    server.publish("peers.test", "CNAME", "real.test.")
    server.publish("real.test", "A", "10.0.0.1")
    assert found("peers.test", server) == ["10.0.0.1"]


@pytest.mark.parametrize("literal", ["10.0.0.1", "FD00:0::1"])
def test_an_address_is_its_own_answer(server: DnsServer, literal: str) -> None:
    assert found(literal, server) == [literal.lower().replace(":0:", ":")]
    assert not server.queries()


def test_it_asks_again_over_tcp_when_told_so(server: DnsServer) -> None:
    server.publish("peers.test", "A", "10.0.0.1")
    server.behave(Fault.TRUNCATED)
    assert found("peers.test", server) == ["10.0.0.1"]
    assert Query("peers.test", "A", tcp=True) in server.queries()


def test_an_answer_too_long_for_a_datagram_comes_in_full(server: DnsServer) -> None:
    addresses = [f"10.0.0.{number}" for number in range(1, 61)]
    server.publish("peers.test", "A", *addresses)
    assert found("peers.test", server) == sorted(addresses)
    assert Query("peers.test", "A", tcp=True) in server.queries()


@pytest.mark.parametrize("glue", [True, False])
def test_a_service_has_targets_and_ports(server: DnsServer, glue: bool) -> None:
    server.glue = glue
    server.publish("_http._tcp.test", "SRV", "0 0 8080 one.test.", "10 5 8081 ONE.test.", "0 0 0 two.test.")
    server.publish("one.test", "A", "10.0.0.1")
    server.publish("one.test", "AAAA", "fd00::1")
    server.publish("two.test", "A", "10.0.0.2")
    expected = ["10.0.0.1:8080", "10.0.0.1:8081", "10.0.0.2", "[fd00::1]:8080", "[fd00::1]:8081"]
    assert found("_http._tcp.test", server) == sorted(expected)
    assert ({type_ for _, type_ in asked(server)} == {"SRV"}) is glue


def test_the_addresses_of_strangers_are_not_taken(server: DnsServer) -> None:
    server.publish("_http._tcp.test", "CNAME", "_real._tcp.test.")
    server.publish("_real._tcp.test", "SRV", "0 0 8080 one.test.")
    server.publish("one.test", "A", "10.0.0.1")
    server.publish("stranger.test", "A", "10.6.6.6")
    assert found("_http._tcp.test", server) == ["10.0.0.1:8080"]


def test_a_target_that_nobody_knows_does_not_hide_the_others(server: DnsServer, clock: Clock) -> None:
    server.publish("_http._tcp.test", "SRV", "0 0 8080 one.test.", "0 0 8080 gone.test.", ttl=30)
    server.publish("one.test", "A", "10.0.0.1", ttl=30)
    service = discovery("_http._tcp.test", server, clock=clock)
    assert list(service.hosts()) == [Host("10.0.0.1", 8080)]
    server.publish("gone.test", "A", "10.0.0.2", ttl=30)
    assert len(service.hosts()) == 2  # not kept for its TTL: a part was missing


def test_a_service_without_a_known_target_is_a_failure(server: DnsServer) -> None:
    server.publish("_http._tcp.test", "SRV", "0 0 8080 gone.test.")
    assert failure("_http._tcp.test", server, timeout=PATIENT) == "gone.test.: no such name"
    server.behave(Fault.SILENT, type_="A")
    assert failure("_http._tcp.test", server) == "_http._tcp.test: no answer within 0.3 s"


def test_a_service_that_is_declared_absent_is_a_failure(server: DnsServer) -> None:
    server.publish("_http._tcp.test", "SRV", "0 0 0 .")
    assert failure("_http._tcp.test", server, timeout=PATIENT) == "_http._tcp.test: no such service"


def test_targets_are_bounded(server: DnsServer) -> None:
    server.publish("_http._tcp.test", "SRV", *(f"0 0 {port} one.test." for port in range(1, MAX_TARGETS + 20)))
    server.publish("one.test", "A", "10.0.0.1")
    assert len(found("_http._tcp.test", server)) == MAX_TARGETS


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault.NXDOMAIN, "no such name"),
        (Fault.EMPTY, "no A or AAAA records"),
        (Fault.SERVFAIL, "Do53:{} said SERVFAIL"),
        (Fault.REFUSED, "Do53:{} said REFUSED"),
        (Fault.SILENT, "no answer within 0.3 s"),
    ],
)
def test_it_says_in_one_line_why_it_failed(server: DnsServer, fault: Fault, reason: str) -> None:
    server.publish("peers.test", "A", "10.0.0.1")
    server.behave(fault)
    place = f"{server.address}@{server.port}"
    timeout = SHORT if fault is Fault.SILENT else PATIENT
    assert failure("peers.test", server, timeout=timeout) == f"peers.test: {reason.format(place)}"


def test_a_service_may_be_missing_too(server: DnsServer) -> None:
    server.publish("test", "A", "10.0.0.1")
    server.publish("_http._tcp.test", "TXT", "x")
    assert failure("_http._tcp.test", server, timeout=PATIENT) == "_http._tcp.test: no SRV records"


def test_a_lost_datagram_is_sent_again(server: DnsServer) -> None:
    server.publish("peers.test", "A", "10.0.0.1")
    server.behave(Fault.SILENT, *[Fault.NONE] * 100, type_="A")
    assert found("peers.test", server, timeout=10.0) == ["10.0.0.1"]  # short: asked again after a third of it


def test_a_dead_nameserver_leaves_time_for_the_next(server: DnsServer) -> None:
    server.publish("peers.test", "A", "10.0.0.1")
    with DnsServer() as dead, DnsServer() as broken:
        dead.behave(Fault.SILENT)
        broken.behave(Fault.SERVFAIL)
        assert found_at_last("peers.test", dead, broken, server) == ["10.0.0.1"]
        assert dead.queries()
        assert broken.queries()


def test_it_ends_in_time_and_leaves_nothing_behind(server: DnsServer) -> None:
    def patient() -> Resolver:
        resolver = resolver_at([server.endpoint])
        resolver.lifetime = resolver.timeout = 600.0  # dnspython's own limits
        return resolver

    server.behave(Fault.SILENT)
    threads = set(enumerate_threads())
    began = monotonic()
    with pytest.raises(LookupFailed, match="no answer within"):
        DnsDiscovery("peers.test", patient, timeout_seconds=0.2, monotonic=Clock()).hosts()
    assert 0.2 <= monotonic() - began < 60.0
    assert set(enumerate_threads()) <= threads


def test_a_nameserver_that_is_not_there_is_a_failure() -> None:
    server = DnsServer()
    server.start()
    server.stop()
    assert failure("peers.test", server) == "peers.test: no answer within 0.3 s"


def test_an_answer_too_long_for_a_datagram_is_a_failure_where_tcp_is_closed() -> None:
    with DnsServer(tcp=False) as server:
        server.behave(Fault.TRUNCATED)
        reason = failure("peers.test", server, timeout=PATIENT)
    assert reason.startswith(f"peers.test: Do53:127.0.0.1@{server.port} said ")
    assert "Connect call failed" in reason


def test_it_asks_over_ipv6_too() -> None:
    if not socket.has_ipv6:
        pytest.skip("needs IPv6")
    server = DnsServer("::1")
    try:
        server.start()
    except OSError as error:
        pytest.skip(f"needs ::1: {error}")
    server.publish("peers.test", "A", "10.0.0.1")
    try:
        assert found("peers.test", server) == ["10.0.0.1"]
    finally:
        server.stop()


def test_an_answer_is_not_asked_for_again_before_its_ttl_is_over(server: DnsServer, clock: Clock) -> None:
    server.publish("peers.test", "A", "10.0.0.1", ttl=20)
    server.publish("peers.test", "AAAA", "fd00::1", ttl=30)
    peers = discovery("peers.test", server, clock=clock)
    assert len(peers.hosts()) == 2
    server.publish("peers.test", "A", "10.0.0.2", ttl=20)
    clock.seconds += 18.9
    assert Host("10.0.0.1") in peers.hosts()
    assert len(server.queries()) == 2
    clock.seconds += 0.2  # within the TTL's last second it may be asked for
    assert set(peers.hosts()) == {Host("10.0.0.2"), Host("fd00::1")}


def test_the_ttl_of_an_alias_counts(server: DnsServer, clock: Clock) -> None:
    server.publish("peers.test", "CNAME", "real.test.", ttl=5)
    server.publish("real.test", "A", "10.0.0.1", ttl=50)
    peers = discovery("peers.test", server, clock=clock)
    peers.hosts()
    server.publish("peers.test", "CNAME", "other.test.", ttl=5)
    server.publish("other.test", "A", "10.0.0.2", ttl=50)
    clock.seconds += 5
    assert list(peers.hosts()) == [Host("10.0.0.2")]


@pytest.mark.parametrize(("service", "targets"), [(5, 50), (50, 5)])
def test_the_shortest_ttl_of_a_service_counts(server: DnsServer, clock: Clock, service: int, targets: int) -> None:
    server.publish("_http._tcp.test", "SRV", "0 0 8080 one.test.", ttl=service)
    server.publish("one.test", "A", "10.0.0.1", ttl=targets)
    peers = discovery("_http._tcp.test", server, clock=clock)
    peers.hosts()
    server.publish("one.test", "A", "10.0.0.2", ttl=targets)
    assert list(peers.hosts()) == [Host("10.0.0.1", 8080)]
    clock.seconds += 5
    assert list(peers.hosts()) == [Host("10.0.0.2", 8080)]


@pytest.mark.parametrize("ttl", [0, 1])
def test_an_answer_without_a_ttl_is_asked_for_each_time(server: DnsServer, clock: Clock, ttl: int) -> None:
    server.publish("peers.test", "A", "10.0.0.1", ttl=ttl)
    peers = discovery("peers.test", server, clock=clock)
    peers.hosts()
    server.publish("peers.test", "A", "10.0.0.2", ttl=ttl)
    assert list(peers.hosts()) == [Host("10.0.0.2")]


def test_a_ttl_of_a_day_does_not_freeze_it(server: DnsServer, clock: Clock) -> None:
    server.publish("peers.test", "A", "10.0.0.1", ttl=86_400)
    peers = discovery("peers.test", server, clock=clock)
    peers.hosts()
    server.publish("peers.test", "A", "10.0.0.2")
    clock.seconds += MAX_TTL_SECONDS
    assert list(peers.hosts()) == [Host("10.0.0.2")]


def test_half_an_answer_is_not_kept(server: DnsServer, clock: Clock) -> None:
    server.publish("peers.test", "A", "10.0.0.1", ttl=30)
    server.publish("peers.test", "AAAA", "fd00::1", ttl=30)
    server.behave(Fault.SERVFAIL, *[Fault.NONE] * 100, type_="AAAA")
    peers = discovery("peers.test", server, clock=clock)
    assert len(peers.hosts()) == 1
    assert len(peers.hosts()) == 2


def test_a_failure_is_not_kept(server: DnsServer, clock: Clock) -> None:
    server.publish("peers.test", "A", "10.0.0.1", ttl=30)
    peers = discovery("peers.test", server, clock=clock)
    peers.hosts()
    clock.seconds += 30
    server.behave(Fault.SERVFAIL)
    for _ in range(2):
        with pytest.raises(LookupFailed):
            peers.hosts()
    server.behave()
    assert list(peers.hosts()) == [Host("10.0.0.1")]


def test_it_goes_through_the_search_domains(server: DnsServer) -> None:
    server.publish("peers.a.two.test", "A", "10.0.0.1")
    server.publish("_x.peers.a.one.test", "A", "10.0.0.9")  # so that peers.a.one.test exists, without an address
    assert list(searching(server, "search one.test two.test\noptions ndots:2").hosts()) == [Host("10.0.0.1")]
    assert [query.name for query in server.queries() if query.type == "A"] == ["peers.a.one.test", "peers.a.two.test"]


@pytest.mark.parametrize(
    ("lines", "order"),
    [
        ("search one.test", ["peers.a", "peers.a.one.test"]),
        ("search one.test\noptions ndots:2", ["peers.a.one.test", "peers.a"]),
        ("search . one.test\noptions ndots:1", ["peers.a", "peers.a.one.test"]),
        ("domain two.test", ["peers.a", "peers.a.two.test"]),
    ],
)
def test_a_name_with_enough_dots_is_complete_first(server: DnsServer, lines: str, order: list[str]) -> None:
    with pytest.raises(LookupFailed, match=r"^peers\.a: no such name$"):
        searching(server, lines).hosts()
    assert [query.name for query in server.queries() if query.type == "A"] == order


def test_the_next_domain_is_not_asked_while_the_name_may_exist_in_this_one(server: DnsServer) -> None:
    server.publish("peers.a.one.test", "A", "10.0.0.1")
    server.publish("peers.a.two.test", "A", "10.6.6.6")
    server.behave(Fault.SERVFAIL, type_="A")
    with pytest.raises(LookupFailed, match="SERVFAIL"):
        searching(server, "search one.test two.test\noptions ndots:2").hosts()
    assert {query.name for query in server.queries()} == {"peers.a.one.test"}


def test_both_families_are_taken_from_one_domain(server: DnsServer) -> None:
    server.publish("peers.a.one.test", "A", "10.0.0.1")
    server.publish("peers.a.two.test", "AAAA", "fd00::6")
    assert list(searching(server, "search one.test two.test\noptions ndots:2").hosts()) == [Host("10.0.0.1")]


def test_with_nameservers_of_its_own_a_name_is_complete(server: DnsServer) -> None:
    assert failure("peers", server, timeout=PATIENT) == "peers: no such name"
    assert {query.name for query in server.queries()} == {"peers"}


def test_a_name_with_a_last_dot_is_complete(server: DnsServer) -> None:
    resolver = partial(resolver_at, [server.endpoint])
    server.publish("peers.test", "A", "10.0.0.1")
    peers = DnsDiscovery("peers.test.", resolver, timeout_seconds=PATIENT, monotonic=Clock())
    assert list(peers.hosts()) == [Host("10.0.0.1")]


def test_the_system_resolver_is_read_anew_each_time() -> None:
    assert system_resolver() is not system_resolver()
    assert system_resolver().nameservers == Resolver().nameservers


@pytest.mark.parametrize(
    ("entry", "skipped"),
    [
        ("nameserver dns.example.org", "nameserver dns.example.org"),
        ("nameserver https://dns.example.org/query", "nameserver https://dns.example.org/query"),
        ("nameserver 10.0.0.256", "nameserver 10.0.0.256"),
        ("nameserver 10.0.0.1:53", "nameserver 10.0.0.1:53"),
        ("nameserver [::1]", "nameserver [::1]"),
        ("nameserver \u00e9\udcff", "nameserver \u00e9\ufffd"),
        ("nameserver \x00\x1b[2J", "nameserver ??[2J"),
        (f"search {'x' * 64}.test", f"search {'x' * 64}.test"),
        ("domain a..test", "domain a..test"),
        ("nameserver", ""),
        ("options ndots:many timeout:soon", ""),
        ("sortlist nonsense", ""),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_an_entry_of_resolv_conf_that_can_not_be_used_is_skipped(
    server: DnsServer, tmp_path: Path, entry: str, skipped: str, *, first: bool
) -> None:
    server.publish("peers.test", "A", "10.0.0.1")
    lines = [entry, f"nameserver {server.address}"]
    file = tmp_path / "resolv.conf"
    file.write_bytes("\n".join(lines if first else lines[::-1]).encode("utf-8", "surrogateescape"))
    assert read_resolv_conf(str(file)).skipped == ((skipped,) if skipped else ())

    def resolver() -> Resolver:
        resolver = system_resolver(str(file))
        assert [str(each) for each in resolver.nameservers] == [server.address]
        resolver.port = server.port
        return resolver

    peers = DnsDiscovery("peers.test", resolver, timeout_seconds=PATIENT, monotonic=Clock())
    assert list(peers.hosts()) == [Host("10.0.0.1")]


def test_the_usable_entries_of_a_line_and_of_resolv_conf_are_used(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text(
        "# nameserver of.nobody\n; search x..y\nnameserver 10.0.0.1 # the first\nnameserver fe80::1%eth0\n"
        "search one.test a..b two.test\noptions ndots:5 rotate"
    )
    resolver = system_resolver(str(file))
    assert list(resolver.nameservers) == ["10.0.0.1", "fe80::1%eth0"]
    assert list(map(str, resolver.search)) == ["one.test.", "two.test."]
    assert (resolver.ndots, resolver.rotate) == (5, True)


@pytest.mark.parametrize("text", [None, "", "nameserver dns.example.org\n"])
def test_a_resolv_conf_without_a_nameserver_is_a_failed_look_up(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "resolv.conf"
    if text is not None:
        file.write_text(text)
    resolver = partial(system_resolver, str(file))
    with pytest.raises(LookupFailed, match=r"^peers\.test: (no nameservers|.*No such file or directory)"):
        DnsDiscovery("peers.test", resolver, timeout_seconds=PATIENT, monotonic=Clock()).hosts()


def test_a_machine_without_a_resolver_is_a_failure() -> None:
    def resolver() -> Resolver:
        return Resolver(io.StringIO("search test"))

    with pytest.raises(LookupFailed, match=r"^peers\.test: no nameservers$"):
        DnsDiscovery("peers.test", resolver, timeout_seconds=PATIENT, monotonic=Clock()).hosts()


def test_nameservers_are_addresses_with_or_without_a_port() -> None:
    nameservers = resolver_at(["10.0.0.1", "10.0.0.2:5353", "fd00::1", "[fd00::2]:5353"]).nameservers
    assert list(map(str, nameservers)) == [
        "Do53:10.0.0.1@53",
        "Do53:10.0.0.2@5353",
        "Do53:fd00::1@53",
        "Do53:fd00::2@5353",
    ]
    with pytest.raises(ValueError, match=r"dns\.test"):
        resolver_at(["dns.test"])
