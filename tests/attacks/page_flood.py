# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Clients that ask a node for pages as fast as they are answered, in a process of their own.

`python -m tests.attacks.page_flood HOST PORT CLIENTS`: it writes a line when as many answers came as there are clients,
floods until its standard input ends, and then writes how often each status was answered, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from urllib.parse import urlencode

PAGES = ("/admin/login/", "/schema/", "/schema/?format=yaml", "/console/", "/docs/", "/", "/nope")


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """Read one answer with a length."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    return int(head[0].split()[1]), headers, await reader.readexactly(int(headers["content-length"]))


class Client:
    """One of them. `turn` is where in the list of pages it begins."""

    def __init__(self, host: str, port: int, login: bytes, turn: int, statuses: Counter[int]) -> None:
        self.host, self.port = host, port
        self._login = login
        self._turn = turn
        self._statuses = statuses

    async def run(self) -> None:
        """Ask until cancelled, on a connection that is kept for as long as the node keeps it."""
        while True:
            reader, writer = await asyncio.open_connection(self.host, self.port)
            try:
                while True:
                    self._turn += 1
                    # Every second one is a log-in with a wrong password.
                    page = PAGES[self._turn // 2 % len(PAGES)]
                    get = f"GET {page} HTTP/1.1\r\nHost: n\r\nAccept: text/html\r\n\r\n".encode()
                    writer.write(self._login if self._turn % 2 else get)
                    status, headers, _ = await read_answer(reader)
                    self._statuses[status] += 1
                    if headers.get("connection") == "close":
                        break
            except (ConnectionError, asyncio.IncompleteReadError):
                self._statuses[0] += 1
            finally:
                writer.close()


async def wrong_login(host: str, port: int) -> bytes:
    """Return a log-in that only its password stops: with the token of the form."""
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"GET /admin/login/ HTTP/1.1\r\nHost: n\r\nAccept: text/html\r\n\r\n")
    _, headers, _ = await read_answer(reader)
    writer.close()
    token = headers["set-cookie"].partition("csrftoken=")[2].partition(";")[0]
    body = urlencode({"csrfmiddlewaretoken": token, "username": "nobody", "password": "wrong", "next": "/admin/"})
    return (
        f"POST /admin/login/ HTTP/1.1\r\nHost: n\r\nAccept: text/html\r\nCookie: csrftoken={token}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


async def flood(host: str, port: int, number: int) -> None:
    """Flood until standard input ends."""
    statuses: Counter[int] = Counter()
    login = await wrong_login(host, port)
    clients = [Client(host, port, login, turn, statuses) for turn in range(number)]
    tasks = [asyncio.create_task(client.run()) for client in clients]
    while statuses.total() < number:
        await asyncio.sleep(0.05)
    sys.stdout.write("flooding\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    sys.stdout.write(json.dumps(statuses))


if __name__ == "__main__":
    asyncio.run(flood(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
