# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Real terminals for tests: tmux, on a server of its own for each terminal."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shlex import join

import pytest

from tests.clusters import SECONDS, wait


class Terminal:
    """A terminal with a program in it. It stays when the program has ended."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "tmux"
        self._ended = folder / "ended"  # holds the exit code

    def start(self, command: Sequence[str], size: tuple[int, int], environment: dict[str, str], where: Path) -> None:
        """Start the program."""
        columns, lines = size
        # Renamed, so that it is there only with what it holds. The terminal stays, and with it what it shows.
        script = f"{join(command)}; echo $? > {self._ended}.new; mv {self._ended}.new {self._ended}; sleep 3600"
        named = [word for name, value in environment.items() for word in ("-e", f"{name}={value}")]
        place = ["-x", str(columns), "-y", str(lines), "-c", str(where)]
        self.tmux("-f", os.devnull, "new-session", "-d", "-s", "top", *place, *named, "sh", "-c", script)

    def tmux(self, *words: str) -> str:
        """Run a command of tmux and return its output."""
        command = ["tmux", "-S", str(self._socket), *words]
        # A program with COLUMNS and LINES does not ask its terminal. pytest imports readline, which sets both behind
        # Python's back, and a worker of pytest-xdist inherits them.
        settings = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=settings)
        return ran.stdout

    def press(self, *keys: str) -> None:
        """Press keys, by tmux's names."""
        for key in keys:
            self.tmux("send-keys", "-t", "top", key)

    def type(self, text: str) -> None:
        """Type a text."""
        self.tmux("send-keys", "-t", "top", "-l", text)

    def resize(self, columns: int, lines: int) -> None:
        """Give it another size."""
        self.tmux("resize-window", "-t", "top", "-x", str(columns), "-y", str(lines))

    @property
    def screen(self) -> str:
        """What the terminal shows."""
        return self.tmux("capture-pane", "-p", "-t", "top")

    def shows(self, *texts: str, seconds: float = SECONDS) -> str:
        """Wait until it shows the texts. Returns what it shows."""

        def found() -> str:
            assert not self._ended.exists(), f"the program has ended, before {texts}"
            screen = self.screen
            return screen if all(text in screen for text in texts) else ""

        try:
            return wait(found, f"the terminal shows {texts}", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.screen}") from None

    def hides(self, text: str) -> None:
        """Wait until it no longer shows a text."""
        wait(lambda: text not in self.screen, f"the terminal does not show {text!r}")

    def exit_code(self) -> int:
        """Wait for the program's end and return its exit code."""
        wait(self._ended.exists, "the program ends")
        return int(self._ended.read_text())


@contextmanager
def terminal(
    folder: Path, command: Sequence[str], size: tuple[int, int], environment: dict[str, str], where: Path
) -> Iterator[Terminal]:
    """Run a command in a terminal of this size. Skips the test where tmux is missing."""
    if shutil.which("tmux") is None:
        pytest.skip("needs tmux")
    found = Terminal(folder)
    found.start(command, size, environment, where)
    try:
        yield found
    finally:
        found.tmux("kill-session", "-t", "top")
