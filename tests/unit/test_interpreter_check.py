# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The image's build fails where its interpreter was built without PGO or LTO."""

from __future__ import annotations

import re
import runpy
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHECK = "deploy/interpreter_check.py"

# As `sysconfig.get_config_var("CONFIG_ARGS")` has them of Docker's official image, and of pyenv.
OFFICIAL = (
    "'--build=x86_64-linux-gnu' '--enable-loadable-sqlite-extensions' '--enable-optimizations' "
    "'--enable-option-checking=fatal' '--enable-shared' '--with-lto' '--with-ensurepip' "
    "'LDFLAGS=-Wl,--strip-all' 'CFLAGS=-fno-omit-frame-pointer'"
)
PYENV = "'--prefix=/root/.pyenv/versions/3.11.7' '--enable-shared' 'LDFLAGS=-L/root/.pyenv/versions/3.11.7/lib'"


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        (OFFICIAL, []),
        (OFFICIAL.replace("--with-lto", "--with-lto=thin"), []),
        (OFFICIAL.replace("--with-lto", "--with-lto=no"), ["--with-lto"]),
        (OFFICIAL.replace("--enable-optimizations", "--enable-shared"), ["--enable-optimizations"]),
        (PYENV, ["--enable-optimizations", "--with-lto"]),
        ("", ["--enable-optimizations", "--with-lto"]),
    ],
)
def test_both_options_are_wanted(arguments: str, missing: list[str]) -> None:
    assert runpy.run_path(str(ROOT / CHECK))["missing"](arguments) == missing


@pytest.mark.parametrize("arguments", [OFFICIAL, PYENV])
def test_a_build_ends_where_one_is_missing(
    arguments: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sysconfig, "get_config_var", {"CONFIG_ARGS": arguments}.__getitem__)
    if arguments == OFFICIAL:
        runpy.run_path(str(ROOT / CHECK), run_name="__main__")
        assert capsys.readouterr().out == "the interpreter was built with PGO and LTO\n"
    else:
        with pytest.raises(SystemExit, match="without --enable-optimizations and --with-lto: take another base image"):
            runpy.run_path(str(ROOT / CHECK), run_name="__main__")


def test_the_image_is_checked_before_anything_is_installed_and_ships_what_was_checked() -> None:
    lines = (ROOT / "deploy/Containerfile").read_text().splitlines()
    steps = [line for line in lines if re.match(r"FROM|COPY|RUN|ARG", line)]
    assert [line.split()[1] for line in steps if line.startswith("FROM")] == ["${PYTHON}"] * 2
    begin = steps.index("FROM ${PYTHON} AS build")
    assert steps[begin + 1 : begin + 3] == [f"COPY {CHECK} /src/deploy/", f"RUN python /src/{CHECK}"]
    assert f"!{CHECK}" in (ROOT / ".dockerignore").read_text().splitlines()
