# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The configuration file: TOML, YAML or JSON, by its suffix. Read once, at start."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from runtime.config.error import ConfigError, did_you_mean, shown
from runtime.config.member import ChosenValue, Member

# Keys of the Go version, named after its web framework, and their names here.
ALIASES = {("Log", "GinOutput"): "AccessOutput", ("Log", "GinOutputFile"): "AccessOutputFile"}


def read_file(path: str, members: Iterable[Member]) -> Iterator[ChosenValue]:
    """Read the values of `members` in the file.

    Raises ConfigError for a file that cannot be read, an unknown name or a bad value.
    """
    sections = _sections(members)
    for section, table in _parse(path).items():
        if section not in sections:
            raise ConfigError(
                f"{path}: unknown section {shown(section)}{did_you_mean(str(section), {s: s for s in sections})}"
            )
        if table is None:  # YAML: a heading with nothing below it
            continue
        if not isinstance(table, dict):
            raise ConfigError(f"{path}: [{section}]: expected keys and values, got {shown(table)}")
        known = sections[section]
        first: dict[str, str] = {}
        for key, value in table.items():
            if key not in known:
                raise ConfigError(
                    f"{path}: [{section}]: unknown key {shown(key)}{did_you_mean(str(key), {k: k for k in known})}"
                )
            member = known[key]
            twin = first.setdefault(member.key, key)
            if twin != key and table[twin] != value:
                raise ConfigError(f"{path}: [{section}] {key}: differs from {twin}, which means the same; keep one")
            try:
                yield ChosenValue(member, member.convert(value), path)
            except ValueError as problem:
                raise ConfigError(f"{path}: [{section}] {key}: {problem}") from None


def _sections(members: Iterable[Member]) -> dict[str, dict[str, Member]]:
    sections: dict[str, dict[str, Member]] = {}
    for member in members:
        sections.setdefault(member.section, {})[member.key] = member
    for (section, alias), key in ALIASES.items():
        sections[section][alias] = sections[section][key]
    return sections


def _parse(path: str) -> dict[Any, object]:
    suffix = Path(path).suffix.lower()
    if suffix not in {".toml", ".yaml", ".yml", ".json"}:
        raise ConfigError(f"{path}: expected a name that ends in .toml, .yaml, .yml or .json")
    try:
        text = Path(path).read_text(encoding="utf-8-sig")  # some editors put a byte order mark first
        tree: object
        match suffix:
            case ".toml":
                tree = tomllib.loads(text)
            case ".json":
                tree = json.loads(text, object_pairs_hook=_unique)
            case _:
                tree = yaml.load(text, _UniqueKeyLoader)  # noqa: S506 a SafeLoader
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text (at byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}: {error.msg} (at line {error.lineno}, column {error.colno})") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" (at line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise ConfigError(f"{path}: {error.problem}{place}") from None
    except (ValueError, yaml.YAMLError) as error:  # TOML's own names line and column
        raise ConfigError(f"{path}: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply") from None
    if tree is None:  # an empty YAML file
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: expected sections of keys and values, got {shown(tree)}")
    return tree


# TOML refuses a key given twice; JSON and YAML would silently take the last.


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {shown(twice)} is given twice")
    return table


class _UniqueKeyLoader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        names = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in names:
                    problem = f"the key {shown(key.value)} is given twice"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                names.add(key.value)
        return super().construct_mapping(node, deep=deep)
