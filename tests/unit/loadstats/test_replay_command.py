# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`manage.py replay` from its arguments to its exit code."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from loadstats.management.commands.replay import Command

from .fake_node import FakeNode

pytestmark = pytest.mark.usefixtures("patient")

QUICK = ("--speed", "1000", "--engine-speed", "100", "--checkpoint-every", "0.05", "--gateways", "2", "--engines", "4")


def replay(*arguments: str) -> str:
    out = io.StringIO()
    call_command(Command(), *arguments, stdout=out)
    return out.getvalue()


def test_it_replays_its_own_sample_and_ends_with_the_verdict() -> None:
    with FakeNode().in_thread() as node:
        text = replay("--target", node.url, *QUICK, "--limit", "50", "--engine-speed", "10")
    lines = text.splitlines()
    assert lines[-1] == "50 requests, 0 errors, 0 differences"
    assert any(" %  " in line for line in lines)
    assert all(any(name in line for line in lines) for name in ("POST stats", "DELETE prompt", "late starts"))
    assert "\n\n\n" not in text


@pytest.mark.parametrize(
    "content",
    [
        '{"timestamp":0,"input_length":5,"output_length":2}\n{"timestamp":90,"input_length":6,"output_length":1}\n',
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,5,2\n2023-11-16 18:17:04,6,1\n",
    ],
)
def test_it_replays_a_file_of_either_format_by_its_content(content: str, tmp_path: Path) -> None:
    file = tmp_path / "some.trace"
    file.write_text(content)
    with FakeNode().in_thread() as node:
        text = replay("--trace", str(file), "--target", node.url, "--speed", "max", "--cluster", "mine")
    assert text.endswith("2 requests, 0 errors, 0 differences\n")
    assert list(node.engines) == ["mine"]


def test_it_exits_with_one_when_the_node_lost_something() -> None:
    with FakeNode(drop_delete_every=10).in_thread() as node, pytest.raises(SystemExit) as caught:
        replay("--target", node.url, *QUICK, "--limit", "50")
    assert caught.value.code == 1


def test_with_several_targets_it_fills_several_clusters() -> None:
    a, b = FakeNode(), FakeNode()
    with a.in_thread(), b.in_thread():
        arguments = (
            "--target",
            a.url,
            "--target",
            b.url,
            *QUICK,
            "--limit",
            "20",
            "--cluster",
            "mine",
            "--checkpoint-every",
            "60",
        )
        with pytest.raises(SystemExit) as caught:  # they don't tell each other
            replay(*arguments)
    assert caught.value.code == 1
    assert len({*a.engines} | {*b.engines}) == 4
    assert all(name.startswith("mine-") for name in (*a.engines, *b.engines))


def test_with_errors_allowed_it_exits_with_zero() -> None:
    with FakeNode(fail_every=13).in_thread() as node:
        text = replay("--target", node.url, *QUICK, "--limit", "5", "--checkpoint-every", "60", "--allow-errors")
    assert text.endswith("5 requests, 1 errors, 0 differences\n")


def test_ctrl_c_ends_its_requests_and_exits_with_130() -> None:
    node = FakeNode()
    node.on_add = lambda added: os.kill(os.getpid(), signal.SIGINT) if added == 30 else None
    before = signal.getsignal(signal.SIGINT)
    out = io.StringIO()
    with node.in_thread(), pytest.raises(SystemExit) as caught:
        call_command(Command(), "--target", node.url, "--speed", "max", stdout=out)
    assert caught.value.code == 130
    assert signal.getsignal(signal.SIGINT) is before
    assert node.open == {}
    assert "ending the open requests" in out.getvalue()
    assert out.getvalue().splitlines()[-1].startswith("interrupted: ")


def test_it_refuses_a_target_where_nobody_listens() -> None:
    with FakeNode().in_thread() as node:
        url = node.url
    with pytest.raises(CommandError, match=f"--target {url}: cannot connect") as caught:
        replay("--target", url)
    assert caught.value.returncode == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--speed", "fast"), "argument --speed: expected a number above 0, got 'fast'"),
        (("--speed", "0"), "argument --speed: expected a number above 0, got '0'"),
        (("--speed", "nan"), "argument --speed: expected a number above 0, got 'nan'"),
        (("--engine-speed", "inf"), "argument --engine-speed: expected a number above 0, got 'inf'"),
        (("--checkpoint-every", "-1"), "argument --checkpoint-every: expected a number above 0, got '-1'"),
        (("--engines", "0"), "argument --engines: expected a whole number from 1 to 100,000, got '0'"),
        (("--gateways", "257"), "argument --gateways: expected a whole number from 1 to 256, got '257'"),
        (("--limit", "1.5"), "argument --limit: expected a whole number of at least 1, got '1.5'"),
        (("--seed", "x"), "argument --seed: expected a whole number of at least 0, got 'x'"),
        (("--cluster", ""), "argument --cluster: expected a name, got nothing"),
        (("--target", "node:8080"), "argument --target: expected a URL like http://127.0.0.1:8080, got 'node:8080'"),
        (("--target", "http://node/v1"), "argument --target: expected a URL"),
        (("--target", "http://node:99999"), "argument --target: expected a URL"),
        (("--target", "http://a", "--target", "http://a/"), "--target: http://a is given twice"),
        (tuple(f"--target=http://a{number}" for number in range(17)), "--target: expected at most 16, got 17"),
        (("--clusters", "5", "--engines", "4"), "--engines: expected at least one for each of 5 clusters"),
        (("--clusters", "0"), "argument --clusters: expected a whole number from 1 to 1,000, got '0'"),
        (("--trace", "/nonexistent"), "--trace: cannot read /nonexistent: No such file"),
    ],
)
def test_it_names_a_bad_argument(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(CommandError) as caught:
        replay(*arguments)
    assert message in str(caught.value)


def test_it_names_file_and_line_of_a_bad_trace(tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    file.write_text('{"timestamp":0,"input_length":5,"output_length":2}\n{"timestamp":0}\n')
    with pytest.raises(CommandError, match=r"--trace: .*trace\.jsonl:2: Object missing required field") as caught:
        replay("--trace", str(file))
    assert caught.value.returncode == 2


@pytest.mark.parametrize("name", ["aiohttp", "rich"])
def test_it_names_the_extra_that_is_not_installed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(CommandError) as caught:
        replay("--limit", "1")
    assert str(caught.value) == f"replay needs {name}: install metadata-center[replay]"
    assert caught.value.returncode == 2


def test_only_a_replay_imports_what_its_extra_brings() -> None:
    code = "import sys, loadstats.management.commands.replay\nassert not {'aiohttp', 'rich'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
