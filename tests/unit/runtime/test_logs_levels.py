# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The three names of each level."""

from __future__ import annotations

import logging

import pytest

from runtime.logs.levels import CONFIG_LEVELS, PYTHON_LEVELS, name_of


def test_the_configuration_counts_from_fatal_to_trace() -> None:
    assert dict(CONFIG_LEVELS) == {1: "FATAL", 2: "ERROR", 3: "WARN", 4: "INFO", 5: "DEBUG", 6: "TRACE"}


def test_every_name_has_its_python_level_and_back() -> None:
    assert PYTHON_LEVELS["TRACE"] == 5
    assert PYTHON_LEVELS["FATAL"] == logging.CRITICAL
    assert all(name_of(number) == name for name, number in PYTHON_LEVELS.items())


@pytest.mark.parametrize(("number", "name"), [(0, "TRACE"), (7, "TRACE"), (25, "INFO"), (35, "WARN"), (99, "FATAL")])
def test_a_level_in_between_has_the_next_lower_name(number: int, name: str) -> None:
    assert name_of(number) == name
