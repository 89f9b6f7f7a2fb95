# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The live view in the terminal, driven by keys, over nodes that a test makes up."""

from __future__ import annotations

import asyncio
import signal
from argparse import ArgumentTypeError
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpx
import pytest
from fake_nodes import FakeNodes, answer
from metadata_center_client import AsyncClient, ClusterLoad, EngineLoad, Gateway, PeerLag

pytest.importorskip("textual", reason="needs the extra top")

from metadata_center_client.top.app import TopApp
from metadata_center_client.top.command import ENDED, address, every, main, parser, show
from metadata_center_client.top.picture import NoPicture, PictureReader
from metadata_center_client.top.table import (
    BAR_WIDTH,
    CLUSTERS,
    ENGINES,
    GATEWAYS,
    PEERS,
    Sorting,
    Table,
    age,
    arranged,
    bar,
    gateway_state,
    name_width,
    short,
    shown,
    trend,
    with_bars,
)
from textual.events import Key
from textual.pilot import Pilot

URLS = ["http://a", "http://b"]
TABLES = [CLUSTERS, ENGINES, GATEWAYS, PEERS]
ROWS: dict[str, Any] = {
    CLUSTERS.name: ClusterLoad("c"), ENGINES.name: EngineLoad("10.0.0.1"), GATEWAYS.name: Gateway("g"),
    PEERS.name: PeerLag("p"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (9_999, "9999"), (12_345, "12.3k"), (123_456, "123k"), (999_999, "1000k"), (4_560_000, "4.56M"),
     (7e9, "7G"), (8e12, "8T")],
)  # fmt: skip
def test_a_number_is_short(number: float, text: str) -> None:
    assert short(number) == text
    assert len(text) <= 5


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "-"), (0, "0s"), (119, "119s"), (600, "10m"), (7_300, "2h"), (864_000, "10d")]
)
def test_a_time_is_short(seconds: float | None, text: str) -> None:
    assert age(seconds) == text


def test_a_bar_is_as_long_as_its_share_and_never_empty_for_something() -> None:
    assert len(bar(10, 10)) == BAR_WIDTH - 1
    assert len(bar(1, 1_000_000)) == 1
    assert bar(0, 10) == bar(0, 0) == ""


def test_a_trend_shows_the_last_numbers_and_dots_where_they_are_unknown() -> None:
    assert trend([1, None, 4, 8], 3) == "·▅█"
    assert trend([0, 0], 9) == "▁▁"
    assert trend([], 9) == ""


@pytest.mark.parametrize(
    ("gateway", "state"),
    [
        (Gateway("g", heartbeat_seconds=1), "alive"),
        (Gateway("g", heartbeat_seconds=90, lapsed=True), "silent"),
        (Gateway("g"), "no beats"),
        (Gateway("10.0.0.1", kind="client"), "unnamed"),
    ],
)
def test_a_gateways_state_is_a_word(gateway: Gateway, state: str) -> None:
    assert gateway_state(gateway) == state


def test_rows_are_sorted_by_the_largest_or_the_first_word_and_by_name_among_equals() -> None:
    rows = [ClusterLoad("b", queued_req_num=1), ClusterLoad("a", queued_req_num=1), ClusterLoad("c", queued_req_num=9)]

    def names(sorting: Sorting, words: str = "") -> str:
        return "".join(row.cluster for row in arranged(CLUSTERS, rows, sorting, words))

    assert names(Sorting(2)) == "cab"
    assert names(Sorting(2, reverse=True)) == "abc"
    assert names(Sorting(0)) == "abc"
    assert names(Sorting(0, reverse=True)) == "cba"
    assert names(Sorting(0), "B") == "b"


def test_numbers_in_names_are_sorted_as_numbers() -> None:
    rows = [EngineLoad(ip, port=8000) for ip in ("10.0.0.10", "fe80::1", "10.0.0.9", "9.0.0.1")]
    names = [row.ip for row in arranged(ENGINES, rows, Sorting(0))]
    assert names == ["9.0.0.1", "10.0.0.9", "10.0.0.10", "fe80::1"]
    assert [row.ip for row in arranged(ENGINES, rows, Sorting(1))] == names  # all are equal in that


