# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The effective configuration: defaults, then the file, then the environment, each winning over the one before.

Built once, at start, before any thread; immutable from then on.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from types import MappingProxyType

import msgspec
from msgspec import Struct

from runtime.config.checks import check
from runtime.config.environment import CONFIG_FILE, read_environment
from runtime.config.file import read_file
from runtime.config.member import Choices, members, plain
from runtime.config.schema import Config


class Loaded(Struct, frozen=True):
    """`sources` says for every member (`HTTP.Port`) where its value came from: `default`, the file's path as it was
    given, or `environment POD_IP`.
    """

    config: Config
    sources: Mapping[str, str]


def load(path: str | None, environ: Mapping[str, str], choices: Choices = MappingProxyType({})) -> Loaded:
    """Read and check everything; `ConfigError` for the first thing that is wrong.

    Without a path the file is the one that METADATA_CENTER_CONFIG names, if any. `choices` are the texts that a member
    takes where the schema does not say, by path; without them it takes any.
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
    return Loaded(config=config, sources=MappingProxyType(sources))
