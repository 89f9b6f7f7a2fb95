# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Every contract case through every door: the lane, Daphne, runserver, and Django's own views."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any, cast

import pytest
from django.conf import settings
from django.test import Client

from loadstats.part import LoadStats
from metadata_center.node import Node
from runtime.config.schema import LogSettings
from runtime.health import Health, PartState
from runtime.logs import configure
from runtime.running import publish
from tests.contract.cases import Case, differences, read_cases
from tests.nodes import NodeProcess, running_node

Ask = Callable[[Case], tuple[int, dict[str, str], bytes]]

OWN_CASES = Path(__file__).parent / "own_cases.jsonl"


def over_the_wire(node: NodeProcess) -> Ask:
    def ask(case: Case) -> tuple[int, dict[str, str], bytes]:
        body = None if case.body is None else case.body.encode()
        return node.call(case.method, case.target, body, case.headers)

    return ask


@contextmanager
def lane(folder: Path) -> Iterator[Ask]:
    with running_node(folder) as node:
        yield over_the_wire(node)


@contextmanager
def other_server(folder: Path, command: list[str]) -> Iterator[Ask]:
    node = NodeProcess(command, folder, {"METADATA_CENTER_PPROF_ENABLE": "false"}, covered=False)
    try:
        node.port = int(node.wait_for("Listening on TCP address").split(":")[-1])
        yield over_the_wire(node)
    finally:
        node.stop()


def daphne(folder: Path) -> Any:
    return other_server(folder, ["-m", "daphne", "-b", "127.0.0.1", "-p", "0", "metadata_center.asgi:application"])


def runserver(folder: Path) -> Any:
    return other_server(folder, ["manage.py", "runserver", "--noreload", "--skip-checks", "127.0.0.1:0"])


@contextmanager
def views(folder: Path) -> Iterator[Ask]:
    """Django's views themselves, which serve browsers and whatever the other doors hand over."""
    logs = configure(LogSettings(access_output="off", output="file", output_file=str(folder / "log")))
    published = Node(settings.CONFIG, logs).published()
    cast("LoadStats", published[LoadStats]).ledger.clear()
    cast("Health", published[Health]).add("views", True, lambda: (PartState.OK, ""))
    client = Client(raise_request_exception=False)

    def ask(case: Case) -> tuple[int, dict[str, str], bytes]:
        kind = case.headers.get("Content-Type", "")
        headers = {name: value for name, value in case.headers.items() if name != "Content-Type"}
        body = (case.body or "").encode()
        response = client.generic(case.method, case.target, body, kind, headers=headers)
        return response.status_code, {name.lower(): value for name, value in response.items()}, response.content

    try:
        with publish(published):
            yield ask
    finally:
        cast("LoadStats", published[LoadStats]).ledger.clear()
        logs.close()
        gc.collect()


# Servers other than our own are tried in the slow run.
IN_THE_SLOW_RUN = {("shared", daphne), ("own", daphne), ("shared", runserver), ("own", runserver)}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("origin", "door"),
    [
        pytest.param(*each, id=f"{each[0]}-{each[1].__name__}", marks=[pytest.mark.slow] * (each in IN_THE_SLOW_RUN))
        for each in product(("shared", "own"), (lane, daphne, runserver, views))
    ],
)
def test_every_case_passes_through(
    door: Callable[[Path], Any], origin: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = OWN_CASES
    if origin == "shared":
        path = request.getfixturevalue("shared") / "contract" / "cases.jsonl"
    cases = list(read_cases(path))
    with door(tmp_path) as ask:
        found = [line for case in cases for line in differences(case, *ask(case))]
    assert len(cases) >= 20
    assert found == []