@pytest.mark.parametrize("table", TABLES, ids=[table.name for table in TABLES])
@pytest.mark.parametrize("width", range(38, 201, 9))
def test_a_table_fits_its_width_and_each_title_its_column(table: Table, width: int) -> None:
    columns = [table.columns[place] for place in shown(table, width)]
    total = name_width(table, width) + sum(column.width for column in columns[1:])
    assert total + (BAR_WIDTH if with_bars(table, width) else 0) <= max(width, 60)
    for column in columns[1:]:
        assert len(column.title) + 2 <= column.width  # with its mark and a space
        assert isinstance(column.text(ROWS[table.name]), str)


def nodes_with_load() -> FakeNodes:
    """Nodes that know two clusters, an engine in each, two gateways and a lost peer."""
    nodes = FakeNodes()
    clusters = [
        {"cluster": "alpha", "engines": 1, "queued_req_num": 3, "prefill_req_num": 1, "token_num": 20_000},
        {"cluster": "beta", "engines": 2, "queued_req_num": 7, "orphaned_req_num": 2},
    ]
    gateways = [
        {"owner": "gateway-1", "kind": "owner", "requests": 9, "heartbeat_seconds": 1},
        {"owner": "gateway-2", "kind": "owner", "requests": 1, "heartbeat_seconds": 99, "lapsed": True},
    ]
    peers = [{"peer": "10.0.0.9:8080", "state": "lost", "last_error": "connection refused"}]
    nodes.answers |= {
        ("GET", "/v1/load/clusters"): answer(clusters),
        ("GET", "/v1/load/stats"): answer([{"ip": "10.0.0.1", "port": 8000, "queued_req_num": 3}]),
        ("GET", "/v1/load/owners"): answer({"owners": gateways, "total": 2, "next": None}),
        ("GET", "/v1/replica/peers"): answer({"origin": "o", "joined": True, "peers": peers}),
        ("GET", "/v1/load/history"): answer({"step_seconds": 10, "series": {"queued_req_num": [None, 1, 8]}}),
    }
    return nodes


def reader_of(nodes: FakeNodes, urls: Sequence[str] = URLS) -> PictureReader:
    def connect(urls: list[str], **options: Any) -> AsyncClient:
        return AsyncClient(urls, http=httpx.AsyncClient(transport=httpx.MockTransport(nodes.later)), **options)

    return PictureReader(urls, connect=connect)


def text_of(app: TopApp) -> str:
    """What the screen shows."""
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips)


def driven(
    nodes: FakeNodes,
    does: Callable[[TopApp, Pilot[None]], Awaitable[None]],
    size: tuple[int, int] = (80, 24),
    urls: Sequence[str] = URLS,
) -> None:
    """Run the view on a screen of this size and let a test drive it."""

    async def run() -> None:
        app = TopApp(reader_of(nodes, urls), every_seconds=3600)
        async with app.run_test(size=size) as pilot:
            await shows(app, pilot, "alpha" if "a" not in nodes.down or "b" not in nodes.down else "No node answers")
            await does(app, pilot)

    asyncio.run(run())


async def shows(app: TopApp, pilot: Pilot[None], *texts: str) -> None:
    """Wait until the screen shows the texts."""
    for _ in range(500):
        await pilot.pause()
        if all(text in text_of(app) for text in texts):
            return
        await asyncio.sleep(0.01)  # between two looks, not in place of one
    raise AssertionError(f"no {texts} in\n{text_of(app)}")


def test_clusters_stand_below_their_sums_the_busiest_first() -> None:
    async def does(app: TopApp, pilot: Pilot[None]) -> None:
        text = text_of(app)
        assert "3 engines · 10 in flight · 1 in prefill · 20k tokens · 2 orphans" in text
        assert text.index("beta") < text.index("alpha")
        assert "·▂█" in text

    driven(nodes_with_load(), does)


