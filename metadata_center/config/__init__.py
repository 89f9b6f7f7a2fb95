# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One node's configuration, from a file and the environment."""

from metadata_center.config.error import ConfigError
from metadata_center.config.loaded import Loaded, load
from metadata_center.config.schema import Config

__all__ = ["Config", "ConfigError", "Loaded", "load"]
