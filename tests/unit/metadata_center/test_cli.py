# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The process of the command line: garbage is looked for seldom at its start and not at all at its end."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from metadata_center import cli


@pytest.mark.parametrize("ends", [0, 2, SystemExit(2), RuntimeError("no")])
def test_however_a_command_ends_what_is_left_is_not_searched(
    monkeypatch: pytest.MonkeyPatch, ends: int | BaseException
) -> None:
    did = []

    def main() -> int:
        did.append("main")
        if isinstance(ends, BaseException):
            raise ends
        return ends

    collector = SimpleNamespace(
        set_threshold=lambda young: did.append(f"after {young}"), freeze=lambda: did.append("freeze")
    )
    monkeypatch.setattr(cli, "gc", collector)
    monkeypatch.setattr(cli, "main", main)
    monkeypatch.setattr(cli, "let_interrupts_end_the_process", lambda: None)
    if isinstance(ends, int):
        assert cli.start() == ends
    else:
        with pytest.raises(type(ends)):
            cli.start()
    assert did == ["after 100000", "main", "freeze"]
