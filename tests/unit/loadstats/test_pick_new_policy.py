# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A policy is one function: the configuration, the call and the OpenAPI document know it without another edit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.nodes import inherited_environment

# A process of its own: the names are read when the modules are imported.
SCRIPT = """
import sys
from loadstats.pick.policies import policy

@policy
def first(scores, prompt, options, random):
    return 0

from metadata_center.cli import main
sys.exit(main(sys.argv[1:]))
"""
CALL = """
import msgspec
from loadstats.pick.policies import policy

@policy
def last(scores, prompt, options, random):
    return len(scores.requests) - 1

from edge.body import Body
from loadstats.ledger import CandidateNames, Ledger
from loadstats.pick.cache_credit import PromptToRead
from loadstats.pick.candidate_scores import CandidateScores
from loadstats.pick.options import PickOptions
from loadstats.pick.policies import choose
from loadstats.pick.wire import QuickPick

call = Body(QuickPick).read(b'{"cluster":"c","request_id":"r","policy":"last"}')
options = PickOptions(policy=call.policy)
names = CandidateNames(["10.0.0.1", "10.0.0.2"], ["10.0.0.1", "10.0.0.2"])
def choice(view):
    return choose(CandidateScores.of(view, options), PromptToRead(), options, lambda: 0.0)

reserved = Ledger().reservations.reserve("r", "c", names, choice, 0, 0.0, 0)
print(reserved.ip)
"""


def run(script: str, *arguments: str, policy: str = "", folder: Path) -> subprocess.CompletedProcess[str]:
    environment = inherited_environment(covered=False)
    environment |= {"METADATA_CENTER_PICK_POLICY": policy, "METADATA_CENTER_NODE_DATA_DIR": str(folder)}
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_the_configuration_takes_it(tmp_path: Path) -> None:
    shown = run(SCRIPT, "config", policy="first", folder=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert '[Pick] Policy = "first"' in shown.stdout


def test_the_configuration_lists_it_beside_a_wrong_one(tmp_path: Path) -> None:
    refused = run(SCRIPT, "config", policy="best", folder=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    names = '"first", "least_load", "least_tokens", "power_of_two", "score", "tokens_by_decodes"'
    place = "metadata-center: environment METADATA_CENTER_PICK_POLICY"
    assert refused.stderr == f'{place}: expected one of {names}, got "best"\n'


def test_a_start_stops_at_a_wrong_one(tmp_path: Path) -> None:
    refused = run(SCRIPT, "check", policy="best", folder=tmp_path)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert refused.stderr.endswith('"tokens_by_decodes", got "best"\n')


def test_a_call_may_name_it(tmp_path: Path) -> None:
    called = run(CALL, folder=tmp_path)
    assert (called.stdout, called.stderr) == ("10.0.0.2\n", "")


def test_the_document_lists_it(tmp_path: Path) -> None:
    document = tmp_path / "openapi.yaml"
    written = run(SCRIPT, "openapi", str(document), policy="first", folder=tmp_path)
    assert written.returncode == 0, written.stderr
    names = ["first", "least_load", "least_tokens", "power_of_two", "score", "tokens_by_decodes"]
    assert "- enum:\n" + "".join(f"            - {name}\n" for name in names) in document.read_text()
