# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The URL of the log server, taken apart: `valkey://user:password@host:6379/0`. Pure.

No error of it shows a value, for a password may stand anywhere in a URL that is mistyped.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from msgspec import Struct

from runtime.config.url_parts import authority_of, is_port, options_of

PORT: Final = 6379
SENTINEL_PORT: Final = 26379
MAX_SENTINELS: Final = 9
OPTIONS: Final = ("ca", "cert", "db", "key", "sentinel_password", "sentinel_user")

_SCHEME = re.compile(r"(valkey|redis)(s?)(\+sentinel)?|rediss(\+sentinel)?|unix")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
EXPECTED: Final = (
    "expected a URL such as valkey://user:password@host:6379/0, or redis://, valkeys:// or rediss:// (TLS), "
    "unix:///path/of/socket, valkey+sentinel://host:26379,host:26379/NAME, or nothing for no log"
)


class LogUrl(Struct, frozen=True, kw_only=True):
    """Where the log server is, or the Sentinels that know.

    `hosts`: host and port of the server, or of each Sentinel. Empty for a Unix socket.
    `socket`: path of the Unix socket.
    `sentinel`: the name by which the Sentinels know the server. Empty: there are none.
    `user`: empty: the server's default user.
    `password`: empty: none is asked for.
    `database`: its number.
    `tls`: whether the connection is encrypted, and the server's certificate verified.
    `ca`: file with the authorities that sign for the server. Empty: the system's.
    `cert`, `key`: files of the certificate that this node shows.
    `sentinel_user`, `sentinel_password`: what the Sentinels ask for, which have users of their own.
    """

    hosts: tuple[tuple[str, int], ...] = ()
    socket: str = ""
    sentinel: str = ""
    user: str = ""
    password: str = ""
    database: int = 0
    tls: bool = False
    ca: str = ""
    cert: str = ""
    key: str = ""
    sentinel_user: str = ""
    sentinel_password: str = ""

    @property
    def place(self) -> str:
        """Return where the server is, for people: without user and password."""
        if self.socket:
            return self.socket
        hosts = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts)
        return f"{self.sentinel} at the Sentinels {hosts}" if self.sentinel else hosts


def is_log_name(text: str) -> bool:
    """Return whether nodes may share a log under this name, and Sentinels know a server by it."""
    return _NAME.fullmatch(text) is not None


def parse_log_url(url: str) -> LogUrl:
    """Return the parts of a URL. Raises ValueError, which says what was expected and shows nothing of the URL."""
    scheme, separator, _ = url.partition("://")
    if not separator or not _SCHEME.fullmatch(scheme):
        raise ValueError(EXPECTED)
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("expected valkey://user:password@host:6379/0, IPv6 addresses in [ and ]") from None
    user, password, places = authority_of(url, parts)
    options = _options(parts.query)
    found = (_of_socket if scheme == "unix" else _of_hosts)(parts, places, options.pop("db", ""))
    tls = scheme.startswith(("valkeys", "rediss"))
    _check_options(options, tls=tls, sentinel=bool(found.sentinel))
    found = LogUrl(
        hosts=found.hosts,
        socket=found.socket,
        sentinel=found.sentinel,
        database=found.database,
        user=unquote(user),
        password=unquote(password),
        tls=tls,
        **options,
    )
    if found.user and not found.password:
        raise ValueError("expected user:password before the @; for a password without a user, :password")
    texts = (found.socket, found.user, found.password, *(host for host, _ in found.hosts), *options.values())
    if not all(map(str.isprintable, texts)):
        raise ValueError("expected printable text, also where it is written with %")
    return found


def _of_socket(parts: SplitResult, places: str, database: str) -> LogUrl:
    path = unquote(parts.path)
    if places or not path.strip("/"):
        raise ValueError("expected the path of a socket after three slashes: unix:///run/valkey/valkey.sock")
    return LogUrl(socket=path, database=_database(database))


def _of_hosts(parts: SplitResult, places: str, database: str) -> LogUrl:
    words = [unquote(word) for word in parts.path.split("/")[1:] if word]
    sentinel = ""
    if "+sentinel" in parts.scheme:
        if not words or not is_log_name(words[0]):
            raise ValueError("expected the name of the server at the Sentinels: valkey+sentinel://host:26379/NAME")
        sentinel = words.pop(0)
    if len(words) > 1 or (words and database):
        raise ValueError("expected at most one number of a database after the host: valkey://host:6379/0")
    hosts = _hosts(places, SENTINEL_PORT if sentinel else PORT)
    if len(hosts) > (MAX_SENTINELS if sentinel else 1):
        raise ValueError(
            f"expected at most {MAX_SENTINELS} Sentinels" if sentinel else "expected one host; several are Sentinels"
        )
    return LogUrl(hosts=hosts, sentinel=sentinel, database=_database(words[0] if words else database))


def _database(text: str) -> int:
    if text and not (text.isascii() and text.isdigit() and len(text) < 6):
        raise ValueError("expected the number of a database, such as 0")
    return int(text or 0)


def _hosts(places: str, default: int) -> tuple[tuple[str, int], ...]:
    found = []
    for place in places.split(","):
        head, bracket, tail = place.rpartition("]")
        host, colon, port = (head + bracket, tail[:1], tail[1:]) if bracket else place.partition(":")
        if (colon and (colon != ":" or not is_port(port))) or not host.strip("[]"):
            raise ValueError("expected host:port, with a port from 1 to 65535")
        found.append((unquote(host.strip("[]")), int(port or default)))
    return tuple(found)


def _options(query: str) -> dict[str, str]:
    options = options_of(query)
    if options.keys() - set(OPTIONS):  # the name itself is not shown: it may be a piece of a password
        raise ValueError(f"unknown option after the ?; expected {', '.join(OPTIONS)}")
    return options


def _check_options(options: dict[str, str], *, tls: bool, sentinel: bool) -> None:
    for name in ("ca", "cert", "key"):
        if name in options and not tls:
            raise ValueError(f"{name}: needs TLS, valkeys:// or rediss://")
    if ("cert" in options) != ("key" in options):
        raise ValueError("cert and key: expected both or neither")
    for name in ("sentinel_user", "sentinel_password"):
        if name in options and not sentinel:
            raise ValueError(f"{name}: needs Sentinels, valkey+sentinel://host:26379/NAME")
