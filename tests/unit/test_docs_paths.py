# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Files, folders and modules that the documents for developers name are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ("docs/architecture.md", "CONTRIBUTING.md")
TOP = {path.name for path in ROOT.iterdir()} | {".venv"}
MADE = (".venv",)  # by `make`


def words(document: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", (ROOT / document).read_text())


def paths(document: str) -> list[str]:
    """Words that are a path from the top of the repository."""
    found = [word for word in words(document) if re.fullmatch(r"[\w.-]+(/[\w.-]*)+", word)]
    return sorted({word for word in found if word.split("/")[0] in TOP and not word.startswith(MADE)})


@pytest.mark.parametrize("document", DOCUMENTS)
def test_paths_in_text_exist(document: str) -> None:
    named = paths(document)
    assert len(named) >= 8
    missing = [each for each in named if not (ROOT / each).exists() and not (ROOT / f"{each}.py").exists()]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_linked_files_exist(document: str) -> None:
    text = (ROOT / document).read_text()
    links = {link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link}
    assert links
    assert [link for link in sorted(links) if not ((ROOT / document).parent / link).exists()] == []


def test_modules_of_the_map_exist() -> None:
    """The first cell of a row in the map: modules of the section's package, or folders of the repository."""
    text = (ROOT / "docs/architecture.md").read_text()
    seen, missing = 0, []
    for section, package in (("### runtime", "runtime"), ("### edge", "edge"), ("## Nodes among", "replication")):
        rows = text.split(f"\n{section}")[1].split("\n## ")[0].split("\n### ")[0]
        for cell in re.findall(r"^\| (`[^|]+) \|", rows, re.MULTILINE):
            for name in re.findall(r"`([^`]+)`", cell):
                seen += 1
                path = ROOT / package / name
                if not path.exists() and not path.with_name(f"{path.name}.py").exists():
                    missing.append(f"{package}/{name}")
    assert seen >= 40
    assert missing == []


def test_modules_of_the_apps_in_the_map_exist() -> None:
    """Rows such as ``| `loadstats/pick/` | … `options`, `policies` … |``: lower-case words there are modules."""
    text = (ROOT / "docs/architecture.md").read_text()
    section = text.split("\n### The apps")[1].split("\n### ")[0]
    missing = []
    for folder, words_of in re.findall(r"^\| `([\w/]+/)` \| (.+) \|$", section, re.MULTILINE):
        for name in re.findall(r"`([a-z_]+/?)`", words_of):
            places = [ROOT / folder / name, ROOT / folder / f"{name}.py"]
            if name != "replay" and not any(place.exists() for place in places):
                missing.append(folder + name)
    assert missing == []
