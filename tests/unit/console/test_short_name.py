# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Long names, shortened in the middle. `short_name.test.mjs` holds the scripts to the same cases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from console.short_name import common_start, split

CASES = json.loads((Path(__file__).parent / "short_names.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: ", ".join(case["names"]))
def test_a_name_keeps_what_differs(case: dict[str, Any]) -> None:
    common = common_start(case["names"])
    assert common == case["common"]
    assert [split(name, common)[1] for name in case["names"]] == case["ends"]
    assert ["".join(split(name, common)) for name in case["names"]] == case["names"]
