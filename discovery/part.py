# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Discovery as a part of a node: the directory of peers, its metrics and its recurring look-ups.

Built, started and stopped on the main thread. The first look-up has a thread of its own, later ones run on Celery's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from threading import Thread
from time import monotonic, time

from prometheus_client.registry import Collector

from discovery.choice import choose
from discovery.directory import Directory
from discovery.host import Host
from discovery.metrics import DiscoveryCollector
from discovery.own import Own
from edge.part import AppPart, HealthCheck
from runtime.config import Config
from runtime.periodic import PeriodicTask


class Discovery(AppPart):
    """The peers that this node knows.

    `directory`: the peers known now; None where no discovery is configured, so that the node is alone.
    """

    def __init__(self, config: Config, port: int) -> None:
        self._config = config
        self.directory = _build_directory(config, port)
        self._listeners: list[Callable[[Sequence[Host]], object]] = []

    def collectors(self) -> Iterable[Collector]:
        return [] if self.directory is None else [DiscoveryCollector(self.directory, self._config.discovery.host)]

    def periodic(self) -> Iterable[PeriodicTask]:
        if self.directory is None:
            return []
        return [PeriodicTask("discover", "discovery.refresh", self._config.discovery.interval_seconds)]

    def checks(self) -> Iterable[HealthCheck]:
        return [] if self.directory is None else [HealthCheck("discovery", False, self.directory.state)]

    def subscribe(self, listener: Callable[[Sequence[Host]], object]) -> None:
        """Call `listener` with all peers after each change, and after a first look-up that found none.

        It is called on the thread that looks up. Does nothing in a node that is alone.
        """
        directory = self.directory
        if directory is not None:
            self._listeners.append(listener)
            directory.subscribe(lambda added, removed: listener(directory.peers()))

    def start(self) -> None:
        """Look the peers up, at once and on a thread of its own: the node need not wait to serve."""
        if self.directory is not None:
            Thread(target=self._first_look_up, args=(self.directory,), name="first-look-up", daemon=True).start()

    def _first_look_up(self, directory: Directory) -> None:
        directory.refresh()
        if not directory.peers() and directory.lookups().last_success is not None:
            for listener in self._listeners:  # there was no change to report
                listener(())


def _build_directory(config: Config, port: int) -> Directory | None:
    discovery = choose(config.discovery, monotonic)
    if discovery is None:
        return None
    return Directory(
        discovery,
        Own(config.node.address, port),
        target_port=config.replication.target_port,
        grace_seconds=config.discovery.grace_seconds,
        clock=time,
        monotonic=monotonic,
    )
