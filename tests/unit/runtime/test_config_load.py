# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The layers together."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.config import Config, load
from runtime.config.member import members


def test_without_file_and_environment_the_defaults_hold() -> None:
    loaded = load(None, {})
    assert loaded.config == Config()
    assert loaded.sources == {member.path: "default" for member in members()}


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[Load]\nGCInterval = "10s"\nRequestExpire = "70s"\n[HTTP]\nPort = 8080')
    loaded = load(str(file), {"METADATA_CENTER_LOAD_GC_INTERVAL": "5s"})
    assert loaded.config.load.gc_interval_seconds == 5
    assert loaded.config.load.request_expire_seconds == 70
    assert loaded.config.load.tombstone_seconds == 60
    assert loaded.sources["Load.GCInterval"] == "environment METADATA_CENTER_LOAD_GC_INTERVAL"
    assert loaded.sources["Load.RequestExpire"] == str(file)
    assert loaded.sources["Load.TombstoneExpire"] == "default"
    assert loaded.sources["HTTP.Port"] == str(file)  # also where it says what the default says


def test_a_variable_names_the_file_where_the_caller_does_not(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[HTTP]\nPort = 1")
    (tmp_path / "b.toml").write_text("[HTTP]\nPort = 2")
    environ = {"METADATA_CENTER_CONFIG": str(tmp_path / "a.toml")}
    assert load(None, environ).config.http.port == 1
    assert load(str(tmp_path / "b.toml"), environ).config.http.port == 2


def test_what_is_loaded_cannot_be_changed() -> None:
    loaded = load(None, {})
    with pytest.raises(AttributeError):
        loaded.config.http.port = 1  # type: ignore[misc]
    with pytest.raises(AttributeError):
        loaded.config = Config()  # type: ignore[misc]
    with pytest.raises(TypeError):
        loaded.sources["HTTP.Port"] = "elsewhere"  # type: ignore[index]
