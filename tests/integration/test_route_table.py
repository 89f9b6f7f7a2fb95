# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The table in `docs/security.md` has every route, and says what real nodes answer to every kind of caller."""

from __future__ import annotations

import re

import pytest

from tests.route_table import BEGIN, CALLERS, Line, answers, filled, in_document, lines, render

# For everyone, also where keys are required. `hello` gives a peer what it proves the secret with.
OPEN_CALLS = {"/livez", "/readyz", "/version", "/v1/replica/hello"}
OPEN = OPEN_CALLS | {"/static/…", "/admin/login/"}
REFUSED = frozenset({"302", "401", "403"})


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[Line, tuple[tuple[str, str], ...]]:
    return answers(lines(), tmp_path_factory.mktemp("nodes"))


def test_every_route_has_a_line_in_the_document() -> None:
    named = re.findall(r"^\| [^`|]*`(\w+ (?:[^`|]|\\\|)+)` \|", in_document(), re.MULTILINE)
    assert [name.replace("\\|", "|") for name in named] == [f"{line.method} {line.name}" for line in lines()], (
        "run `.venv/bin/python -m tests.route_table`, and look at what it changed"
    )


@pytest.mark.parametrize("pattern", ["things/<int:number>/", "things/<slug:name>/"])
def test_a_new_kind_of_parameter_needs_a_value(pattern: str) -> None:
    with pytest.raises(KeyError):
        filled(pattern)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_document_says_what_nodes_answer(found: dict[Line, tuple[tuple[str, str], ...]]) -> None:
    assert render(found).splitlines() == in_document().splitlines(), (
        f"stale between {BEGIN!r} and its end: run `.venv/bin/python -m tests.route_table`"
    )


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_nothing_that_changes_the_node_is_open_to_strangers_and_foreign_pages(
    found: dict[Line, tuple[tuple[str, str], ...]],
) -> None:
    """Which routes those are is said by the routes themselves, not by the document."""
    from edge.caller import Scope  # noqa: PLC0415
    from edge.dispatcher import Dispatcher  # noqa: PLC0415
    from tests.route_table import published  # noqa: PLC0415

    assert {each.path for each in published()[Dispatcher].table if each.scope is None} == OPEN_CALLS
    operate = {(each.method, each.path) for each in published()[Dispatcher].table if each.scope is Scope.OPERATE}
    assert operate
    for line, cells in found.items():
        by_caller = dict(zip(CALLERS, cells, strict=True))
        if line.kind in {"form", "profile"} or (line.method, line.name) in operate:
            assert set(by_caller["stranger"]) <= REFUSED, line
            assert set(by_caller["read key"]) <= REFUSED, line
            assert set(by_caller["peer"]) <= REFUSED, line
        if line.method != "GET" or line.kind == "socket":
            assert set(by_caller["foreign page"]) <= REFUSED, line
        if line.name not in OPEN:
            assert by_caller["stranger"][1] in REFUSED | {"404", "405"}, line
