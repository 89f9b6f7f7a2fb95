# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One node's configuration, from a file and the environment."""

from runtime.config.error import ConfigError
from runtime.config.loaded import Loaded, load
from runtime.config.schema import Config

__all__ = ["Config", "ConfigError", "Loaded", "load"]
