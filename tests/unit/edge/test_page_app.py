# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Django's pages as an ASGI application, driven as a server would drive it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from time import perf_counter
from typing import Any

import msgspec
import pytest
from django.contrib.auth.hashers import make_password
from django.http import StreamingHttpResponse
from django.test import override_settings

from edge import page_app
from edge.kept_pages import PageAnswer
from edge.page_app import PageApp
from edge.page_handler import PageHandler
from edge.page_stream import PIECE_BYTES, PageStream
from edge.page_threads import PageThreads
from edge.places import Places
from edge.rest.openapi import pages as schema_pages
from tests.unit.partial_node import PartialNode

Headers = Mapping[str, str]


class Client:
    """One request and what came back. `leave` makes the client go away."""

    def __init__(self, app: PageApp, method: str, target: str, headers: Headers, body: bytes = b"") -> None:
        path, _, query = target.partition("?")
        self._app = app
        self._scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode("latin-1"),
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
        }
        self._messages: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        self._messages.put_nowait({"type": "http.request", "body": body})
        self.sent: list[Mapping[str, Any]] = []

    def leave(self) -> None:
        self._messages.put_nowait({"type": "http.disconnect"})

    async def ask(self) -> None:
        await self._app(self._scope, self._messages.get, self._send)

    async def _send(self, message: Mapping[str, Any]) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        status: int = self.sent[0]["status"]
        return status

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode("latin-1") for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])


