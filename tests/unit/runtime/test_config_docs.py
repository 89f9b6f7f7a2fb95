# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The shipped file and the documentation say what the schema says."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from runtime.config import Config, ConfigError, load
from runtime.config.durations import parse_duration
from runtime.config.environment import variable, variables
from runtime.config.member import members, plain

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "configs" / "config.toml"
DOCS = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")


def test_the_shipped_file_lists_every_key_with_its_default() -> None:
    tree = tomllib.loads(SHIPPED.read_text(encoding="utf-8"))
    listed = [f"{section}.{key}" for section, table in tree.items() for key in table]
    assert listed == [member.path for member in members()]
    loaded = load(str(SHIPPED), {})
    assert loaded.config == Config()
    assert set(loaded.sources.values()) == {str(SHIPPED)}


def test_the_shipped_file_explains_every_section_and_key() -> None:
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    explained = [lines[at - 1].startswith("# ") for at, line in enumerate(lines) if line.startswith("[")]
    explained += [" # " in line for line in lines if " = " in line and not line.startswith("#")]
    assert len(explained) == len(members()) + len(plain(Config()))
    assert all(explained)


def test_the_table_of_the_documentation_is_the_schema() -> None:
    rows = re.findall(r"^\| (\w+) \| (\w+) \| `(\w+)` \| `(.+?)` \| (.+) \|$", DOCS, re.MULTILINE)
    defaults = plain(Config())
    assert [row[:3] for row in rows] == [(member.section, member.key, variable(member)) for member in members()]
    for member, (section, key, _, written, meaning) in zip(members(), rows, strict=True):
        default = parse_duration(written) if member.is_duration else json.loads(written)
        assert (member.path, default) == (member.path, json.loads(json.dumps(defaults[section][key])))
        assert meaning.endswith((".", "`"))
        assert re.findall(r"\bAlso `(METADATA_\w+)`", meaning) == list(variables(member)[1:])


def test_the_examples_of_the_documentation_mean_the_same_in_each_format(tmp_path: Path) -> None:
    configs = []
    for suffix in ("toml", "yaml", "json"):
        match = re.search(rf"^```{suffix}\n(.+?)^```$", DOCS, re.MULTILINE | re.DOTALL)
        assert match
        file = tmp_path / f"config.{suffix}"
        file.write_text(match[1])
        configs.append(load(str(file), {}).config)
    assert configs[0] == configs[1] == configs[2] != Config()


@pytest.mark.parametrize(
    ("text", "environ"),
    [
        ('[HTTP]\nPort = "http"', {}),
        ("[HTTP]\nProt = 80", {}),
        ("# comment\n[HTTP]\nPort = http", {}),
        ('[HTTP]\nCertFile = "a.crt"', {}),
        ("", {"REPLICA_DNS_LOOKUP_INTERVAL": "5"}),
        ("", {"METADATA_CENTER_HTTP_PRT": "80"}),
    ],
)
def test_the_errors_in_the_documentation_are_the_real_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, environ: dict[str, str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("configs").mkdir()
    Path("configs/config.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load("configs/config.toml", environ)
    assert f"\n{caught.value}\n" in DOCS
