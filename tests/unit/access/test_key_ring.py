# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The table of keys: what is found, what is not, what is remembered, and what a change does."""

from __future__ import annotations

import logging
from hashlib import sha256

import pytest

from access.grant import Grant, grant
from access.key_ring import SPELLINGS, STRANGERS, KeyRing
from access.key_text import MAX_BYTES, digest_of, hint_of, new_key
from edge.caller import Caller, Scope

NOW = 1_000_000.0


class Rings:
    """A ring with one source, at a time that a test sets."""

    def __init__(self) -> None:
        self.now = NOW
        self.ring = KeyRing(now=lambda: self.now)
        self.ring.add_source("file")
        self.ring.add_source("database")

    def bearer(self, key: str, word: str = "Bearer ") -> str | None:
        found = self.ring.find({b"authorization": f"{word}{key}".encode()})
        return None if found is None else found.name

    def bare(self, key: str) -> str | None:
        found = self.ring.find({b"x-api-key": key.encode()})
        return None if found is None else found.name


def made(name: str, key: str, scopes: tuple[str, ...] = ("read",), **more: object) -> Grant:
    return grant(name, sha256(key.encode()).digest(), scopes, **more)  # type: ignore[arg-type]


def test_a_key_is_found_by_either_header_in_any_spelling_of_bearer() -> None:
    rings = Rings()
    rings.ring.replace("file", [made("gw", "secret", ("read", "write"), clusters=("prod-*",))])
    for word in ("Bearer ", "bearer ", "BEARER ", "Bearer   "):
        assert rings.bearer("secret", word) == "key gw"
    assert rings.bare("secret") == "key gw"
    caller = rings.ring.find({b"x-api-key": b"secret"})
    assert caller is not None
    assert (caller.scopes, caller.clusters) == ({Scope.READ, Scope.WRITE}, ("prod-*",))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {b"authorization": b""},
        {b"authorization": b"Bearer"},
        {b"authorization": b"Bearer "},
        {b"authorization": b"secret"},
        {b"authorization": b"Basic secret"},
        {b"authorization": b"Bearer Secret"},
        {b"authorization": b"Bearer secret2"},
        {b"x-api-key": b"Bearer secret"},
        {b"x-api-key": b""},
        {b"x-api-key": sha256(b"secret").hexdigest().encode()},
        {b"x-api-key": sha256(b"secret").digest()},
        {b"x-api-key": b"secret" * MAX_BYTES},
    ],
)
def test_anything_else_is_no_key_however_often_it_is_sent(headers: dict[bytes, bytes]) -> None:
    rings = Rings()
    rings.ring.replace("file", [made("gw", "secret")])
    assert rings.bearer("secret") == rings.bare("secret") == "key gw"  # what is remembered of one header is not of both
    assert [rings.ring.find(headers) for _ in range(3)] == [None] * 3
    assert rings.bearer("secret") == "key gw"


def test_a_value_that_was_no_key_in_one_header_may_be_one_in_the_other() -> None:
    rings = Rings()
    rings.ring.replace("file", [made("gw", "secret")])
    assert rings.bare("Bearer secret") is None
    assert rings.bearer("secret") == "key gw"


def test_a_proxys_authorization_does_not_hide_the_callers_key() -> None:
    rings = Rings()
    rings.ring.replace("file", [made("gw", "secret"), made("old", "ended", expires=NOW)])
    for other in (b"Bearer proxys", b"Basic cHJveHk=", b"Bearer ended"):
        found = rings.ring.find({b"authorization": other, b"x-api-key": b"secret"})
        assert found is not None
        assert found.name == "key gw"


def test_a_key_ends_at_its_time_also_if_it_was_used_before() -> None:
    rings = Rings()
    rings.ring.replace("file", [made("gw", "secret", expires=NOW + 10)])
    caller = rings.ring.find({b"x-api-key": b"secret"})
    assert caller is not None
    assert rings.ring.holds(caller)
    rings.now = NOW + 10
    assert rings.bare("secret") is rings.bearer("secret") is None
    assert not rings.ring.holds(caller)