@pytest.mark.parametrize("size", [(80, 24), (110, 30), pytest.param((200, 60), marks=pytest.mark.slow)])
def test_all_of_it_has_room(size: tuple[int, int]) -> None:
    async def does(app: TopApp, pilot: Pilot[None]) -> None:
        texts = [text_of(app)]
        for table, titles in (("2", " 1 Clusters  ▸2 Gateways (2)   3 Peers"), ("3", "▸3 Peers (1)")):
            await pilot.press(table)
            await shows(app, pilot, titles if size[0] < 110 else f"▸{table} ")
            texts.append(text_of(app))
        both = "\n".join(texts)
        assert "gateway-2" in both
        assert "silent" in both
        assert "10.0.0.9:8080" in both
        assert "lost" in both
        assert ("gateway-2" in texts[0]) == (size[0] >= 110)

    driven(nodes_with_load(), does, size)


def test_a_clusters_page_shows_its_engines_and_escape_goes_back() -> None:
    async def does(app: TopApp, pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        await shows(app, pilot, "cluster beta", "10.0.0.1:8000", "Engines")
        await pilot.press("escape")
        await shows(app, pilot, "all clusters", "alpha")

    driven(nodes_with_load(), does)


def test_keys_that_follow_each_other_at_once_are_all_obeyed() -> None:
    async def does(app: TopApp, pilot: Pilot[None]) -> None:
        for key, character in (("3", "3"), ("1", "1"), ("enter", "\r")):
            app.post_message(Key(key, character))
        await shows(app, pilot, "cluster beta")
        for key, character in (
            ("escape", "\x1b"),
            ("slash", "/"),
            *zip("ALPqr1", "ALPqr1", strict=True),
            ("enter", "\r"),
        ):
            app.post_message(Key(key, character))
        await shows(app, pilot, "filter: ALPqr1")

    driven(nodes_with_load(), does)


def test_keys_sort_and_turn_the_order_round() -> None:
    async def does(app: TopApp, pilot: Pilot[None]) -> None:
        await pilot.press("r")
        await shows(app, pilot, "▲in flight")
        text = text_of(app)
        assert text.index("alpha") < text.index("beta")
        await pilot.press(">")
        await shows(app, pilot, "▼prefill")
        text = text_of(app)
        assert text.index("alpha") < text.index("beta")
        for _ in range(3):
            await pilot.press("<")
        await shows(app, pilot, "▼cluster")

    driven(nodes_with_load(), does)


def test_a_filter_leaves_rows_that_hold_its_text() -> None:
    async def does(app: TopApp, pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"ALP", "enter")
        await shows(app, pilot, "filter: ALP", "(1 of 2)")
        assert "beta" not in text_of(app)
        await pilot.press("slash", *"xyz")
        await shows(app, pilot, "No row holds the filter's text.", "enter keep the filter  esc clear it")
        await pilot.press("escape")
        await shows(app, pilot, "beta", "alpha", "q quit")

        await pilot.press("slash", *"xyz", "enter")
        await shows(app, pilot, "No row holds the filter's text.")
        await pilot.press("p")
        await shows(app, pilot, "PAUSED")
        await pilot.press("escape", "down", "enter")
        await shows(app, pilot, "cluster alpha")

    driven(nodes_with_load(), does)


def test_the_cursor_stays_with_its_row() -> None:
    async def does(app: TopApp, pilot: Pilot[None]) -> None:
        await pilot.press("down", "r")
        await shows(app, pilot, "▲in flight")
        await pilot.press("enter")
        await shows(app, pilot, "cluster alpha")

    driven(nodes_with_load(), does)


class Waiting(FakeNodes):
    """Nodes that answer when they may."""

    def __init__(self) -> None:
        super().__init__()
        self.may, self.asks = asyncio.Event(), asyncio.Event()

    async def later(self, request: httpx.Request) -> httpx.Response:
        self.asks.set()
        await self.may.wait()
        return self(request)


def test_it_may_be_quit_while_a_picture_is_read() -> None:
    async def run() -> None:
        nodes = Waiting()
        app = TopApp(reader_of(nodes), every_seconds=3600)
        async with app.run_test() as pilot:
            await nodes.asks.wait()
            await pilot.press("question_mark")  # keys do not wait for the nodes either
            await shows(app, pilot, "Any key closes this page.")
        await app.refresh_picture()

    asyncio.run(run())


def test_a_paused_view_reads_nothing() -> None:
    nodes = nodes_with_load()

    async def does(app: TopApp, pilot: Pilot[None]) -> None:
        await pilot.press("p")
        await shows(app, pilot, "PAUSED")
        before = len(nodes.asked)
        await app.refresh_picture()
        assert len(nodes.asked) == before
        await pilot.press("p")
        await app.refresh_picture()
        assert len(nodes.asked) > before

    driven(nodes, does)


def test_a_cluster_that_is_opened_in_a_paused_view_is_read_once() -> None:
    nodes = nodes_with_load()

    async def does(app: TopApp, pilot: Pilot[None]) -> None:
        await pilot.press("p", "enter")
        await shows(app, pilot, "PAUSED", "10.0.0.1:8000")
        before = len(nodes.asked)
        await app.refresh_picture()
        assert len(nodes.asked) == before

    driven(nodes, does)


def test_a_cluster_that_is_opened_while_another_picture_is_read_is_read_next() -> None:
    nodes = nodes_with_load()

    async def does(app: TopApp, pilot: Pilot[None]) -> None:
        reading = asyncio.create_task(app.refresh_picture())
        await asyncio.sleep(0)
        app._go("alpha")
        await reading
        await shows(app, pilot, "10.0.0.1:8000")

    driven(nodes, does)


def test_a_view_whose_process_is_told_to_end_leaves_its_terminal_as_it_was() -> None:
    async def told(pilot: Pilot[None]) -> None:
        signal.raise_signal(signal.SIGTERM)
        while pilot.app.is_running:
            await asyncio.sleep(0.01)  # between two looks, not in place of one

    app = TopApp(reader_of(nodes_with_load()), every_seconds=3600)
    assert asyncio.run(show(app, headless=True, auto_pilot=told)) == ENDED


def test_help_names_the_keys_and_any_key_closes_it() -> None:
    async def does(app: TopApp, pilot: Pilot[None]) -> None:
        await pilot.press("question_mark")
        await shows(app, pilot, "Any key closes this page.")
        await app.refresh_picture()
        await pilot.press("x")
        await pilot.pause()
        assert "Any key" not in text_of(app)

    driven(nodes_with_load(), does)


def test_another_node_takes_over_and_the_screen_says_so() -> None:
    nodes = nodes_with_load()

    async def does(app: TopApp, pilot: Pilot[None]) -> None:
        assert "node http://a" in text_of(app)
        nodes.down = {"a"}
        await app.refresh_picture()
        await shows(app, pilot, "node http://b", "http://a is away: connection refused")
        nodes.down = {"a", "b"}
        await app.refresh_picture()
        await shows(app, pilot, "No node answers. These numbers are", "alpha")
        nodes.down = set()
        await app.refresh_picture()
        await shows(app, pilot, "node http://")
        assert "No node answers" not in text_of(app)

    driven(nodes, does)


def test_where_no_node_answers_from_the_start_that_is_said() -> None:
    nodes = nodes_with_load()
    nodes.down = {"a", "b"}

    async def does(app: TopApp, pilot: Pilot[None]) -> None:
        lines = text_of(app).splitlines()
        assert lines[1:4] == [
            "No node answers.",
            "http://a is away: connection refused",
            "http://b is away: connection refused",
        ]

    driven(nodes, does)


def test_where_many_nodes_are_away_the_table_keeps_its_room() -> None:
    nodes = nodes_with_load()
    nodes.down = set("abcde")

    async def does(app: TopApp, pilot: Pilot[None]) -> None:
        lines = text_of(app).splitlines()
        assert lines[1:4] == ["No node answers.", "http://a is away: connection refused", "4 more nodes are away."]

    driven(nodes, does, urls=[f"http://{name}" for name in "abcde"])


def test_what_a_node_may_lack_is_said_beside_its_trend() -> None:
    nodes = nodes_with_load()
    standing = {"origin": "o", "joined": True, "cold_since": "2026-11-29T14:35:27.956Z", "peers": []}
    nodes.answers["GET", "/v1/replica/peers"] = answer(standing)

    async def does(app: TopApp, pilot: Pilot[None]) -> None:
        text = text_of(app)
        assert "The node began at 14:35 UTC. It may lack requests that began before." in text
        assert "·▂█" in text

    driven(nodes, does)


def test_control_c_quits_even_while_a_filter_is_typed() -> None:
    async def does(app: TopApp, pilot: Pilot[None]) -> None:
        await pilot.press("slash", "x", "ctrl+c")
        await pilot.pause()
        assert app.return_code == 0
        assert not app.is_running

    driven(nodes_with_load(), does)


def test_a_part_that_a_key_may_not_read_says_so_and_the_rest_is_shown() -> None:
    nodes = nodes_with_load()
    nodes.answers["GET", "/v1/replica/peers"] = answer(None, 403, {"code": 40300000, "message": "forbidden"})

    async def does(app: TopApp, pilot: Pilot[None]) -> None:
        await pilot.press("3")
        await shows(app, pilot, "Not shown: forbidden")

    driven(nodes, does)


def test_nothing_reported_yet_is_said() -> None:
    nodes = nodes_with_load()

    async def does(app: TopApp, pilot: Pilot[None]) -> None:
        nodes.answers["GET", "/v1/load/clusters"] = answer([])
        await app.refresh_picture()
        await shows(app, pilot, "No cluster is known yet")

    driven(nodes, does)


def test_text_of_others_is_text() -> None:
    nodes = nodes_with_load()
    nodes.answers["GET", "/v1/load/clusters"] = answer([{"cluster": "[b]alpha[/b]\n\x1b[31m", "queued_req_num": 1}])

    async def does(app: TopApp, pilot: Pilot[None]) -> None:
        assert "[b]alpha[/b]" in text_of(app)
        assert "\x1b" not in text_of(app)
        await pilot.press("enter")
        await shows(app, pilot, "cluster [b]alpha[/b] [31m")
        assert "\x1b" not in text_of(app)

    driven(nodes, does)


def test_more_clusters_than_a_page_are_all_read() -> None:
    nodes = FakeNodes()
    pages = [[{"cluster": f"c{number:04}"} for number in range(1_000)], [{"cluster": "last"}]]

    async def by_page(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/load/clusters":
            return answer(pages["after=c0999" in str(request.url)])
        return nodes(request)

    async def run() -> int:
        http = httpx.AsyncClient(transport=httpx.MockTransport(by_page))
        reader = PictureReader(["http://a"], connect=lambda urls, **options: AsyncClient(urls, http=http, **options))
        try:
            return len((await reader.read()).clusters)
        finally:
            await reader.close()

    assert asyncio.run(run()) == 1_001


def test_a_reader_stays_with_the_node_that_answered() -> None:
    nodes = nodes_with_load()

    async def run() -> None:
        reader = reader_of(nodes)
        nodes.down = {"a"}
        assert (await reader.read()).node == "http://b"
        nodes.down = set()
        assert (await reader.read()).node == "http://b"
        nodes.down = {"a", "b"}
        with pytest.raises(NoPicture, match="http://a is away"):
            await reader.read()
        await reader.close()

    asyncio.run(run())


def test_a_node_that_is_back_is_no_longer_called_away() -> None:
    nodes = nodes_with_load()

    async def run() -> None:
        reader = reader_of(nodes)
        nodes.down = {"a"}
        await reader.read()
        assert reader.away == {"http://a": "connection refused"}
        nodes.down = set()
        reader._looked_at = float("-inf")  # ten seconds are over
        async with asyncio.timeout(60):
            while reader.away:
                assert (await reader.read()).node == "http://b"
                await asyncio.sleep(0)
        await reader.close()

    asyncio.run(run())


def test_the_commands_words() -> None:
    options = parser("top").parse_args(["10.0.0.1:8080", "https://b/", "--every", "2", "--cluster", "c"])
    assert (options.nodes, options.every, options.cluster) == (["http://10.0.0.1:8080", "https://b"], 2.0, "c")
    assert parser("top").parse_args([]).nodes == ["http://127.0.0.1:8080"]
    for text in ("0", "x", "nan"):
        with pytest.raises(ArgumentTypeError):
            every(text)
    with pytest.raises(ArgumentTypeError):
        address("ftp://a")


def test_without_a_terminal_the_command_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], "metadata-center top") == 2
    assert capsys.readouterr().err == "metadata-center top: expected a terminal\n"
