# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""LiteLLM's proxy over three make-believe engines, a node that knows their load, some traffic, and `top` beside it.

`make run-litellm` starts it. `q` in `top`, or control-C at any time, ends all of it. What the programs say is in
`var/run-litellm/`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from http.client import HTTPException
from pathlib import Path
from random import choice, randrange
from threading import Event, Thread

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BIN, LITELLM = ROOT / ".venv" / "bin", ROOT / ".venv-litellm" / "bin" / "litellm"
SPEEDS = ("1.0", "1.0", "0.5")  # the third engine is slow: it gets less to do
PORTS = (4000, 4001, 4002, 4003, 4004)  # the proxy, the node, the engines
START_SECONDS = 600.0  # LiteLLM's proxy takes 20 on an idle machine
USERS = 12
LAST_SECONDS = 10.0  # for their last answers
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
CLIENT = {"PYTHONPATH": str(ROOT / "clients" / "python" / "src")}


def options_of(words: Sequence[str] | None = None) -> Namespace:
    parser = ArgumentParser(description="Run LiteLLM's proxy, three engines, a node and `top`.")
    parser.add_argument("--python", type=Path, default=BIN / "python", help="has what a node and `top` need")
    parser.add_argument("--litellm", type=Path, default=LITELLM, help="LiteLLM's program")
    parser.add_argument("--ports", nargs=5, type=int, default=PORTS, help="of the proxy, the node and the engines")
    parser.add_argument("--folder", type=Path, default=ROOT / "var" / "run-litellm", help="for data and output")
    return parser.parse_args(words)


class Programs:
    """The programs that run. They end with the block."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._stack = ExitStack()
        self._running: list[tuple[str, subprocess.Popen[bytes]]] = []

    def __enter__(self) -> Programs:
        return self

    def __exit__(self, *error: object) -> None:
        for stop in STOPS:
            signal.signal(stop, signal.SIG_IGN)  # a second control-C would leave some of them
        for _, process in reversed(self._running):
            process.terminate()
        for _, process in self._running:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._stack.close()

    def start(self, name: str, command: Sequence[object], **environment: str) -> None:
        """Start a program. Its output goes to a file of its name."""
        output = self._stack.enter_context((self._folder / f"{name}.log").open("wb"))
        settings = os.environ | CLIENT | environment
        words = [str(word) for word in command]
        process = subprocess.Popen(
            words, cwd=ROOT, env=settings, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        self._running.append((name, process))

    def show(self, command: Sequence[object]) -> int:
        """Run a program in this terminal until it ends. Returns its exit code.

        If this program is told to end, so is that one, which then leaves the terminal as it was. `subprocess.run` would
        kill it.
        """
        process = subprocess.Popen([str(word) for word in command], cwd=ROOT, env=os.environ | CLIENT)
        self._running.append(("top", process))
        try:
            return process.wait()
        finally:
            process.terminate()

    def wait_for(self, url: str) -> None:
        """Wait until a URL answers. Ends this program if one of the others has ended, or after `START_SECONDS`."""
        ends = time.monotonic() + START_SECONDS
        while time.monotonic() < ends:
            for name, process in self._running:
                if process.poll() is not None:
                    said = (self._folder / f"{name}.log").read_text(errors="replace")
                    sys.exit(f"{name} has ended:\n{said[-2_000:]}")
            with suppress(OSError), urllib.request.urlopen(url, timeout=5):
                return
            time.sleep(0.2)
        sys.exit(f"{url} did not answer")


def send(proxy: str, over: Event) -> None:
    """Send prompts of random lengths, one after the other, until it is over. Half of the answers are streamed."""
    while not over.is_set():
        prompt = "word " * randrange(10, 400)
        body = {"model": "demo", "stream": choice([True, False]), "messages": [{"role": "user", "content": prompt}]}
        request = urllib.request.Request(
            f"{proxy}/v1/chat/completions", json.dumps(body).encode(), {"content-type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                answer.read()
        except (OSError, HTTPException):
            over.wait(0.5)


def end(*_: object) -> None:
    """End this program, and with it the others."""
    sys.exit(1)


def main() -> int:
    options = options_of()
    if not sys.stdin.isatty():
        sys.exit("expected a terminal, for top")
    for stop in STOPS:
        signal.signal(stop, end)
    proxy_port, node_port, *engine_ports = options.ports
    proxy, node = f"http://127.0.0.1:{proxy_port}", f"http://127.0.0.1:{node_port}"
    over = Event()
    with Programs(options.folder) as programs:
        for number, (port, speed) in enumerate(zip(engine_ports, SPEEDS, strict=True), start=1):
            programs.start(f"engine-{number}", [options.python, HERE / "engine.py", port, speed])
        programs.start(
            "node",
            [options.python, "manage.py", "run"],
            POD_IP="127.0.0.1",
            METADATA_CENTER_HTTP_HOST="127.0.0.1",
            METADATA_CENTER_HTTP_PORT=str(node_port),
            METADATA_CENTER_PPROF_ENABLE="false",
            METADATA_CENTER_NODE_DATA_DIR=str(options.folder / "node"),
        )
        programs.start(
            "proxy",
            [options.litellm, "--config", HERE / "config.yaml", "--host", "127.0.0.1", "--port", proxy_port],
            METADATA_CENTER_NODES=node,
            # Open to this machine only, and so without a key.
            LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY="true",
            LITELLM_LOCAL_MODEL_COST_MAP="True",
            **{f"ENGINE_{number}": f"http://127.0.0.1:{port}/v1" for number, port in enumerate(engine_ports, start=1)},
        )
        print(f"the proxy is at {proxy}, the node's console at {node}/console/", flush=True)
        print("waiting until both answer: LiteLLM takes half a minute to start", flush=True)
        programs.wait_for(f"{node}/readyz")
        programs.wait_for(f"{proxy}/health/liveliness")
        users = [Thread(target=send, args=(proxy, over), daemon=True) for _ in range(USERS)]
        for user in users:
            user.start()
        try:
            return programs.show([options.python, "manage.py", "top", node])
        finally:
            over.set()
            ends = time.monotonic() + LAST_SECONDS
            for user in users:
                user.join(max(0.0, ends - time.monotonic()))


if __name__ == "__main__":
    sys.exit(main())
