# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Checks that need more than one value: members that depend on each other, files and folders that must exist.

Runs once, at start. Reads the file system and changes nothing. The defaults pass all checks.
"""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from runtime.config.endpoint import parse_endpoint
from runtime.config.error import ConfigError, shown
from runtime.config.schema import Config

_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
# The last label is no number: 10.0.0.256 is a mistyped address.
_HOST_NAME = re.compile(rf"(?=.{{1,253}}$)({_LABEL}\.)*(?![0-9]+\.?$){_LABEL}\.?")
_WILDCARDS = {"0.0.0.0", "::"}  # noqa: S104 compared with, not bound


class Problem(NamedTuple):
    """What is wrong with a configuration.

    `paths`: the members it is about, the likeliest first. The error names the first one that is not a default.
    `text`: what was expected, and what was found.
    """

    paths: tuple[str, ...]
    text: str


def check(config: Config, sources: Mapping[str, str]) -> None:
    """Raise ConfigError for the first problem. `sources` is as in `Loaded`."""
    for find in (_host, _discovery, _address, _ports, _certificate, _log_files, _broker, _redis, _auth, _key):
        if problem := find(config):
            path = min(problem.paths, key=lambda path: sources[path] == "default")
            section, key = path.split(".")
            source = sources[path]
            place = source if source.startswith("environment ") else f"{source}: [{section}] {key}"
            raise ConfigError(f"{place}: {problem.text}")


def _host(config: Config) -> Problem | None:
    hosts = {"HTTP.Host": config.http.host, "PProf.Host": config.pprof.host}
    if config.discovery.host:
        hosts["Discovery.Host"] = config.discovery.host
    for path, host in hosts.items():
        if not _is_address(host) and not _HOST_NAME.fullmatch(host):
            return Problem((path,), f"expected an IP address or a host name, got {shown(host)}")
    return None


def _discovery(config: Config) -> Problem | None:
    discovery = config.discovery
    for key, entries in (("Nameservers", discovery.nameservers), ("Hosts", discovery.hosts)):
        for entry in entries:
            try:
                parse_endpoint(entry)
            except ValueError:
                expected = "expected IP addresses, each with or without a port (10.0.0.7, 10.0.0.7:80, [fd00::7]:80)"
                return Problem((f"Discovery.{key}",), f"{expected}, got {shown(entry)}")
    if discovery.hosts and discovery.host:
        return Problem(("Discovery.Hosts", "Discovery.Host"), "[Discovery] Hosts and Host exclude each other; keep one")
    path = discovery.class_path.split(".")
    if discovery.class_path and not (len(path) > 1 and all(map(str.isidentifier, path))):
        expected = "expected the dotted path of a class, such as package.module.Class"
        return Problem(("Discovery.Class",), f"{expected}, got {shown(discovery.class_path)}")
    return None


def _address(config: Config) -> Problem | None:
    address = config.node.address
    if not address or _is_address(address):
        return None
    return Problem(("Node.Address",), f"expected an IP address, got {shown(address)}")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _ports(config: Config) -> Problem | None:
    http, pprof = config.http, config.pprof
    same_host = http.host.lower() == pprof.host.lower() or not _WILDCARDS.isdisjoint((http.host, pprof.host))
    if pprof.enable and same_host and http.port == pprof.port != 0:
        paths = ("PProf.Port", "HTTP.Port", "PProf.Host", "HTTP.Host")
        return Problem(paths, f"[HTTP] and [PProf] would both listen on port {http.port}")
    return None


def _certificate(config: Config) -> Problem | None:
    cert, key = config.http.cert_file, config.http.key_file
    if cert and key:
        return _pair(cert, key)
    if cert:
        return Problem(("HTTP.CertFile",), "needs [HTTP] KeyFile beside it")
    if key:
        return Problem(("HTTP.KeyFile",), "needs [HTTP] CertFile beside it")
    return None


def _pair(cert: str, key: str) -> Problem | None:
    for path, file in (("HTTP.CertFile", cert), ("HTTP.KeyFile", key)):
        try:
            Path(file).open("rb").close()
        except OSError as error:
            return Problem((path,), f"{file}: {error.strerror}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_verify_locations(cert)  # load_cert_chain reports a bad certificate and a bad key alike
    except ssl.SSLError:
        return Problem(("HTTP.CertFile",), f"{cert}: not a certificate in PEM form")
    try:
        context.load_cert_chain(cert, key, password="")  # without a password it would ask the terminal for one
    except ssl.SSLError as error:
        mismatch = "MISMATCH" in (error.reason or "")
        text = f"not the key of {cert}" if mismatch else "not a private key in PEM form without a passphrase"
        return Problem(("HTTP.KeyFile",), f"{key}: {text}")
    return None


def _log_files(config: Config) -> Problem | None:
    log = config.log
    for key, output, file in (
        ("Output", log.output, log.output_file),
        ("AccessOutput", log.access_output, log.access_output_file),
    ):
        if output == "file" and not file:
            return Problem((f"Log.{key}",), f'"file" needs [Log] {key}File beside it')
        if output == "file" and (obstacle := _obstacle(file)):
            return Problem((f"Log.{key}File",), obstacle)
    return None


def _obstacle(file: str) -> str:
    """Return why the file can't be written or rotated, empty if it can. Missing folders are made when the log opens."""
    if os.path.isdir(file):
        return f"{file} is a folder"
    if os.path.exists(file) and not os.access(file, os.W_OK):
        return f"{file} is not writable"
    folder = next(folder for folder in Path(file).absolute().parents if os.path.exists(folder))
    if not folder.is_dir():
        return f"{folder} is not a folder"
    return "" if os.access(folder, os.W_OK | os.X_OK) else f"{folder} is not writable"


def _broker(config: Config) -> Problem | None:
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", config.celery.broker):
        return None
    # Its value is not shown: without a scheme it is not known where a password ends.
    return Problem(("Celery.Broker",), "expected a URL with a scheme, such as memory:// or redis://host:6379/0")


def _redis(config: Config) -> Problem | None:
    url = config.sockets.redis_url
    if not url or re.match(r"(rediss?|unix)://", url):
        return None
    return Problem(("Sockets.RedisUrl",), "expected a URL such as redis://host:6379/0, or rediss:// or unix://")


def _auth(config: Config) -> Problem | None:
    for entry in config.auth.operate_from:
        try:
            ipaddress.ip_network(entry)
        except ValueError as error:
            expected = "expected networks or addresses (10.0.0.0/8, fd00::/8, 10.0.0.7)"
            return Problem(("Auth.OperateFrom",), f"{expected}, got {shown(entry)}: {error}")
    discovery = config.discovery
    peers = discovery.host or discovery.hosts or discovery.class_path
    if config.auth.required and peers and not (config.replication.secret or config.replication.key):
        return Problem(
            ("Auth.Required", "Replication.Secret"),
            "needs [Replication] Secret or Key: an address alone lets in no peer",
        )
    return None


def _key(config: Config) -> Problem | None:
    key = config.replication.key
    if not key or (key.isascii() and key.isprintable() and " " not in key):
        return None
    return Problem(("Replication.Key",), "expected a key as `metadata-center keys create` prints it")
