# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The URL of the log server: what it means, and that no error and no report shows what is secret in it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.config import ConfigError, load
from runtime.config.log_url import LogUrl, parse_log_url
from runtime.config.report import render
from tests.certificates import certificate

VARIABLE = "METADATA_CENTER_REPLICATION_LOG"
NAME_VARIABLE = "METADATA_CENTER_REPLICATION_LOG_NAME"
SECRET = "hunter-0815"


@pytest.mark.parametrize(
    ("url", "meaning"),
    [
        ("valkey://h", LogUrl(hosts=(("h", 6379),))),
        ("redis://h:1/", LogUrl(hosts=(("h", 1),))),
        ("valkey://u:p@h:1/3", LogUrl(hosts=(("h", 1),), user="u", password="p", database=3)),
        ("valkey://:a%40b%2Fc%3A%3F%23%25@h", LogUrl(hosts=(("h", 6379),), password="a@b/c:?#%")),
        ("valkeys://[fd00::7]:1/2?ca=/a", LogUrl(hosts=(("fd00::7", 1),), tls=True, ca="/a", database=2)),
        ("rediss://h?cert=/c&key=/k", LogUrl(hosts=(("h", 6379),), tls=True, cert="/c", key="/k")),
        ("unix:///run/v.sock", LogUrl(socket="/run/v.sock")),
        ("unix://:p@/run/v%20w.sock?db=4", LogUrl(socket="/run/v w.sock", password="p", database=4)),
        (
            "valkey+sentinel://:p@a,b:2/main/5?sentinel_password=s",
            LogUrl(hosts=(("a", 26379), ("b", 2)), sentinel="main", password="p", database=5, sentinel_password="s"),
        ),
        ("rediss+sentinel://a/m.1_-", LogUrl(hosts=(("a", 26379),), sentinel="m.1_-", tls=True)),
    ],
)
def test_a_url_is_taken_apart(url: str, meaning: LogUrl) -> None:
    assert parse_log_url(url) == meaning


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"{SECRET}@host", "expected a URL such as"),
        (f"http://:{SECRET}@h", "expected a URL such as"),
        (f"valkey://:{SECRET}", "from 1 to 65535"),
        (f"valkey://:{SECRET}@h:0", "from 1 to 65535"),
        (f"valkey://:{SECRET}@", "expected host:port"),
        (f"valkey://:{SECRET}@[fd00::7", "IPv6 addresses in"),
        (f"valkey://:p@{SECRET}@h", "write %40"),
        (f"valkey://:p#{SECRET}@h", "write %23"),
        (f"valkey://{SECRET}@h", "expected user:password"),
        (f"valkey://:{SECRET}@h/x", "number of a database"),
        (f"valkey://:{SECRET}@h/1/2", "at most one number"),
        (f"valkey://:{SECRET}@h/1?db=2", "at most one number"),
        (f"valkey://:{SECRET}@a,b", "several are Sentinels"),
        (f"valkey://:{SECRET}@h?{SECRET}=1", "unknown option"),
        (f"valkey://:{SECRET}@h?{SECRET}", "expected name=value"),
        ("valkeys://h?ca=/a&ca=/b", "each name after the ? once"),
        ("valkey://h?ca=/a", "needs TLS"),
        ("valkeys://h?cert=/a", "expected both or neither"),
        ("valkey://h?sentinel_password=s", "needs Sentinels"),
        ("valkey+sentinel://h", "expected the name of the server"),
        ("valkey+sentinel://h/a%20b", "expected the name of the server"),
        (f"valkey+sentinel://{','.join('abcdefghij')}/m", "at most 9"),
        ("unix://host/run/v.sock", "after three slashes"),
        ("unix:///", "after three slashes"),
        (f"valkey://:{SECRET}%0a@h", "printable"),
    ],
)
def test_what_is_wrong_is_said_and_not_shown(url: str, expected: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(None, {VARIABLE: url})
    assert str(refused.value).startswith(f"environment {VARIABLE}: ")
    assert expected in str(refused.value)
    assert SECRET not in str(refused.value)


@given(st.text())
def test_no_text_makes_it_fail_in_another_way(text: str) -> None:
    for scheme in ("valkey", "rediss+sentinel", "unix"):
        with suppress(ValueError):
            assert parse_log_url(f"{scheme}://{text}").place


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        (f"valkey://:{SECRET}@host:6379/0", "valkey://***@host:6379/0"),
        (f"valkey+sentinel://a,b/main?sentinel_password={SECRET}", "valkey+sentinel://a,b/main?***"),
        (f"unix://:{SECRET}@/run/v.sock?db=1", "unix://***@/run/v.sock?***"),
        ("valkey://host", "valkey://host"),
    ],
)
def test_reports_mask_it(url: str, masked: str) -> None:
    text = render(load(None, {VARIABLE: url}))
    assert f'[Replication] Log = "{masked}" ' in text
    assert SECRET not in text


def test_its_place_is_for_people() -> None:
    assert parse_log_url(f"valkey://:{SECRET}@[fd00::7]:1").place == "[fd00::7]:1"
    assert parse_log_url(f"valkey+sentinel://:{SECRET}@a,b/m").place == "m at the Sentinels a:26379,b:26379"
    assert parse_log_url(f"unix://:{SECRET}@/run/v").place == "/run/v"


def test_its_files_must_be_there_and_fit(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "one")
    other, _ = certificate(tmp_path, "other")
    load(None, {VARIABLE: f"valkeys://h?ca={cert}&cert={cert}&key={key}"})
    for options, expected in (
        (f"ca={tmp_path}/none", "No such file"),
        (f"ca={key}", "in PEM form"),
        (f"cert={other}&key={key}", "the key is another's"),
    ):
        with pytest.raises(ConfigError, match=expected):
            load(None, {VARIABLE: f"valkeys://h?{options}"})


@pytest.mark.parametrize("name", ["a b", "a{b}", "ä", "a\n", "x" * 65])
def test_a_log_has_a_name_of_letters(name: str) -> None:
    with pytest.raises(ConfigError, match=NAME_VARIABLE):
        load(None, {NAME_VARIABLE: name})
