# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Numbers as people read them. `numbers.test.mjs` holds the scripts to the same cases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from console import numbers
from console.templatetags.numbers import compact

CASES = json.loads((Path(__file__).parent / "numbers.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["value"]))
def test_a_number_is_written_as_the_scripts_write_it(case: dict[str, Any]) -> None:
    value = case["value"]
    assert numbers.count(value) == case["count"]
    assert numbers.brief(value) == case["brief"]
    assert numbers.compact(value) == case["compact"]


def test_a_number_in_short_keeps_its_exact_form() -> None:
    assert compact(99_999) == "99,999"
    shown = compact(1_207_765)
    assert ">1.2M<" in shown
    assert shown.count("1,207,765") == 2  # on hover, and for screen readers