def test_a_key_that_is_gone_is_gone_at_once_and_a_new_one_holds_at_once() -> None:
    rings = Rings()
    rings.ring.replace("file", [made("a", "one")])
    assert (rings.bare("one"), rings.bare("two")) == ("key a", None)
    rings.ring.replace("file", [made("b", "two")])
    assert (rings.bare("one"), rings.bare("two")) == (None, "key b")


def test_sources_do_not_touch_each_other() -> None:
    rings = Rings()
    rings.ring.replace("file", [made("a", "one")])
    rings.ring.replace("database", [made("b", "two")])
    assert (rings.bare("one"), rings.bare("two"), len(rings.ring)) == ("key a", "key b", 2)
    rings.ring.replace("database", [])
    assert (rings.bare("one"), rings.bare("two"), len(rings.ring)) == ("key a", None, 1)


def test_of_two_keys_of_one_name_or_digest_the_first_sources_holds_whichever_came_first() -> None:
    rings = Rings()
    rings.ring.replace("database", [made("a", "two", ("operate",)), made("c", "one", ("operate",))])
    assert rings.bare("one") == "key c"
    rings.ring.replace("file", [made("a", "one")])
    assert (rings.bare("one"), rings.bare("two")) == ("key a", None)
    assert rings.ring.hidden() == ["a", "c"]
    rings.ring.replace("file", [])
    assert (rings.bare("one"), rings.bare("two"), rings.ring.hidden()) == ("key c", "key a", [])


def test_what_was_begun_goes_on_while_the_key_is_as_it_was() -> None:
    rings = Rings()
    rings.ring.replace("file", [made("a", "one"), made("b", "two")])
    first = rings.ring.find({b"x-api-key": b"one"})
    second = rings.ring.find({b"x-api-key": b"two"})
    assert first is not None
    assert second is not None
    rings.ring.replace("file", [made("b", "two"), made("a", "one"), made("c", "three")])
    assert rings.ring.holds(first)
    rings.ring.replace("file", [made("a", "another"), made("b", "two", ("write",))])
    assert not rings.ring.holds(first)  # another key of the same name and rights
    assert not rings.ring.holds(second)  # the same key with other rights
    rings.ring.replace("file", [])
    assert not rings.ring.holds(first)


def test_callers_without_a_key_are_not_judged() -> None:
    assert KeyRing().holds(Caller("user anna", frozenset()))


def test_what_strangers_send_is_not_kept_without_end() -> None:
    rings = Rings()
    rings.ring.replace("file", [made("a", "one")])
    table_sizes = []
    for number in range(3 * STRANGERS):
        assert rings.bare(f"k{number}") is None
        table_sizes.append(rings.ring.remembered())
    assert max(table_sizes) <= STRANGERS + 1
    for number in range(2 * SPELLINGS):
        assert rings.bearer("one", f"Bearer {' ' * (number % 400)}") == "key a"
    assert rings.ring.remembered() <= STRANGERS + SPELLINGS + 2


def test_use_is_noted() -> None:
    rings = Rings()
    one, two = made("a", "one"), made("b", "two")
    rings.ring.replace("file", [one, two])
    rings.bare("one")
    assert (one.used, two.used) == (True, False)


def test_the_log_names_what_changed_and_no_key(caplog: pytest.LogCaptureFixture) -> None:
    rings = Rings()
    with caplog.at_level(logging.INFO, "access"):
        rings.ring.replace("file", [made("a", "one"), made("b", "two")])
        rings.ring.replace("file", [made("a", "one")])
        rings.ring.replace("file", [made("a", "one", ("write",))])
        rings.ring.replace("file", [made("a", "one", ("write",))])
    assert caplog.messages == ["keys new: a, b", "keys gone: b", "keys changed: a"]


def test_a_new_key_is_long_random_and_plain() -> None:
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    for key in keys:
        assert key.startswith("mc_")
        assert len(key) == 46
        assert key.replace("_", "").replace("-", "").isalnum()
        assert len(key.encode()) <= MAX_BYTES
        assert len(hint_of(key)) == 7
    assert digest_of(b"abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
