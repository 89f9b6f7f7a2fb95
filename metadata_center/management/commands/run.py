# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`metadata-center run -c FILE`: one node, until SIGINT or SIGTERM."""

from __future__ import annotations

import gc
import logging
import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.template.loader import get_template
from django.urls import get_resolver

from edge.open_files import enlarge_file_table, raise_file_limit
from edge.server import NodeServer, listen
from metadata_center import __version__
from metadata_center.accounts.migration import bring_up_to_date
from metadata_center.configuration import log_notes
from metadata_center.interrupts import let_interrupts_end_the_process
from metadata_center.node import Node
from runtime.config import Config, ConfigError
from runtime.data_folder import DataFolder
from runtime.logs import configure
from runtime.tls import CertificateFault

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Run one node: the API, its pages, replication and recurring work, in this process."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        folder: DataFolder = settings.DATA_FOLDER
        with folder.in_use_by_this_node():
            self._run(settings.CONFIG, folder)

    def _run(self, config: Config, folder: DataFolder) -> None:
        raise_file_limit()
        enlarge_file_table()
        http = config.http
        try:
            listener = listen(http.host, http.port)
        except OSError as error:
            raise refused("HTTP", http.host, http.port, error) from None
        with listener:
            logs = configure(config.log)
            log_notes(settings.LOADED)
            try:
                if not config.web.database:  # else the node's part does so, as often as it takes
                    bring_up_to_date(folder)
            except ConfigError as error:  # accounts are for pages; the load can be counted without
                logger.error("%s; pages that need an account will fail", error)  # noqa: TRY400 one line says it
            try:
                node = Node(config, logs, listener.getsockname()[1])
            except CertificateFault as fault:  # since the configuration was checked
                raise ConfigError(f"[HTTP] {fault}") from None
            server = NodeServer(
                config,
                node.application(),
                node.lanes,
                on_drain=node.drain,
                flush=node.flush,
                flushed=node.flushed,
                parts=tuple(node.loop_parts()),
                tls=node.served_tls,
                handshakes=node.handshakes,
            )
            server.config.load()
            load_pages()
            try:
                node.start()
            except OSError as error:
                raise refused("PProf", config.pprof.host, config.pprof.port, error) from None
            try:
                self.stdout.write(banner(config, listener.getsockname()[1]))
                self.stdout.flush()
                server.run(sockets=[listener])
            finally:
                let_interrupts_end_the_process()  # a second Ctrl-C skips what is left of the stop
                node.stop()
                logs.close()
                gc.unfreeze()


def load_pages() -> None:
    """Load Django's URLs and templates now: at the first page it would hold all calls for 85 ms."""
    get_resolver().reverse_dict  # noqa: B018 it is built when it is first read
    for name in (
        "console/index.html",
        "console/overview.html",
        "console/cluster.html",
        "edge/api.html",
        "edge/docs.html",
        "metadata_center/admin/dashboard.html",
        "edge/admin/confirm.html",
        "loadstats/admin/requests.html",
        "metadata_center/admin/login.html",
        "problem.html",
    ):
        get_template(name)


def refused(section: str, host: str, port: int, error: OSError) -> ConfigError:
    """Return in one line why the node cannot listen on an address."""
    cause = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
    return ConfigError(f"[{section}] {host}:{port}: {cause}")


def banner(config: Config, port: int) -> str:
    """Return the addresses of the node, for the terminal that it was started in."""
    scheme = "https" if config.http.cert_file else "http"
    host = config.node.address or config.http.host
    if host in {"0.0.0.0", "::", ""}:  # noqa: S104 shown, not bound
        host = "127.0.0.1"
    if ":" in host:
        host = f"[{host}]"
    base = f"{scheme}://{host}:{port}"
    lines = [
        f"Metadata Center {__version__}",
        f"  API        {base}/v1/load/stats",
        f"  console    {base}/console/",
        f"  admin      {base}/admin/",
        f"  docs       {base}/docs/",
        f"  metrics    {base}/metrics",
    ]
    if config.pprof.enable:
        scheme = "https" if config.pprof.tls else "http"
        lines.append(f"  profiling  {scheme}://{config.pprof.host}:{config.pprof.port}/debug/pprof/")
    return "\n".join(lines)
