# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One person who reads the admin's pages."""

from __future__ import annotations

from contextlib import closing
from itertools import repeat

import pytest

from benchmarks.admin import PAGES, Reader
from benchmarks.servers import ServerFailed
from tests.unit.benchmarks.scripted import answering


def page(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def test_it_opens_page_after_page_and_follows_where_one_leads_on() -> None:
    first = page(b'<a href="?phase=flight&amp;bucket=7&amp;after=r1">Continue</a>')
    with answering([(first[:30], first[30:]), *repeat((page(b""),), len(PAGES) + 1)]) as server:
        reader = Reader(server.port, "sessionid=s")
        with closing(reader.connection):
            reader.ask()
            while len(server.requests) <= len(PAGES):
                reader.read()
    lines = [request.partition(b"\r\n")[0].decode() for request in server.requests]
    assert lines[0] == "GET /admin/loadstats/request/ HTTP/1.1"
    assert lines[1] == "GET /admin/loadstats/request/?phase=flight&bucket=7&after=r1 HTTP/1.1"
    assert lines[len(PAGES)] == lines[0]
    assert all(b"\r\nCookie: sessionid=s\r\n" in request for request in server.requests)
    assert set(reader.took) == set(PAGES)
    assert min(min(each) for each in reader.took.values()) > 0


def test_a_node_that_hangs_up_is_told_with_the_page() -> None:
    with answering([(b"",)]) as server:
        reader = Reader(server.port, "")
        with closing(reader.connection):
            reader.ask()
            with pytest.raises(ServerFailed, match="requests, the first page"):
                reader.read()
