# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The effective configuration: defaults, then the file, then the environment. The later one wins.

Built once, at start, before any thread. Immutable from then on.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from types import MappingProxyType

import msgspec
from msgspec import Struct

from runtime.config.checks import check
from runtime.config.environment import CONFIG_FILE, notes, read_environment
from runtime.config.file import read_file
from runtime.config.member import Choices, members, plain
from runtime.config.schema import Config


class Loaded(Struct, frozen=True):
    """A configuration, and where its values came from.

    `config`: the values.
    `sources`: by member (`HTTP.Port`), `default`, the file's path as given, or `environment POD_IP`.
    `notes`: what was accepted without effect, a line each.
    """

    config: Config
    sources: Mapping[str, str]
    notes: tuple[str, ...] = ()


def load(path: str | None, environ: Mapping[str, str], choices: Choices = MappingProxyType({})) -> Loaded:
    """Read and check the configuration. Raises ConfigError for the first thing that is wrong.

    Without a path it reads the file that METADATA_CENTER_CONFIG names, if any. `choices` has the texts that a member
    takes if the schema does not say, by path. A member that is not in it takes any text.
    """
    path = path or environ.get(CONFIG_FILE)
    tree = plain(Config())
    known = members(choices)
    sources = {member.path: "default" for member in known}
    for setting in chain(read_file(path, known) if path else (), read_environment(environ, known)):
        tree[setting.member.section][setting.member.key] = setting.value
        sources[setting.member.path] = setting.source
    config = msgspec.convert(tree, Config)
    check(config, sources)
    return Loaded(config=config, sources=MappingProxyType(sources), notes=notes(environ))
