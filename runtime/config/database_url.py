# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The URL of the accounts' database, taken apart: `postgres://user:password@host:5432/name?sslmode=verify-full`. Pure.

It is libpq's form. No error of it shows a value, for a password may stand anywhere in a URL that is mistyped.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from runtime.config.url_parts import authority_of, is_port, options_of

SCHEMES: Final = ("postgres", "postgresql")
# Seconds for a connection to one address, the first is the default. psycopg takes anything less for 2. A page waits for
# it, on one of few threads.
CONNECT_TIMEOUTS: Final = tuple(map(str, range(2, 11)))
TLS_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
VERIFYING: Final = ("verify-ca", "verify-full")
FILES: Final = ("sslrootcert", "sslcert", "sslkey", "sslcrl", "passfile")
OPTIONS: Final = (
    "application_name",
    "channel_binding",
    "connect_timeout",
    "gssencmode",
    "host",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "load_balance_hosts",
    "options",
    "port",
    "require_auth",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslmode",
    "sslnegotiation",
    "sslpassword",
    "target_session_attrs",
    "tcp_user_timeout",
    *FILES,
)


class DatabaseUrl(Struct, frozen=True):
    """Where the accounts' database is.

    `name`: of the database.
    `user`: empty: that of the process.
    `password`: empty: none, or the one in libpq's password file.
    `host`: several are separated by commas, as their ports. A path is the folder of a Unix socket.
    `port`: empty: 5432.
    `options`: libpq's other words, such as `sslmode`.
    """

    name: str
    user: str
    password: str
    host: str
    port: str
    options: Mapping[str, str]


def parse_database_url(url: str) -> DatabaseUrl:
    """Return the parts of a URL. Raises ValueError, which says what was expected and shows nothing of the URL."""
    scheme, separator, _ = url.partition("://")
    if scheme not in SCHEMES or not separator:
        raise ValueError("expected a URL such as postgres://user:password@host:5432/name, or nothing for SQLite")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("expected postgres://user:password@host:5432/name, IPv6 addresses in [ and ]") from None
    user, password, places = authority_of(url, parts)
    options = _options(parts.query)
    host, port = _hosts(places)
    name = unquote(parts.path.removeprefix("/"))
    if not name or "/" in name:
        raise ValueError("expected the name of one database after the host: postgres://host:5432/name")
    found = DatabaseUrl(
        name,
        unquote(user),
        unquote(password),
        options.pop("host", "") or host,
        options.pop("port", "") or port,
        {"connect_timeout": CONNECT_TIMEOUTS[0], **options},
    )
    if not all(map(str.isprintable, (name, found.user, found.password, found.host, *options.values()))):
        raise ValueError("expected printable text, also where it is written with %")
    return found


def _hosts(places: str) -> tuple[str, str]:
    hosts, ports = [], []
    for place in places.split(",") if places else ():
        head, bracket, tail = place.rpartition("]")
        host, colon, port = (head + bracket, tail[:1], tail[1:]) if bracket else place.partition(":")
        if (colon and colon != ":") or (colon and not is_port(port)) or not host:
            raise ValueError("expected host:port, with a port from 1 to 65535, after the @")
        hosts.append(unquote(host.strip("[]")))
        ports.append(port)
    return ",".join(hosts), ",".join(ports) if any(ports) else ""


def _options(query: str) -> dict[str, str]:
    options = options_of(query)
    for name, value in options.items():
        if name not in OPTIONS:
            # The name itself is not shown: it may be a piece of a password.
            near = get_close_matches(name, OPTIONS, 1)
            advice = f"did you mean {near[0]}?" if near else "docs/configuration.md lists them"
            raise ValueError(f"unknown option after the ?; {advice}")
        if name == "sslmode" and value not in TLS_MODES:
            raise ValueError(f"sslmode: expected one of {', '.join(TLS_MODES)}")
        if name == "connect_timeout" and value not in CONNECT_TIMEOUTS:
            raise ValueError(
                f"connect_timeout: expected whole seconds from {CONNECT_TIMEOUTS[0]} to {CONNECT_TIMEOUTS[-1]}"
            )
        if name == "port" and not all(is_port(each) for each in value.split(",")):
            raise ValueError("port: expected numbers from 1 to 65535")
    return options
