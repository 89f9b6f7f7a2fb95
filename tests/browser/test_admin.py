# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The admin in a real browser, on a real node: log in, find a request, end it. No complaint of the browser's, and
nothing that keeps people with screen readers out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.axe import faults
from tests.browser.chromium import Tab
from tests.nodes import ROOT, NodeProcess, inherited_environment, put_accounts, running_node

PASSWORD = "correct horse battery staple"


def manage(folder: Path, *words: str, **environment: str) -> None:
    environment |= {"METADATA_CENTER_NODE_DATA_DIR": str(folder)}
    inherited = inherited_environment(covered=False)
    subprocess.run([sys.executable, "manage.py", *words], cwd=ROOT, env=inherited | environment, check=True)


@pytest.fixture(scope="module")
def machine(browser: Tab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """A node with one superuser, `boss`."""
    folder = tmp_path_factory.mktemp("admin")
    names = {"DJANGO_SUPERUSER_USERNAME": "boss", "DJANGO_SUPERUSER_EMAIL": "", "DJANGO_SUPERUSER_PASSWORD": PASSWORD}
    put_accounts(folder)
    manage(folder, "createsuperuser", "--noinput", "--verbosity", "0", **names)
    with running_node(folder) as node:
        for number in range(5):
            body = {"cluster": "other", "request_id": f"other-{number}", "ip": "10.0.0.2", "prompt_length": 10}
            node.call("POST", "/v1/load/stats", body)
        yield node


@pytest.fixture
def admin(machine: NodeProcess, tab: Tab) -> str:
    """The admin's address; the tab is logged in."""
    site = f"http://127.0.0.1:{machine.port}/admin/"
    tab.open(site)
    if tab.run("Boolean(document.querySelector('#login-form'))"):
        log_in(tab, PASSWORD)
        tab.until("document.querySelector('main.live')")
    return site


def log_in(tab: Tab, password: str) -> None:
    tab.run("document.querySelector('[name=username]').value = 'boss'")
    tab.run(f"document.querySelector('[name=password]').value = '{password}'")
    tab.run("document.querySelector('#login-form button').click()")


def click(tab: Tab, text: str) -> None:
    """Press the button or follow the link of this text, and wait for the page it leads to."""
    tab.run("window.before = true")
    tab.run(f"[...document.querySelectorAll('main a, main button')].find(e => e.innerText.trim() === '{text}').click()")
    tab.until("!window.before && document.readyState === 'complete'")


def test_a_request_is_found_and_ended(machine: NodeProcess, admin: str, tab: Tab) -> None:
    body = {"cluster": "qwen", "request_id": "stuck/1 & more", "ip": "10.0.0.7", "prompt_length": 1200}
    machine.call("POST", "/v1/load/stats", body)
    tab.open(f"{admin}loadstats/request/")
    tab.run("document.querySelector('[name=request_id]').value = 'stuck/1 & more'")
    click(tab, "Find")
    assert "10.0.0.7" in tab.text()
    click(tab, "End…")
    assert "End request stuck/1 & more?" in tab.text()
    assert machine.data("/v1/load/stats?cluster=qwen")[0]["queued_req_num"] == 1
    click(tab, "End it")
    assert "was ended in phase prefill" in tab.text()
    assert machine.data("/v1/load/stats?cluster=qwen")[0]["queued_req_num"] == 0
    tab.open(f"{admin}admin/logentry/")
    assert "Request stuck/1 & more on 10.0.0.7 in qwen was ended" in tab.text()


def test_the_log_level_is_set_and_a_task_run(machine: NodeProcess, admin: str, tab: Tab) -> None:
    tab.open(f"{admin}metadata_center/node/")
    tab.run("document.querySelector('[name=level]').value = 'WARN'")
    click(tab, "Set…")
    click(tab, "Set it")
    assert "Log level set from INFO to WARN." in tab.text()
    tab.open(f"{admin}metadata_center/task/")
    name = tab.run("document.querySelector('main tbody tr').cells[0].innerText").split()[0]
    click(tab, "Run now…")
    click(tab, "Run it")
    assert f"Task {name} was sent to the worker." in tab.text()
    runs = "Number(document.querySelector('main tbody td:nth-child(5)').innerText)"
    tab.until(f"{runs} > 0 || location.reload()")


def test_who_knows_no_password_stays_out(machine: NodeProcess, admin: str, tab: Tab) -> None:
    tab.call("Network.clearBrowserCookies")
    tab.open(f"{admin}loadstats/request/")
    assert faults(tab) == []
    tab.run("window.before = true")
    log_in(tab, "guess")
    tab.until("!window.before && document.readyState === 'complete'")
    assert "Please enter the correct username and password" in tab.text()
    assert faults(tab) == []
