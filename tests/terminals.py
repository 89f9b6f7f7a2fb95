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
    """A terminal with a program in it. It stays when the program has ended, and says with which exit code."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def tmux(self, *words: str) -> str:
        """Run a command of tmux and return its output."""
        command = ["tmux", "-S", str(self._socket), *words]
        # Named, as the process has more: pytest imports readline, and that sets COLUMNS and LINES behind Python's back.
        settings = dict(os.environ)
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
        self.tmux("resize-window", "-t", "top", "-x", str(columns), "-y", str(lines))

    @property
    def screen(self) -> str:
        """What the terminal shows."""
        return self.tmux("capture-pane", "-p", "-t", "top")

    def shows(self, *texts: str, seconds: float = SECONDS) -> str:
        """Wait until it shows the texts. Returns what it shows."""

        def found() -> str:
            screen = self.screen
            return screen if all(text in screen for text in texts) else ""

        try:
            return wait(found, f"the terminal shows {texts}", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.screen}") from None

    def exit_code(self) -> int:
        """Wait for the program's end and return its exit code."""
        read = ["display-message", "-p", "-t", "top", "#{pane_dead} #{pane_dead_status}"]
        wait(lambda: self.tmux(*read).startswith("1"), "the program ends")
        return int(self.tmux(*read).split()[1])


@contextmanager
def terminal(
    folder: Path, command: Sequence[str], size: tuple[int, int], environment: dict[str, str], where: Path
) -> Iterator[Terminal]:
    """Run a command in a terminal of this size. Skips the test where tmux is missing."""
    if shutil.which("tmux") is None:
        pytest.skip("needs tmux")
    columns, lines = size
    found = Terminal(folder / "tmux")
    settings = [
        "-f",
        os.devnull,
        "new-session",
        "-d",
        "-s",
        "top",
        "-x",
        str(columns),
        "-y",
        str(lines),
        "-c",
        str(where),
    ]
    named = [word for name, value in environment.items() for word in ("-e", f"{name}={value}")]
    # The window stays when its program ends: `remain-on-exit` is set before the program begins.
    found.tmux(*settings, *named, "sleep 600")
    try:
        found.tmux("set-option", "-g", "remain-on-exit", "on")
        found.tmux("respawn-pane", "-k", "-t", "top", f"exec {join(command)}")
        yield found
    finally:
        found.tmux("kill-session", "-t", "top")
