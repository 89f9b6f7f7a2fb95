# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What `metadata-center config` prints."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from runtime.config import load
from runtime.config.member import members
from runtime.config.report import render


def test_every_member_stands_on_a_line_with_its_source(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('[HTTP]\nPort = 9\nReadTimeout = 90\n[Web]\nAllowedHosts = ["a"]\n[Node]\nDataDir = "/dätä"')
    text = render(load(str(file), {"POD_IP": "10.0.0.7"}))
    lines = [" ".join(line.split()) for line in text.splitlines() if line]
    assert [line.split(" = ")[0] for line in lines] == [f"[{member.section}] {member.key}" for member in members()]
    assert f"[HTTP] Port = 9 # {file}" in lines
    assert f'[HTTP] ReadTimeout = "1m30s" # {file}' in lines
    assert f'[Web] AllowedHosts = ["a"] # {file}' in lines
    assert f'[Node] DataDir = "/dätä" # {file}' in lines
    assert '[Node] Address = "10.0.0.7" # environment POD_IP' in lines
    assert "[Web] Debug = false # default" in lines


def test_sources_are_aligned_and_sections_apart() -> None:
    text = render(load(None, {}))
    assert len({line.rindex("#") for line in text.splitlines() if line}) == 1
    sections = [{line.split()[0] for line in block.splitlines()} for block in text.split("\n\n")]
    assert sections == [{f"[{name}]"} for name in dict.fromkeys(member.section for member in members())]


def test_values_are_written_as_in_toml(tmp_path: Path) -> None:
    text = render(load(None, {}))
    file = tmp_path / "copy.toml"
    file.write_text("\n".join(line.replace("[", "", 1).replace("] ", ".", 1) for line in text.splitlines()))
    assert tomllib.loads(file.read_text())["HTTP"]["Port"] == 8080
    assert load(str(file), {}).config == load(None, {}).config


@pytest.mark.parametrize(
    ("broker", "masked"),
    [
        ("memory://", "memory://"),
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("redis://:hunter2@host:6379/0", "redis://***@host:6379/0"),
        ("amqp://user:hunter2@host//", "amqp://***@host//"),
        ("amqp://user:hun@ter/2@host//", "amqp://***@host//"),
        ("amqp://user:hunter2@a;amqp://user:hunter2@b", "amqp://***@b"),
        ("redis://host/0?password=hunter2", "redis://host/0?***"),
        ("redis://host/0?password=hun@ter2", "***"),
        ("redis://user:hun?ter2@host", "***"),
    ],
)
def test_passwords_are_masked(broker: str, masked: str) -> None:
    text = render(
        load(None, {"METADATA_CENTER_CELERY_BROKER": broker, "METADATA_CENTER_WEB_SECRET_KEY": "a://hunter2"})
    )
    assert f'[Celery] Broker = "{masked}" ' in text
    assert '[Web] SecretKey = "***" ' in text
    assert "ter2" not in text


def test_an_unset_secret_is_shown_as_unset() -> None:
    assert '[Web] SecretKey = "" ' in render(load(None, {}))