class SlowPages:
    """Answers when released, and counts what it was asked for."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.asked: list[str] = []

    def answer(self, scope: dict[str, Any], body: bytes) -> PageAnswer:
        self.asked.append(scope["path"])
        assert self.release.wait(60)
        return PageAnswer(200, (), (b"a page",))


def run(check: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(check())  # type: ignore[arg-type]


def with_django(node: PartialNode, check: Callable[[Callable[..., Awaitable[Client]]], Awaitable[None]]) -> None:
    threads = PageThreads(2, 8)
    app = PageApp(PageHandler(), node.dispatcher, threads, {})

    async def ask(method: str, target: str, headers: Headers | None = None, body: bytes = b"") -> Client:
        client = Client(app, method, target, headers or {}, body)
        await client.ask()
        return client

    try:
        run(lambda: check(ask))
    finally:
        threads.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.001)


def test_beyond_the_queue_it_is_503_with_retry_after_in_the_envelope_or_as_a_page(
    node: PartialNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_app, "REFUSAL_SECONDS", 0.01)
    pages, threads, scrapes = SlowPages(), PageThreads(1, 1), PageThreads(1, 1)

    async def check() -> None:
        app = PageApp(pages, node.dispatcher, threads, {"/metrics": scrapes})
        served = [Client(app, "GET", f"/{number}", {}) for number in range(2)]
        tasks = [asyncio.ensure_future(client.ask()) for client in served]
        await until(lambda: threads.waiting == 1)
        program = Client(app, "GET", "/x", {"TraceId": "t"})
        person = Client(app, "GET", "/x", {"Accept": "text/html"})
        await asyncio.gather(program.ask(), person.ask())
        for refused in (program, person):
            assert (refused.status, refused.headers["retry-after"]) == (503, "2")
            assert int(refused.headers["content-length"]) == len(refused.body)
        assert msgspec.json.decode(program.body)["error"]["code"] == 50301000
        assert msgspec.json.decode(program.body)["trace_id"] == program.headers["x-trace-id"] == "t"
        assert b"<h1>Service unavailable</h1>" in person.body
        assert "default-src 'none'" in person.headers["content-security-policy"]
        assert [line[2:] for line in node.access.lines] == [("GET", "other", 503)] * 2
        scrape = Client(app, "GET", "/metrics", {})
        scraping = asyncio.ensure_future(scrape.ask())
        await until(lambda: "/metrics" in pages.asked)  # on a thread of its own, past the queue
        pages.release.set()
        await asyncio.gather(scraping, *tasks)
        assert [each.status for each in (*served, scrape)] == [200, 200, 200]

    try:
        run(check)
    finally:
        threads.close()
        scrapes.close()


def test_beyond_the_places_of_one_client_it_is_429_in_the_envelope_or_as_a_page(
    node: PartialNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_app, "REFUSAL_SECONDS", 0.01)
    pages, threads = SlowPages(), PageThreads(1, 9, Places("pages", "Pages", 2))

    async def check() -> None:
        app = PageApp(pages, node.dispatcher, threads, {})
        served = [Client(app, "GET", f"/{number}", {}) for number in range(2)]
        tasks = [asyncio.ensure_future(client.ask()) for client in served]
        await until(lambda: threads.waiting == 1)
        program, person = Client(app, "GET", "/x", {}), Client(app, "GET", "/x", {"Accept": "text/html"})
        await asyncio.gather(program.ask(), person.ask())
        for refused in (program, person):
            assert (refused.status, refused.headers["retry-after"]) == (429, "2")
        assert "[Quotas] Pages" in msgspec.json.decode(program.body)["error"]["reason"]
        assert b"as many pages at a time as one client may" in person.body
        pages.release.set()
        await asyncio.gather(*tasks)

    try:
        run(check)
    finally:
        threads.close()


def test_a_page_whose_client_left_is_not_made(node: PartialNode) -> None:
    pages, threads = SlowPages(), PageThreads(1, 100)

    async def check() -> None:
        app = PageApp(pages, node.dispatcher, threads, {})
        first, gone = Client(app, "GET", "/first", {}), [Client(app, "GET", "/gone", {}) for _ in range(100)]
        tasks = [asyncio.ensure_future(client.ask()) for client in (first, *gone)]
        await until(lambda: threads.waiting == 100)
        refused = Client(app, "GET", "/refused", {})
        asked = asyncio.ensure_future(refused.ask())
        for client in (*gone, refused):
            client.leave()
        await asyncio.gather(asked, *tasks[1:])
        pages.release.set()
        await tasks[0]
        assert pages.asked == ["/first"]
        assert refused.sent == []
        assert all(client.sent == [] for client in gone)
        assert threads.dropped == 100

    try:
        run(check)
    finally:
        threads.close()


def test_a_slow_sender_holds_no_thread(node: PartialNode) -> None:
    pages, threads = SlowPages(), PageThreads(1, 1)

    async def check() -> None:
        arriving: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        arriving.put_nowait({"type": "http.request", "body": b"user", "more_body": True})
        sent: list[Mapping[str, Any]] = []

        async def send(message: Mapping[str, Any]) -> None:
            sent.append(message)

        app = PageApp(pages, node.dispatcher, threads, {})
        scope = {"type": "http", "method": "POST", "path": "/slow", "query_string": b"", "headers": []}
        slow = asyncio.ensure_future(app(scope, arriving.get, send))
        pages.release.set()
        quick = Client(app, "GET", "/quick", {})
        await quick.ask()
        assert (quick.status, pages.asked) == (200, ["/quick"])
        arriving.put_nowait({"type": "http.disconnect"})
        await slow
        assert sent == []

    try:
        run(check)
    finally:
        threads.close()


def test_static_files_and_docs_are_made_once_and_conditional_requests_are_answered(
    node: PartialNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    answer = PageHandler.answer

    def counted(self: PageHandler, scope: dict[str, Any], body: bytes) -> PageAnswer:
        made.append(scope["path"])
        return answer(self, scope, body)

    monkeypatch.setattr(PageHandler, "answer", counted)
    style = "/static/console/console.css"

    async def check(ask: Callable[..., Awaitable[Client]]) -> None:
        first = await ask("GET", style)
        again = await ask("GET", style + "?anything", {"TraceId": "second"})
        assert (first.status, again.status, first.body) == (200, 200, again.body)
        assert again.headers["x-trace-id"] == "second"
        assert {**again.headers, "x-trace-id": ""} == {**first.headers, "x-trace-id": ""}
        assert (await ask("HEAD", style)).body == b""
        for condition in (
            {"If-None-Match": first.headers["etag"]},
            {"If-Modified-Since": first.headers["last-modified"]},
        ):
            known = await ask("GET", style, condition)
            assert (known.status, known.body) == (304, b"")
            assert "content-length" not in known.headers
        assert (await ask("GET", style, {"If-None-Match": '"other"'})).body == first.body
        assert (await ask("POST", style)).status == 405
        packed, packed_again = [await ask("GET", style, {"Accept-Encoding": "gzip"}) for _ in range(2)]
        assert packed.body == packed_again.body != first.body
        for _ in range(3):
            assert (await ask("GET", "/docs/")).status == 200
        assert made == [style, style, style, "/docs/"], "once, the POST, once as gzip, and the page"
        assert (await ask("GET", "/nope")).status == (await ask("GET", "/nope")).status == 404
        assert made.count("/nope") == 2, "an error is not kept"

    with_django(node, check)


def test_the_schema_is_made_once(node: PartialNode, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    document = schema_pages.document

    def counted() -> Any:
        made.append(1)
        return document()

    monkeypatch.setattr(schema_pages, "document", counted)

    async def check(ask: Callable[..., Awaitable[Client]]) -> None:
        bodies = {
            (target, (await ask("GET", target, headers)).body)
            for _ in range(3)
            for target, headers in (("/schema/", {"Accept": "application/yaml"}), ("/schema/?format=json", {}))
        }
        assert len(bodies) == 2

    with_django(node, check)
    assert len(made) == 2


def test_a_page_does_not_wait_for_a_change(node: PartialNode) -> None:
    async def check(ask: Callable[..., Awaitable[Client]]) -> None:
        async with asyncio.timeout(30):  # short: it would wait for a minute
            page = await ask("GET", "/v1/load/stats?cluster=c&wait=60", {"Accept": "text/html"})
        assert page.status == 200
        wrong = await ask("GET", "/v1/load/stats?cluster=c&wait=61", {"Accept": "text/html"})
        assert wrong.status == 400

    with_django(node, check)


def test_what_is_no_text_or_fails_is_answered_as_an_error(node: PartialNode, caplog: pytest.LogCaptureFixture) -> None:
    async def check(ask: Callable[..., Awaitable[Client]]) -> None:
        answer = await ask("GET", "/console/?page=\xff")
        assert (answer.status, msgspec.json.decode(answer.body)["error"]["code"]) == (400, 40001400)
        with override_settings(ROOT_URLCONF="no.such.module"):
            answer = await ask("GET", "/", {"TraceId": "t"})
        assert (answer.status, msgspec.json.decode(answer.body)["error"]["code"]) == (500, 50001000)
        assert (await ask("GET", "/")).status == 200

    with_django(node, check)
    assert "GET / failed, trace id t" in caplog.text


@pytest.mark.no_cover
def test_hashing_a_password_leaves_the_interpreter_to_others() -> None:
    # Had the hash held it, another thread would have stood still for all of that time. The best counts: other processes
    # have their share of the machine.
    assert any(standstill_beside_a_hash() < 0.5 for _ in range(10))


def standstill_beside_a_hash() -> float:
    """The longest that another thread stood still while a password was hashed, as a share of the time that took."""
    took: list[float] = []

    def hash_() -> None:
        began = perf_counter()
        make_password("a password", hasher="pbkdf2_sha256")
        took.append(perf_counter() - began)

    thread = threading.Thread(target=hash_)
    last, longest = perf_counter(), 0.0
    thread.start()
    while thread.is_alive():
        now = perf_counter()
        last, longest = now, max(longest, now - last)
    thread.join()
    return longest / took[0]


class Readings:
    """Answers with a body of three pieces that are made one by one. `made` and `closed` say how far it is."""

    def __init__(self) -> None:
        self.made = 0
        self.closed = False

    def _parts(self) -> Iterator[bytes]:
        try:
            for number in range(3):
                self.made += 1
                yield b"%d" % number * PIECE_BYTES
        finally:
            self.closed = True

    def answer(self, scope: dict[str, Any], body: bytes) -> PageAnswer:
        return PageAnswer(200, (), (), stream=PageStream(StreamingHttpResponse(self._parts())))


class SlowReader(Client):
    """Takes each message when it is let."""

    def __init__(self, app: PageApp, method: str, target: str, headers: Headers) -> None:
        super().__init__(app, method, target, headers)
        self.may = asyncio.Semaphore(0)

    async def _send(self, message: Mapping[str, Any]) -> None:
        await super()._send(message)
        await self.may.acquire()


def test_a_body_is_made_while_it_is_sent_and_a_slow_reader_holds_its_place_and_no_thread(node: PartialNode) -> None:
    pages, threads = Readings(), PageThreads(1, 0)

    async def check() -> None:
        app = PageApp(pages, node.dispatcher, threads, {})
        reader = SlowReader(app, "GET", "/x", {})
        asking = asyncio.ensure_future(reader.ask())
        for number in range(4):
            await until(lambda number=number: len(reader.sent) == number + 1)  # type: ignore[misc]
            assert (pages.made, threads.working, threads.places.total) == (number, 0, 1)
            reader.may.release()
        reader.may.release()
        await asking
        assert reader.body == b"".join(b"%d" % number * PIECE_BYTES for number in range(3))
        assert "content-length" not in reader.headers
        assert (pages.closed, threads.places.total) == (True, 0)

    try:
        run(check)
    finally:
        threads.close()


def test_a_body_ends_with_its_reader(node: PartialNode) -> None:
    pages, threads = Readings(), PageThreads(1, 0)

    async def check() -> None:
        app = PageApp(pages, node.dispatcher, threads, {})
        reader = SlowReader(app, "GET", "/x", {})
        asking = asyncio.ensure_future(reader.ask())
        reader.may.release()
        await until(lambda: len(reader.sent) == 2)
        reader.leave()
        await asyncio.sleep(0)
        reader.may.release()
        await asking
        assert (pages.made, pages.closed, threads.places.total) == (1, True, 0)

    try:
        run(check)
    finally:
        threads.close()


def test_a_piece_waits_for_a_thread_where_a_new_page_would_be_refused(node: PartialNode) -> None:
    pages, threads = Readings(), PageThreads(1, 0)
    release = threading.Event()

    async def check() -> None:
        app = PageApp(pages, node.dispatcher, threads, {})
        reader = SlowReader(app, "GET", "/x", {})
        asking = asyncio.ensure_future(reader.ask())
        await until(lambda: len(reader.sent) == 1)
        other = asyncio.ensure_future(threads.run(lambda: release.wait(60), asyncio.get_running_loop().create_future()))
        await until(lambda: threads.working == 1)
        reader.may.release()
        await until(lambda: threads.waiting == 1)
        release.set()
        for _ in range(4):
            reader.may.release()
        await asyncio.gather(asking, other)
        assert len(reader.body) == 3 * PIECE_BYTES
        assert threads.refused == 0

    try:
        run(check)
    finally:
        threads.close()


def test_a_table_is_a_file_of_no_announced_length(node: PartialNode) -> None:
    node.add("r", "wide", "10.0.0.7")

    async def check(ask: Callable[..., Awaitable[Client]]) -> None:
        whole = await ask("GET", "/console/clusters/wide/?format=json")
        assert msgspec.json.decode(whole.body)[0]["engine"] == "10.0.0.7"
        assert whole.headers["content-type"] == "application/json"
        assert "content-length" not in whole.headers
        head = await ask("HEAD", "/console/clusters/wide/?format=json")
        assert (head.status, head.body) == (200, b"")
        assert head.headers["content-disposition"] == whole.headers["content-disposition"]

    with_django(node, check)
