# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The file of keys: what it may say, and how each mistake is named."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from access.keys_file import MAX_KEYS, entry, parse, read
from edge.caller import Scope
from runtime.config import ConfigError

ONE, TWO = "ab" * 32, "CD" * 32
GOOD = f"""\
# for gateways
[[key]]
name = "gateway-eu"
sha256 = "{ONE}"
scopes = ["read", "write"]
clusters = ["prod-*", "test"]
expires = 2027-01-31T00:00:00Z

[[key]]
name = "prometheus"
sha256 = "{TWO}"
scopes = ["read"]
"""


def test_a_file_says_what_each_key_grants() -> None:
    first, second = parse("keys.toml", GOOD.encode())
    assert first.name == "gateway-eu"
    assert first.digest == bytes.fromhex(ONE)
    assert first.caller.name == "key gateway-eu"
    assert first.caller.scopes == {Scope.READ, Scope.WRITE}
    assert first.caller.clusters == ("prod-*", "test")
    assert first.expires == datetime(2027, 1, 31, tzinfo=UTC).timestamp()
    assert second.digest == bytes.fromhex(TWO)
    assert (second.caller.clusters, second.expires) == ((), None)


@pytest.mark.parametrize("text", ["", "# nothing\n", "\ufeff"])
def test_an_empty_file_holds_no_keys(text: str) -> None:
    assert parse("keys.toml", text.encode()) == []


def test_a_file_may_be_written_in_any_way_of_toml() -> None:
    inline = f'key = [{{name = "a", sha256 = "{ONE}", scopes = ["read"], expires = "2027-01-31T01:00:00+01:00"}}]'
    (found,) = parse("keys.toml", inline.encode())
    assert found.expires == datetime(2027, 1, 31, tzinfo=UTC).timestamp()
    with pytest.raises(ConfigError, match=r'^keys.toml: key "a": scopes: expected one of '):
        parse("keys.toml", inline.replace('"read"', '"rite"').encode())


MISTAKES = [
    ('name = "gateway-eu"', "", "2: key 1: name: missing"),
    (f'sha256 = "{ONE}"', "", '2: key "gateway-eu": sha256: missing'),
    ('scopes = ["read", "write"]', "", '2: key "gateway-eu": scopes: missing'),
    ('"gateway-eu"', '"gate way"', '3: key "gate way": name: expected 1 to 64 letters, digits, '),
    ('"gateway-eu"', '""', "3: key 1: name: expected 1 to 64 letters, digits, "),
    ('"gateway-eu"', "5", "3: key 1: name: expected text, got 5"),
    ('"gateway-eu"', '"prometheus"', '10: key "prometheus": name: given twice, first to key 1'),
    (ONE, "ab", '4: key "gateway-eu": sha256: expected the 64 hexadecimal digits of the key\'s SHA-256'),
    (ONE, "xy" * 32, '4: key "gateway-eu": sha256: expected the 64 hexadecimal digits'),
    (ONE, TWO.lower(), '11: key "prometheus": sha256: given twice, first to key "gateway-eu"'),
    (
        '"write"]',
        '"wirte"]',
        '5: key "gateway-eu": scopes: expected one of read, write, replicate, operate, got "wirte"',
    ),
    ('"write"]', '"wirte"]', "did you mean write?"),
    ('["read", "write"]', '"read"', '5: key "gateway-eu": scopes: expected a list of texts, got "read"'),
    ('["read", "write"]', "[]", '5: key "gateway-eu": scopes: expected at least one'),
    ('["read", "write"]', "[5]", '5: key "gateway-eu": scopes: expected texts, got 5'),
    ('["prod-*", "test"]', '[""]', '6: key "gateway-eu": clusters: expected 1 to 256 printable characters, got ""'),
    ('["prod-*", "test"]', "[]", '6: key "gateway-eu": clusters: expected at least one; leave the member out'),
    ('["prod-*", "test"]', f"{['c'] * 65}", '6: key "gateway-eu": clusters: expected at most 64, got 65'),
    ("2027-01-31T00:00:00Z", "2027-01-31T00:00:00", '7: key "gateway-eu": expires: expected a time with its zone'),
    ("2027-01-31T00:00:00Z", "2027-01-31", '7: key "gateway-eu": expires: expected a time with its zone'),
    ("2027-01-31T00:00:00Z", '"30d"', '7: key "gateway-eu": expires: expected a time with its zone'),
    ("expires =", "expire =", '7: key "gateway-eu": expire: unknown member, did you mean expires?'),
]


@pytest.mark.parametrize(("right", "wrong", "said"), MISTAKES)
def test_a_mistake_is_named_with_its_line_and_member(right: str, wrong: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse("keys.toml", GOOD.replace(right, wrong, 1).encode())
    assert str(caught.value).startswith("keys.toml:")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[[key]\n", "keys.toml: Expected ']]' at the end of an array declaration (at line 1, column 6)"),
        (b"\xff", "keys.toml: not UTF-8 text (at byte 0)"),
        (b"keys = 1", 'keys.toml: unknown member "keys", expected [[key]] and nothing else'),
        (b"key = 1", "keys.toml: key: expected tables, each under [[key]]"),
        (b"key = [1]", "keys.toml: key: expected tables, each under [[key]]"),
        (b"a = " + b"[" * 100_000, "keys.toml: nested too deeply"),
    ],
)
def test_what_is_no_file_of_keys_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse("keys.toml", content)
    assert str(caught.value) == said


def test_a_key_written_in_place_of_its_digest_is_in_no_error() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("keys.toml", GOOD.replace(ONE, "mc_a-real-key").encode())
    assert "mc_a-real-key" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: object) -> None:
    with pytest.raises(ConfigError, match=r"/missing\.toml: No such file or directory$"):
        read(f"{tmp_path}/missing.toml")


def test_the_entry_that_is_printed_is_one_that_is_read() -> None:
    ends = datetime(2027, 1, 31, 12, 30, tzinfo=UTC)
    text = entry("gw", bytes.fromhex(ONE), ["read", "operate"], ['a"\\b', "c-*"], ends)
    (found,) = parse("keys.toml", text.encode())
    assert (found.name, found.digest) == ("gw", bytes.fromhex(ONE))
    assert found.caller.scopes == {Scope.READ, Scope.OPERATE}
    assert found.caller.clusters == ('a"\\b', "c-*")
    assert found.expires == ends.timestamp()
    (plain,) = parse("keys.toml", entry("gw", bytes.fromhex(ONE), ["read"], [], None).encode())
    assert (plain.caller.clusters, plain.expires) == ((), None)


def test_a_file_of_too_many_keys_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_KEYS >= 10_000
    monkeypatch.setattr("access.keys_file.MAX_KEYS", 1)
    with pytest.raises(ConfigError, match="expected at most 1 keys, got 2"):
        parse("keys.toml", GOOD.encode())
