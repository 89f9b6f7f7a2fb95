# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The commands that documents call are there, and are called as a reader can call them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.management import get_commands

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "Makefile", ROOT / "deploy/kubernetes.yaml"])


def called(text: str) -> list[str]:
    """What stands after the program, in code and in shells."""
    code = re.findall(r"`([^`\n]+)`|^(?:    |\$ |\t)(.+)$", text, re.MULTILINE)
    lines = [inline or shell for inline, shell in code]
    return [word for line in lines for word in re.findall(r"(?<!,)(?:metadata-center|manage\.py) ([a-z_]+)", line)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_exist(document: Path) -> None:
    assert [word for word in called(document.read_text()) if word not in {*get_commands(), "top"}] == []


def test_documents_call_commands() -> None:
    found = {word for document in DOCUMENTS for word in called(document.read_text())}
    assert found >= {"run", "config", "replay", "createsuperuser", "changepassword", "ensure_admin"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_shell_calls_what_a_checkout_has(document: Path) -> None:
    """`python manage.py` finds another Python than the one that `make` has made."""
    lines = [line for line in document.read_text().splitlines() if re.search(r"python3? manage\.py", line)]
    assert [line for line in lines if not re.search(r"(\.venv/bin/|\$\(BIN\)/)python manage\.py", line)] == []


def test_the_readme_says_how_to_install_what_the_documents_call() -> None:
    readme = (ROOT / "README.md").read_text()
    section = readme.split("\n## Install\n")[1].split("\n## ")[0]
    assert "pip install -r requirements/base.txt ." in section
    assert "metadata-center run" in section
    # It is in no index, so no document may fetch it by name.
    for document in DOCUMENTS:
        assert not re.search(r"pip install '?metadata-center\b(?!-)", document.read_text()), document
