# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What Prometheus sees of the directory, and the task that keeps it fresh."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from discovery.directory import Directory
from discovery.metrics import DiscoveryCollector
from discovery.own import Own
from discovery.part import Discovery
from discovery.tasks import refresh
from runtime.metrics.aliases import ALIASES
from runtime.running import publish
from tests.unit.discovery.fakes import Clock, FakeDiscovery

PREFIX = "metadata_center_discovery_"


@pytest.fixture
def discovery() -> FakeDiscovery:
    return FakeDiscovery()


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


@pytest.fixture
def directory(discovery: FakeDiscovery, clock: Clock) -> Directory:
    return Directory(discovery, Own("10.0.0.1", 80), target_port=80, grace_seconds=60, clock=clock, monotonic=clock)


@pytest.fixture
def registry(directory: Directory) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(DiscoveryCollector(directory, "peers.test"))
    return registry


def test_before_the_first_look_up_there_are_zeros(registry: CollectorRegistry) -> None:
    assert registry.get_sample_value(f"{PREFIX}peers") == 0
    assert registry.get_sample_value(f"{PREFIX}lookups_total", {"result": "success"}) == 0
    assert registry.get_sample_value(f"{PREFIX}last_success_timestamp_seconds") is None
    assert registry.get_sample_value(f"{PREFIX}last_duration_seconds") is None


def test_it_tells_of_peers_hosts_and_look_ups(
    registry: CollectorRegistry, directory: Directory, discovery: FakeDiscovery, clock: Clock
) -> None:
    discovery.answer = ("10.0.0.1", "10.0.0.2", "10.0.0.2:8080")
    directory.refresh()
    clock.seconds += 5
    discovery.fail()
    directory.refresh()
    directory.refresh()

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(PREFIX + name, labels)

    assert value("peers") == 2
    assert value("hosts", domain="peers.test", host="10.0.0.1") == 1
    assert value("hosts", domain="peers.test", host="10.0.0.2:8080") == 1
    assert value("lookups_total", result="success") == 1
    assert value("lookups_total", result="failure") == 2
    assert value("last_success_timestamp_seconds") == 1000
    assert value("last_duration_seconds") == 0


def test_the_old_name_stands_beside_the_new_one(
    registry: CollectorRegistry, directory: Directory, discovery: FakeDiscovery
) -> None:
    if f"{PREFIX}hosts" not in ALIASES:
        pytest.skip("needs its row in the table of old names")
    discovery.answer = ("10.0.0.2",)
    directory.refresh()
    assert registry.get_sample_value("dns_lookup_hosts", {"domain": "peers.test", "host": "10.0.0.2"}) == 1


def test_it_is_read_by_the_parser_of_prometheus(
    registry: CollectorRegistry, directory: Directory, discovery: FakeDiscovery
) -> None:
    discovery.answer = ("10.0.0.2", "10.0.0.2:80")
    directory.refresh()
    text = openmetrics(registry).decode()  # type: ignore[no-untyped-call]
    families = {family.name for family in text_string_to_metric_families(text)}  # type: ignore[no-untyped-call]
    names = ("peers", "hosts", "lookups", "last_success_timestamp_seconds", "last_duration_seconds")
    assert families >= {PREFIX + name for name in names}


def test_the_task_refreshes_the_directory_of_the_running_node(directory: Directory, discovery: FakeDiscovery) -> None:
    discovery.answer = ("10.0.0.2",)
    with publish({Discovery: SimpleNamespace(directory=directory)}):
        refresh()
    assert len(directory.peers()) == 1


def test_the_task_does_nothing_in_a_node_that_is_alone() -> None:
    with publish({Discovery: SimpleNamespace(directory=None)}):
        refresh()


def test_the_task_does_nothing_where_no_node_runs() -> None:
    refresh()


def test_the_task_has_its_name_and_keeps_no_result() -> None:
    assert (refresh.name, refresh.ignore_result) == ("discovery.refresh", True)
