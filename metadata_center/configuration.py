# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How this project reads its configuration: the choices that the apps offer are handed to the loader here.

Pure but for reading the file. The settings call it at start, the command line for `metadata-center config`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from loadstats.pick.policies import POLICIES
from runtime.config import Loaded, load

logger = logging.getLogger(__name__)


def load_configuration(path: str | None, environ: Mapping[str, str]) -> Loaded:
    """Return the configuration from the file and the environment. Raises `ConfigError` for the first wrong value."""
    return load(path, environ, choices={"Pick.Policy": sorted(POLICIES)})


def log_notes(loaded: Loaded) -> None:
    """Log what was accepted without effect. Called once logging is set up."""
    for note in loaded.notes:
        logger.info("%s", note)
