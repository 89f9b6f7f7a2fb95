# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the profiling port answers, without a port."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from runtime.profiling.endpoints import HTML, INDEX, PPROF, TEXT, Endpoints, ProfileRefused


class Parts:
    """Stands for every part that measures: notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.meanwhile: Callable[[], object] = lambda: None

    def profile(self, *wish: Any) -> bytes:
        self.asked.append(wish[:-1])
        self.meanwhile()
        return b"profile"

    def text(self) -> bytes:
        return b"text"


@pytest.fixture
def parts() -> Parts:
    return Parts()


@pytest.fixture
def endpoints(parts: Parts) -> Endpoints:
    part: Any = parts
    return Endpoints(cpu=part, heap=part, threads=part, argv=("python", "-m", "caf\udce9"))


def ask(endpoints: Endpoints, name: str, **query: str) -> tuple[str, bytes]:
    job = endpoints.find(INDEX + name).prepare(query)
    return job.content_type, job.run(lambda seconds: True)


@pytest.mark.parametrize(
    ("name", "query", "asked"),
    [
        ("profile", {}, (30.0, 100)),
        ("profile", {"seconds": "0.25", "hz": "1000"}, (0.25, 1000)),
        ("profile", {"seconds": "300", "hz": "1", "unknown": "x"}, (300.0, 1)),
        ("heap", {}, (5.0,)),
        ("heap", {"seconds": "1"}, (1.0,)),
        ("threads", {}, ()),
        ("threads", {"debug": "0"}, ()),
    ],
)
def test_a_profile_is_taken_as_asked(
    endpoints: Endpoints, parts: Parts, name: str, query: dict[str, str], asked: tuple[object, ...]
) -> None:
    assert ask(endpoints, name, **query) == (PPROF, b"profile")
    assert parts.asked == [asked]


@pytest.mark.parametrize("seconds", ["", "0", "-1", "300.1", "nan", "inf", "-inf", "1e400", "five", "1,5", "x" * 9999])
@pytest.mark.parametrize("name", ["profile", "heap"])
def test_bad_seconds_are_named(endpoints: Endpoints, parts: Parts, name: str, seconds: str) -> None:
    with pytest.raises(ProfileRefused) as refused:
        endpoints.find(INDEX + name).prepare({"seconds": seconds})
    assert refused.value.status == 400
    assert refused.value.reason.startswith("seconds must be a number above 0 and at most 300, not '")
    assert len(refused.value.reason) < 120
    assert parts.asked == []


@pytest.mark.parametrize("hz", ["", "0", "1001", "-1", "1.5", "²", "99999999999999999999"])
def test_a_bad_rate_is_named(endpoints: Endpoints, hz: str) -> None:
    with pytest.raises(ProfileRefused, match=r"^hz must be a whole number from 1 to 1000, not '") as refused:
        endpoints.find(INDEX + "profile").prepare({"hz": hz})
    assert refused.value.status == 400


def test_threads_come_as_text_too(endpoints: Endpoints) -> None:
    assert ask(endpoints, "threads", debug="1") == (TEXT, b"text")
    with pytest.raises(ProfileRefused, match=r"^debug must be 0 or 1, not 'x'$"):
        ask(endpoints, "threads", debug="x")


def test_the_command_line_comes_word_by_word(endpoints: Endpoints) -> None:
    assert ask(endpoints, "cmdline") == (TEXT, b"python\0-m\0caf\xe9")


def test_the_index_links_to_everything_and_names_its_cost(endpoints: Endpoints) -> None:
    content_type, page = ask(endpoints, "")
    assert content_type == HTML
    for name in ("profile", "heap", "threads", "cmdline"):
        assert f'<a href="/debug/pprof/{name}">'.encode() in page
    assert b"hz=1000" in page
    assert b"no symbol endpoint" in page


def test_the_index_needs_no_slash(endpoints: Endpoints) -> None:
    assert endpoints.find("/debug/pprof").path == INDEX


@pytest.mark.parametrize("path", ["", "/", "/debug/pprof/symbol", "/debug/pprof/profile/x"])
def test_anything_else_is_not_found(endpoints: Endpoints, path: str) -> None:
    with pytest.raises(ProfileRefused, match="/debug/pprof/ lists") as refused:
        endpoints.find(path)
    assert refused.value.status == 404


@pytest.mark.parametrize(("name", "other"), [("profile", "heap"), ("heap", "profile")])
def test_one_of_each_kind_at_a_time(endpoints: Endpoints, parts: Parts, name: str, other: str) -> None:
    refused: list[ProfileRefused] = []

    def meanwhile() -> None:
        parts.meanwhile = lambda: None
        with pytest.raises(ProfileRefused, match="already under way") as error:
            ask(endpoints, name)
        refused.append(error.value)
        ask(endpoints, other)
        ask(endpoints, "threads")

    parts.meanwhile = meanwhile
    ask(endpoints, name)
    assert [error.status for error in refused] == [409]
    ask(endpoints, name)


def test_one_that_fails_makes_room_for_the_next(endpoints: Endpoints, parts: Parts) -> None:
    def meanwhile() -> None:
        raise RuntimeError

    parts.meanwhile = meanwhile
    for _ in range(2):
        with pytest.raises(RuntimeError):
            ask(endpoints, "profile")
