# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The URL of the accounts' database: what it means, and that no error and no report shows what is secret in it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metadata_center.accounts.database import databases
from runtime.config import ConfigError, load
from runtime.config.database_url import parse_database_url
from runtime.config.report import render
from tests.certificates import certificate

VARIABLE = "METADATA_CENTER_WEB_DATABASE"
SECRET = "hunter-0815"


def parsed(url: str) -> tuple[str, ...]:
    found = parse_database_url(url)
    return found.name, found.user, found.password, found.host, found.port


@pytest.mark.parametrize(
    ("url", "meaning"),
    [
        ("postgres://u:p@h:5433/db", ("db", "u", "p", "h", "5433")),
        ("postgresql://u:p@h/db", ("db", "u", "p", "h", "")),
        ("postgres://u@h/db", ("db", "u", "", "h", "")),
        ("postgres://h/db", ("db", "", "", "h", "")),
        ("postgres://u:a%40b%2Fc%3A%3F%23%25@h/d%20b", ("d b", "u", "a@b/c:?#%", "h", "")),
        ("postgres://u:p@[fd00::7]:5433/db", ("db", "u", "p", "fd00::7", "5433")),
        ("postgres://u:p@one,two:5433/db?target_session_attrs=read-write", ("db", "u", "p", "one,two", ",5433")),
        ("postgres:///db?host=/run/postgresql&port=6432", ("db", "", "", "/run/postgresql", "6432")),
    ],
)
def test_it_means_what_it_means_to_libpq(url: str, meaning: tuple[str, ...]) -> None:
    assert parsed(url) == meaning


@given(user=st.text(min_size=1), password=st.text(min_size=1))
def test_any_user_and_password_can_be_written(user: str, password: str) -> None:
    try:
        encoded = f"postgres://{quote(user, safe='')}:{quote(password, safe='')}@h/db"
    except UnicodeEncodeError:  # half a character, which has no bytes
        return
    if user.isprintable() and password.isprintable():
        assert parsed(encoded)[1:3] == (user, password)
    else:
        with pytest.raises(ValueError, match="printable"):
            parse_database_url(encoded)


def test_options_go_to_libpq_and_a_connection_never_waits_for_long() -> None:
    url = "postgres://u:p@h/db?sslmode=require&application_name=x&connect_timeout=7"
    options = databases(url, Path())["default"]["OPTIONS"]
    assert options == {"sslmode": "require", "application_name": "x", "connect_timeout": "7"}
    assert databases("postgres://h/db", Path())["default"]["OPTIONS"]["connect_timeout"] == "2"
    assert databases("", Path("/data"))["default"]["NAME"] == Path("/data/people.sqlite3")


WRONG = {
    f"mysql://u:{SECRET}@h/db": "expected a URL such as postgres://",
    f"u:{SECRET}@h/db": "expected a URL such as postgres://",
    f"postgres:u:{SECRET}@h/db": "expected a URL such as postgres://",
    f"postgres://u:{SECRET}@h": "the name of one database",
    f"postgres://u:{SECRET}@h/a/b": "the name of one database",
    f"postgres://u:{SECRET}@h:http/db": "a port from 1 to 65535",
    f"postgres://u:{SECRET}@h:0/db": "a port from 1 to 65535",
    f"postgres://u:{SECRET}@h:99999999999/db": "a port from 1 to 65535",
    f"postgres://u:{SECRET}@[fd00::7/db": "IPv6 addresses in",
    f"postgres://u:x/{SECRET}@h/db": "a port from 1 to 65535",
    f"postgres://u:x@{SECRET}@h/db": "expected one @",
    f"postgres://u:x#{SECRET}@h/db": "expected no #",
    f"postgres://u:x?{SECRET}@h/db": "expected name=value",
    f"postgres://u@h/db?password{SECRET}": "expected name=value",
    f"postgres://u@h/db?password={SECRET}": "unknown option after the ?",
    f"postgres://u:{SECRET}@h/db?sslmod=require": "did you mean sslmode?",
    f"postgres://u:{SECRET}@h/db?sslmode=yes": "sslmode: expected one of disable,",
    f"postgres://u:{SECRET}@h/db?sslmode=require&sslmode=disable": "once",
    f"postgres://u:{SECRET}@h/db?connect_timeout=0": "connect_timeout: expected whole seconds from 2 to 10",
    f"postgres://u:{SECRET}@h/db?connect_timeout=3600": "connect_timeout: expected whole seconds from 2 to 10",
    f"postgres://u:{SECRET}@h/db?port=x": "port: expected numbers",
    f"postgres://u:{SECRET}@h/db?sslmode=verify-full": "name its authority",
    f"postgres://u:{SECRET}@h/db?sslrootcert=/no/such/file": "sslrootcert: No such file",
    f"postgres://u:{SECRET}%00@h/db": "printable",
}


@pytest.mark.parametrize("url", WRONG)
def test_what_is_wrong_is_said_in_one_line_that_shows_nothing_secret(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, {VARIABLE: url})
    said = str(caught.value)
    assert said.startswith(f"environment {VARIABLE}: ")
    assert WRONG[url] in said
    assert SECRET not in said
    assert "\n" not in said


@pytest.mark.parametrize("url", [f"postgres://u:{SECRET}@h:5432/db", f"postgres://h/db?sslpassword={SECRET}"])
def test_the_report_shows_where_it_is_and_not_how_to_get_in(url: str) -> None:
    (line,) = (line for line in render(load(None, {VARIABLE: url})).splitlines() if line.startswith("[Web] Database"))
    assert SECRET not in line
    assert "/db" in line


def test_files_that_are_there_are_taken(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "own")
    files = f"sslmode=verify-full&sslrootcert={cert}&sslcert={cert}&sslkey={key}"
    load(None, {VARIABLE: f"postgres://u@h/db?{files}"})
    load(None, {VARIABLE: "postgres://u@h/db?sslmode=verify-full&sslrootcert=system"})


def test_without_the_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"the extra `postgres`: pip install .psycopg\[binary\]"):
        load(None, {VARIABLE: "postgres://u@h/db"})


def test_a_log_in_that_would_idle_for_longer_than_it_holds_is_refused() -> None:
    with pytest.raises(ConfigError, match="SessionIdle is longer than SessionMax"):
        load(None, {"METADATA_CENTER_WEB_SESSION_IDLE": "13h"})
