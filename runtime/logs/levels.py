# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The six log levels under their three names: the contract's, the configuration's (1 … 6) and Python's.

Constants and one pure function. `WARN` and `FATAL` are what Python calls `WARNING` and `CRITICAL`; `TRACE` is 5, as
uvicorn has it.
"""

from __future__ import annotations

import logging
from types import MappingProxyType
from typing import Final

TRACE: Final = 5

# Quietest last, as `POST /log/level` names them.
PYTHON_LEVELS: Final = MappingProxyType(
    {
        "TRACE": TRACE,
        "DEBUG": logging.DEBUG,
        "INFO": logging.INFO,
        "WARN": logging.WARNING,
        "ERROR": logging.ERROR,
        "FATAL": logging.CRITICAL,
    }
)

# `[Log] Level`: 1 fatal … 6 trace.
CONFIG_LEVELS: Final = MappingProxyType(dict(enumerate(reversed(PYTHON_LEVELS), start=1)))

_DESCENDING: Final = tuple(sorted(((number, name) for name, number in PYTHON_LEVELS.items()), reverse=True))


def name_of(number: int) -> str:
    """Return the contract's name for a Python level. A level in between has the name of the next lower one."""
    return next((name for least, name in _DESCENDING if number >= least), "TRACE")


class UnknownLevel(ValueError):
    """The name of a level that does not exist. The text names the member and the levels."""
