# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium, spoken to in its own DevTools protocol: enough to open pages, press buttons and read."""

from __future__ import annotations

import json
import subprocess
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import Any

from websockets.sync.client import ClientConnection, connect

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)
SECONDS = 300.0


class PageGone(Exception):
    """The page was left while it was asked something."""


class Tab:
    """One tab. `complaints` gathers errors of scripts, failed loads and violations of the page's own policy."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._session: str | None = None
        self._last_id = 0
        self.complaints: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command and its result."""
        self._last_id += 1
        command = {"id": self._last_id, "method": method, "params": parameters}
        self._socket.send(json.dumps(command | ({"sessionId": self._session} if self._session else {})))
        while True:
            message = json.loads(self._socket.recv(timeout=SECONDS))
            if message.get("id") == self._last_id:
                if "error" in message:
                    raise PageGone(message["error"]["message"])
                result: dict[str, Any] = message["result"]
                return result
            self._note(message)

    def open(self, url: str) -> None:
        """Go there and wait until all of it has loaded."""
        self._mark()
        self.call("Page.navigate", url=url)
        self.until("!window.before && document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """The value of an expression."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise PageGone(result["exceptionDetails"]["text"])
        return result["result"].get("value")

    def until(self, condition: str) -> None:
        """Wait until an expression is true, in this page or one that comes after it.

        An expression that throws, as one does about a page that is half there, is not true yet.
        """
        asked = f"new Promise(done => setTimeout(done, 20)).then(() => Boolean({condition})).catch(() => false)"
        ends = monotonic() + SECONDS
        while monotonic() < ends:
            try:
                if self.run(asked):
                    return
            except PageGone:
                continue
        raise AssertionError(f"never true: {condition}\n{self.text()}")

    def _mark(self) -> None:
        """Mark the page that is there, also if it is just being left for another."""
        while True:
            with suppress(PageGone):
                self.run("window.before = true")
                return

    def text(self) -> str:
        """What a person reads."""
        return str(self.run("document.body.innerText"))

    def _note(self, message: dict[str, Any]) -> None:
        parameters = message.get("params", {})
        if message.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(parameters["exceptionDetails"]["text"])
        elif message.get("method") == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.complaints.append(parameters["entry"]["text"])


@contextmanager
def chromium(program: str, folder: Path) -> Iterator[Tab]:
    """A tab of a browser of its own, which keeps its files in `folder`."""
    command = [program, *FLAGS, f"--user-data-dir={folder}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    # What it goes on to say is read, too: with its pipe full it would stand still.
    reader = Thread(target=deque, args=(process.stderr, 0), daemon=True)
    try:
        address = next(line.split()[-1] for line in process.stderr if line.startswith("DevTools listening on"))
        reader.start()
        with connect(address, max_size=None, proxy=None, open_timeout=SECONDS, ping_interval=None) as socket:
            yield Tab(socket)
            socket.send(json.dumps({"id": 0, "method": "Browser.close"}))
            with suppress(subprocess.TimeoutExpired):  # then it is killed
                process.wait(SECONDS)
    finally:
        process.kill()
        process.wait()
        if reader.ident is not None:
            reader.join(SECONDS)
        process.stderr.close()
