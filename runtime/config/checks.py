# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Checks that need more than one value: members that depend on each other, files and folders that must exist.

Runs once, at start. Reads the file system and changes nothing. The defaults pass all checks.
"""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from runtime.config.console_url import console_url
from runtime.config.database_url import FILES, VERIFYING, DatabaseUrl, parse_database_url
from runtime.config.endpoint import parse_endpoint
from runtime.config.error import ConfigError, shown
from runtime.config.log_url import is_log_name, parse_log_url
from runtime.config.schema import Config
from runtime.tls import CertificateFault, load_authorities, load_pair, may_be_shown

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
    for find in (
        _host,
        _discovery,
        _address,
        _console_url,
        _ports,
        _certificate,
        _log_files,
        _broker,
        _redis,
        _database,
        _sessions,
        _auth,
        _key,
        _log,
    ):
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


def _console_url(config: Config) -> Problem | None:
    text = config.node.console_url
    try:
        if text:
            console_url(text)
    except ValueError as error:
        return Problem(("node.console_url",), f"{error}, got {shown(text)}")
    return None


def _ports(config: Config) -> Problem | None:
    http, pprof = config.http, config.pprof
    same_host = http.host.lower() == pprof.host.lower() or not _WILDCARDS.isdisjoint((http.host, pprof.host))
    if pprof.enable and same_host and http.port == pprof.port != 0:
        paths = ("PProf.Port", "HTTP.Port", "PProf.Host", "HTTP.Host")
        return Problem(paths, f"[HTTP] and [PProf] would both listen on port {http.port}")
    return None


def _certificate(config: Config) -> Problem | None:
    http, replication = config.http, config.replication
    if not http.cert_file and (problem := _without_tls(config)):
        return problem
    if http.client_cert != "none" and not http.client_ca:
        return Problem(("HTTP.ClientCert",), f'"{http.client_cert}" needs [HTTP] ClientCA beside it')
    for section, cert, key in (
        ("HTTP", http.cert_file, http.key_file),
        ("Replication", replication.cert_file, replication.key_file),
    ):
        if problem := _pair(section, cert, key):
            return problem
    for path, file in (("HTTP.ClientCA", http.client_ca), ("Replication.PeerCA", replication.peer_ca)):
        if problem := _authorities(path, file):
            return problem
    section, shown = ("Replication", replication.cert_file) if replication.cert_file else ("HTTP", http.cert_file)
    if http.client_cert == "required" and not may_be_shown(shown):
        text = f"{shown}: for servers alone, so no node takes it from this one; [Replication] CertFile can be another"
        return Problem((f"{section}.CertFile",), text)
    return None


def _without_tls(config: Config) -> Problem | None:
    """Return the first setting that says how TLS is spoken, although none is served."""
    http, replication = config.http, config.replication
    for path, wanted in (
        ("HTTP.KeyFile", bool(http.key_file)),
        ("HTTP.ClientCert", http.client_cert != "none"),
        ("HTTP.ClientCA", bool(http.client_ca)),
        ("PProf.TLS", config.pprof.tls),
        ("Replication.CertFile", bool(replication.cert_file)),
        ("Replication.KeyFile", bool(replication.key_file)),
        ("Replication.PeerCA", bool(replication.peer_ca)),
        ("Replication.PeerNames", bool(replication.peer_names)),
    ):
        if wanted:
            return Problem((path,), "needs [HTTP] CertFile beside it")
    return None


def _pair(section: str, cert: str, key: str) -> Problem | None:
    """Return what is wrong with a certificate and its key, if anything."""
    if not cert and not key:
        return None
    if not key:
        return Problem((f"{section}.CertFile",), f"needs [{section}] KeyFile beside it")
    if not cert:
        return Problem((f"{section}.KeyFile",), f"needs [{section}] CertFile beside it")
    try:
        load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), cert, key)
    except OSError as error:
        return Problem((_blamed(section, str(error.filename), key),), f"{error.filename}: {error.strerror}")
    except CertificateFault as fault:
        return Problem((_blamed(section, str(fault).partition(": ")[0], key),), str(fault))
    return None


def _blamed(section: str, file: str, key: str) -> str:
    return f"{section}.KeyFile" if file == key else f"{section}.CertFile"


def _authorities(path: str, file: str) -> Problem | None:
    if not file:
        return None
    try:
        load_authorities(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), file)
    except OSError as error:
        return Problem((path,), f"{file}: {error.strerror}")
    except CertificateFault as fault:
        return Problem((path,), str(fault))
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
    proved = config.replication.secret or config.replication.key or config.http.client_cert != "none"
    if config.auth.required and peers and not proved:
        return Problem(
            ("Auth.Required", "Replication.Secret"),
            "needs [Replication] Secret or Key, or [HTTP] ClientCert: an address alone lets in no peer",
        )
    return None


def _database(config: Config) -> Problem | None:
    if not config.web.database:
        return None
    paths = ("Web.Database",)
    try:
        url = parse_database_url(config.web.database)
    except ValueError as error:
        return Problem(paths, str(error))
    if problem := _database_files(url):
        return Problem(paths, problem)
    if importlib.util.find_spec("psycopg") is None:
        return Problem(paths, "needs psycopg, the extra `postgres`: pip install 'psycopg[binary]'")
    return None


def _database_files(url: DatabaseUrl) -> str:
    """Return which file of the URL is wrong, empty if none is."""
    for name in FILES:
        file = url.options.get(name, "")
        if not file or (name, file) == ("sslrootcert", "system"):
            continue
        try:
            Path(file).open("rb").close()
        except OSError as error:
            return f"{name}: {error.strerror}"
    if url.options.get("sslmode") in VERIFYING and not url.options.get("sslrootcert"):
        return "sslmode: to verify the server, name its authority: sslrootcert=FILE, or sslrootcert=system"
    return ""


def _sessions(config: Config) -> Problem | None:
    if config.web.session_idle_seconds <= config.web.session_max_seconds:
        return None
    return Problem(("Web.SessionIdle", "Web.SessionMax"), "[Web] SessionIdle is longer than SessionMax")


def _key(config: Config) -> Problem | None:
    key = config.replication.key
    if not key or (key.isascii() and key.isprintable() and " " not in key):
        return None
    return Problem(("Replication.Key",), "expected a key as `metadata-center keys create` prints it")


def _log(config: Config) -> Problem | None:
    name = config.replication.log_name
    if not is_log_name(name):
        expected = "expected 1 to 64 letters, digits, dots, underscores and hyphens"
        return Problem(("Replication.LogName",), f"{expected}, got {shown(name)}")
    if not config.replication.log:
        return None
    paths = ("Replication.Log",)
    try:
        url = parse_log_url(config.replication.log)
    except ValueError as error:
        return Problem(paths, str(error))
    try:
        if url.ca:
            load_authorities(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), url.ca)
        if url.cert:
            load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), url.cert, url.key)
    except OSError as error:
        return Problem(paths, f"a file after the ?: {error.strerror}")
    except CertificateFault:
        return Problem(paths, "a file after the ? is no certificate or key in PEM form, or the key is another's")
    return None
