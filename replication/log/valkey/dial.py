# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Opens connections to the log server that a URL names: asks Sentinels where it is, agrees on TLS, shows the password,
looks at its version. Owner: the event loop.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, Final

from replication.log.server import LogAway, LogError, LogRefused
from replication.log.valkey.fault import away
from replication.log.valkey.wire import Wire
from runtime.config.log_url import LogUrl
from runtime.tls import CertificateFault, load_authorities, load_pair

# The first major version of each that is supported.
OLDEST: Final = {"valkey": 8, "redis": 7}
CLIENT_NAME: Final = "metadata-center"


class Dial:
    """Opens connections.

    `version`: what the server was when the last one was opened, as "Valkey 9.1.0".
    """

    def __init__(self, url: LogUrl, *, dial_seconds: float, patience_seconds: float) -> None:
        self.version = ""
        self._url = url
        self._dial_seconds = dial_seconds
        self._patience_seconds = patience_seconds
        self._sentinels = list(url.hosts) if url.sentinel else []

    async def open(self) -> Wire:
        """Open a connection that commands can be sent on. Raises LogAway or LogRefused."""
        url = self._url
        context = await self._context() if url.tls else None
        host, port = await self._ask_sentinels(context) if url.sentinel else (url.hosts or (("", 0),))[0]
        wire = await self._connect(host, port, context)
        try:
            hello = await _greet(wire, url.user, url.password)
            self.version = _check_version(hello)
            _check_role(hello)
            await asyncio.gather(
                wire.send("CLIENT", "SETNAME", CLIENT_NAME),
                *([wire.send("SELECT", url.database)] if url.database else []),
            )
        except BaseException:
            wire.close()
            raise
        return wire

    async def _context(self) -> ssl.SSLContext:
        """Read the certificates' files anew: they may have been renewed since the last connection."""
        try:
            return await asyncio.get_running_loop().run_in_executor(None, _tls_context, self._url)
        except (OSError, CertificateFault) as error:
            raise LogRefused(f"a certificate of [Replication] Log cannot be read: {error}") from None

    async def _connect(self, host: str, port: int, context: ssl.SSLContext | None) -> Wire:
        loop = asyncio.get_running_loop()

        def wire() -> Wire:
            return Wire(self._patience_seconds)

        try:
            async with asyncio.timeout(self._dial_seconds):
                if self._url.socket:
                    _, opened = await loop.create_unix_connection(wire, self._url.socket)
                else:
                    _, opened = await loop.create_connection(wire, host, port, ssl=context)
        except TimeoutError:
            raise LogAway(f"no connection within {self._dial_seconds:g} s") from None
        except OSError as error:
            raise away(error) from None
        except (ValueError, OverflowError):
            # The text of neither is shown: a part of a password may be in a URL's host, if it was not written with %.
            raise LogRefused("its name or port is none that can be looked up") from None
        return opened

    async def _ask_sentinels(self, context: ssl.SSLContext | None) -> tuple[str, int]:
        """Ask one Sentinel after the other where the server is. The one that knew is asked first the next time."""
        reasons = []
        for place in tuple(self._sentinels):
            try:
                found = await self._ask_sentinel(place, context)
            except LogError as error:
                reasons.append(str(error))
                continue
            if found is None:
                reasons.append(f"it knows no server {self._url.sentinel}")
                continue
            self._sentinels.remove(place)
            self._sentinels.insert(0, place)
            return found
        raise LogAway(f"no Sentinel says where it is: {'; '.join(dict.fromkeys(reasons))}")

    async def _ask_sentinel(self, place: tuple[str, int], context: ssl.SSLContext | None) -> tuple[str, int] | None:
        wire = await self._connect(*place, context)
        try:
            if self._url.sentinel_password:
                await _greet(wire, self._url.sentinel_user, self._url.sentinel_password)
            found = await wire.send("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._url.sentinel)
        finally:
            wire.close()
        match found:
            case [bytes() as host, bytes() as port] if port.isdigit():
                return host.decode(errors="replace"), int(port)
        return None


async def _greet(wire: Wire, user: str, password: str) -> dict[Any, Any]:
    """Show the password. Returns what the server says of itself."""
    credentials = ("AUTH", user or "default", password) if password else ()
    hello = await wire.send("HELLO", 2, *credentials)
    return dict(zip(hello[::2], hello[1::2], strict=False)) if isinstance(hello, list) else {}


def _check_version(hello: dict[Any, Any]) -> str:
    """Return name and version of a server. Raises LogRefused if it is too old."""
    name = str(hello.get(b"server", b"redis"), "utf-8", "replace")
    version = str(hello.get(b"version", b"0"), "utf-8", "replace")
    major = version.partition(".")[0]
    found = f"{name.capitalize()} {version}"[:64]
    if not major.isdigit() or int(major) < OLDEST.get(name, OLDEST["redis"]):
        raise LogRefused(f"it is {found}; the log needs Valkey 8 or Redis 7, or later")
    return found


def _check_role(hello: dict[Any, Any]) -> None:
    """Raise LogAway if a server is a replica. It may become the server, or the Sentinels name another one soon."""
    if hello.get(b"role", b"master") != b"master":
        raise LogAway("it is a replica, which takes no writes")


def _tls_context(url: LogUrl) -> ssl.SSLContext:
    context = ssl.create_default_context() if not url.ca else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if url.ca:
        load_authorities(context, url.ca)
    if url.cert:
        load_pair(context, url.cert, url.key)
    return context
