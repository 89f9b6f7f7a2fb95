# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`metadata-center keys create|list|revoke`."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from msgspec.structs import replace

from access.database_source import DatabaseSource
from access.key_text import digest_of
from access.keys_file import parse
from access.models import AccessKey
from edge.caller import Scope

pytestmark = pytest.mark.django_db


def keys(*words: str) -> str:
    said = StringIO()
    call_command("keys", *words, stdout=said)
    return said.getvalue()


@pytest.fixture
def keys_file(tmp_path: Path, settings: Any) -> Path:
    """The file of `[Auth] KeysFile`, with one key."""
    file = tmp_path / "keys.toml"
    file.write_text(f'[[key]]\nname = "filed"\nsha256 = "{"ab" * 32}"\nscopes = ["operate"]\nclusters = ["test-*"]\n')
    settings.CONFIG = replace(settings.CONFIG, auth=replace(settings.CONFIG.auth, keys_file=str(file)))
    return file


def test_create_prints_the_key_as_its_last_word_and_no_other_time() -> None:
    words = ("--name", "gw", "--scope", "read,write", "--scope", "operate", "--cluster", "a-*", "--cluster", "b")
    said = keys("create", *words, "--expires", "30d")
    key = said.split()[-1]
    (row,) = AccessKey.objects.all()
    assert row.digest == digest_of(key.encode()).hex()
    assert (row.scopes, row.clusters) == (["read", "write", "operate"], ["a-*", "b"])
    assert row.expires_at is not None
    assert (row.expires_at - row.created_at).days in {29, 30}
    assert row.created_by.startswith("command line of ")
    assert said.count(key) == 1
    assert key not in keys("list")


def test_the_list_shows_the_keys_of_both_sources(keys_file: Path) -> None:
    keys("create", "--name", "gw", "--scope", "read")
    keys("create", "--name", "old", "--scope", "write", "--cluster", "c")
    keys("revoke", "old")
    heading, *lines = keys("list").splitlines()
    assert heading.split() == ["NAME", "KEY", "SCOPES", "CLUSTERS", "EXPIRES", "LAST", "USED", "STATE"]
    shown = {line.split()[0]: line.split()[-1] for line in lines}
    assert shown == {"gw": "valid", "old": "revoked", "filed": "valid"}
    (filed,) = (line for line in lines if line.startswith("filed"))
    assert "in the file" in filed
    assert "test-*" in filed


def test_revoke_ends_a_key_and_its_name_is_free_again() -> None:
    keys("create", "--name", "gw", "--scope", "read")
    assert "gw is revoked" in keys("revoke", "gw")
    assert DatabaseSource().look() == []
    keys("create", "--name", "gw", "--scope", "read")
    assert len(DatabaseSource().look() or []) == 1
    assert "gw is revoked" in keys("revoke", "--name", "gw")


def test_an_entry_for_the_file_is_stored_nowhere(keys_file: Path) -> None:
    said = keys("create", "--name", "gw", "--scope", "read", "--cluster", "prod-*", "--file")
    assert AccessKey.objects.count() == 0
    key = said.split()[-1]
    with keys_file.open("a") as file:
        file.write(said[said.index("[[key]]") : said.index("It is shown")])
    _, made = parse("keys.toml", keys_file.read_bytes())
    assert made.digest == digest_of(key.encode())
    assert (made.name, made.caller.scopes, made.caller.clusters) == ("gw", {Scope.READ}, ("prod-*",))
    assert key not in keys_file.read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["create", "--name", "filed", "--scope", "read"], "name: filed is in use in [Auth] KeysFile"),
        (["create", "--name", "gw", "--scope", "red"], "scope: expected one of read, write, replicate, operate"),
        (["create", "--name", "gw", "--scope", ","], "scope: expected at least one"),
        (["create", "--name", "gw", "--scope", "read", "--expires", "soon"], "expires: expected a time to live"),
        (["create", "--name", "g w", "--scope", "read"], "name: expected 1 to 64"),
        (["create", "--scope", "read"], "--name"),
        (["create", "--name", "gw"], "--scope"),
        (["revoke", "nobody"], "name: there is no key nobody, or it is revoked already"),
        (["revoke", "filed"], "name: filed is in [Auth] KeysFile: take it out there"),
        (["revoke"], "name: expected the name of a key"),
        ([], "create|list|revoke"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_made(keys_file: Path, words: list[str], said: str) -> None:
    with pytest.raises(CommandError) as caught:
        keys(*words)
    assert said in str(caught.value)
    assert AccessKey.objects.count() == 0
