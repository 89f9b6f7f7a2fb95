# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Which web pages may call a node."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.page_sites import PageSites

LISTED = PageSites(["https://ops.example", "http://.lab.example:8080", ".both.example", "https://tls.example:8443/"])


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        (b"node:8080", b"http://node:8080"),
        (b"NODE:8080", b"HTTP://Node:8080"),
        (b"node.:8080", b"http://node:8080"),
        (b"node", b"http://node"),
        (b"node", b"https://node"),
        (b"node:443", b"https://node"),
        (b"node", b"https://node:443"),
        (b"[::1]:8080", b"http://[::1]:8080"),
        (b"node:8080", b"https://ops.example"),
        (b"node:8080", b"https://ops.example:443"),
        (b"node:8080", b"http://a.lab.example:8080"),
        (b"node:8080", b"http://lab.example:8080"),
        (b"node:8080", b"https://x.both.example:1"),
        (b"node:8080", b"https://tls.example:8443"),
    ],
)
def test_own_pages_and_listed_sites_may(host: bytes, origin: bytes) -> None:
    assert LISTED.fault(host, [origin], []) is None
    assert LISTED.fault(host, [origin], [b"same-site"]) is None


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        (b"node:8080", b"null"),
        (b"node:8080", b" NULL "),
        (b"node:8080", b""),
        (b"node:8080", b"http://evil.example"),
        (b"node:8080", b"http://node"),
        (b"node:8080", b"http://node:9090"),
        (b"node:8080", b"http://node:8080.evil.example"),
        (b"node:8080", b"http://evil.example/?http://node:8080"),
        (b"node:8080", b"http://node:8080@evil.example"),
        (b"node:8080", b"http://ops.example"),
        (b"node:8080", b"https://xops.example"),
        (b"node:8080", b"https://evilboth.example"),
        (b"node:8080", b"https://a.lab.example:8080"),
        (b"node:8080", b"chrome-extension://node:8080"),
        (b"node:8080", b"file://"),
        (b"node:8080", b"\xff"),
        (b"node:8080", b"http://["),
        (b"node:8080", b"http://node:8080, http://evil.example"),
        (b"", b"http://"),
    ],
)
def test_pages_of_other_sites_may_not(host: bytes, origin: bytes) -> None:
    assert (LISTED.fault(host, [origin], []) or "").startswith("Origin")
    own = b"http://node:8080"
    assert LISTED.fault(host, [own, origin], []) is not None  # sent twice, whichever comes first
    assert LISTED.fault(host, [origin, own], []) is not None


@pytest.mark.parametrize(
    ("said", "own", "listed", "without"),
    [
        (b"same-origin", True, True, True),
        (b"none", True, True, True),
        (b"NONE", True, True, True),
        (b"same-site", True, True, False),
        (b"cross-site", False, True, False),
        (b"Cross-Site ", False, True, False),
        (b"something-new", False, True, False),
        (b"", False, True, False),
    ],
)
def test_what_the_browser_says_of_the_page_counts_too(said: bytes, own: bool, listed: bool, without: bool) -> None:
    assert (LISTED.fault(b"node", [b"http://node"], [said]) is None) is own
    assert (LISTED.fault(b"node", [b"https://ops.example"], [said]) is None) is listed
    assert (LISTED.fault(b"node", [], [said]) is None) is without
    assert LISTED.fault(b"node", [b"http://evil.example"], [said]) is not None


def test_a_program_may() -> None:
    assert PageSites().fault(b"node", [], []) is None


def test_a_star_lists_every_site_but_pages_without_one() -> None:
    assert PageSites(["*"]).fault(b"node", [b"http://evil.example"], [b"cross-site"]) is None
    assert PageSites(["*"]).fault(b"node", [b"null"], []) == "Origin: null"


@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=20))
def test_any_bytes_are_judged(host: bytes, origin: bytes, fetched: bytes) -> None:
    assert LISTED.fault(host, [origin], [fetched]) in {None, "Origin", "Origin: null", "Sec-Fetch-Site"}
