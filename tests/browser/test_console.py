# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The console in a real browser, before a real node: it is live, says when it is not, and stays what it is."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from time import monotonic
from urllib.parse import quote

import pytest

from tests.browser.axe import faults
from tests.browser.chromium import PageGone, Tab
from tests.clusters import ClusterNode, wait
from tests.nodes import CALL_SECONDS
from tests.ports import free_port

ATTACKS = ("<script>document.title='owned'</script>", '"><img src=x onerror="document.title=1">', "x" * 256)
COLOUR = "getComputedStyle(document.querySelector('.state.ok')).color"
STATE = "document.getElementById('sign').dataset.state"


class Console(ClusterNode):
    """A node of its own, at one port for its whole life, and calls to it on one connection.

    It begins with nothing each time, so that pages show whether what they hold is the node's.
    """

    def __init__(self, folder: Path) -> None:
        environment = {"METADATA_CENTER_LOAD_ORPHAN_GRACE": "1h", "METADATA_CENTER_NODE_SNAPSHOT": "false"}
        super().__init__(folder, "127.0.0.1", free_port(), environment)
        self.site = f"http://127.0.0.1:{self.port}"
        self._added = 0

    def up(self) -> None:
        self.start()
        wait(self.ready, "the node is ready")

    def add(self, cluster: str, ip: str = "10.0.0.1", prompt_length: int = 100, request_id: str = "") -> str:
        """A request, reported as a gateway does."""
        self._added += 1
        request_id = request_id or f"r{self._added}"
        body = {"cluster": cluster, "request_id": request_id, "ip": ip, "prompt_length": prompt_length}
        self.call("POST", "/v1/load/stats", body)
        return request_id

    def add_many(self, cluster: str, engines: int, requests: int = 1) -> None:
        """Requests on each of many engines."""
        connection = HTTPConnection(self.address, self.port, timeout=CALL_SECONDS)
        for number in range(engines * requests):
            self._added += 1
            engine = number % engines
            body = {"cluster": cluster, "request_id": f"m{self._added}", "ip": f"10.1.{engine // 250}.{engine % 250}"}
            connection.request("POST", "/v1/load/stats", json.dumps(body))
            assert connection.getresponse().read()
        connection.close()


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    console = Console(tmp_path_factory.mktemp("node"))
    try:
        console.up()
        console.add("wide", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 2**31 - 1, "wide-1")
        yield console
    finally:
        console.stop()


def live(tab: Tab, console: Console, path: str) -> None:
    """Go there and wait until the page is live."""
    tab.open(f"{console.site}{path}")
    tab.until(f"{STATE} === 'live'")


def forgive(tab: Tab, *words: str) -> None:
    """The node was away: the browser says so."""
    tab.complaints[:] = [each for each in tab.complaints if not any(word in each for word in words)]


@pytest.mark.parametrize("path", ["/console/", "/console/clusters/ap%20%26%20pears/"])
def test_a_change_is_shown_within_a_second(console: Console, tab: Tab, path: str) -> None:
    live(tab, console, path)
    ip = f"10.7.0.{len(path)}"
    row = "ap & pears" if path == "/console/" else ip
    rows = "[...document.querySelectorAll('.list tbody tr')]"
    cell = f"{rows}.find((row) => row.innerText.includes('{row}'))?.querySelector('[data-cell=requests]')?.innerText"
    before = int(tab.run(f"{cell} ?? '0'"))
    took = []
    for number in range(1, 21):  # the best counts: others have their share of the machine
        begun = monotonic()
        console.add("ap & pears", ip)
        tab.until(f"({cell}) === '{before + number}'")
        took.append(monotonic() - begun)
        if number >= 5 and min(took) < 1:
            break
    assert min(took) < 1


def test_a_cluster_that_begins_while_it_is_watched_appears(console: Console, tab: Tab) -> None:
    live(tab, console, "/console/clusters/later/")
    assert "This cluster has no engines." in tab.text()
    console.add("later", "10.0.0.77")
    tab.until("document.getElementById('empty').hidden && document.body.innerText.includes('10.0.0.77')")
    assert not tab.run("document.getElementById('full').hidden")


def test_an_engine_that_is_not_there_yet_has_a_live_page(console: Console, tab: Tab) -> None:
    live(tab, console, "/console/engine/?cluster=engines&engine=10.0.0.78")
    assert "has no engine" in tab.text()
    console.add("engines", "10.0.0.78")
    tab.until("document.querySelector('.tiles') && document.body.innerText.includes('Requests in flight')")
    assert tab.run(STATE) == "live"


def test_charts_begin_with_what_the_node_kept_and_are_read_off_with_keys(console: Console, tab: Tab) -> None:
    console.add("kept", "10.0.0.1")

    def kept() -> int:
        numbers = json.loads(console.call("GET", "/v1/load/history?cluster=kept"))["data"]["series"]["queued_req_num"]
        return sum(number is not None for number in numbers)

    wait(lambda: kept() >= 2, "the node has sampled twice")
    live(tab, console, "/console/clusters/kept/?range=5m")
    total = "document.getElementById('total')"
    # The first page of this cluster in this tab: what is older than it is the node's.
    tab.until(f"{total}.getAttribute('role') === 'slider' && !{total}.querySelector('.still')")
    back = "new KeyboardEvent('keydown', {key: 'Home', bubbles: true})"
    tab.until(f"({total}.dispatchEvent({back}), Number({total}.ariaValueNow) <= -9)")
    tab.run(f"{total}.focus()")
    tab.until(f"({total}.dispatchEvent({back}), /^[0-9:]+: total 1, in prefill 1/.test({total}.ariaValueText))")
    tab.run("document.querySelector('#range a:last-child').click()")
    assert tab.run("location.search") == "?range=1h"
    tab.until(f"{total}.ariaValueMin === '-3600'")
    assert faults(tab) == []


def test_a_pause_holds_what_is_shown(console: Console, tab: Tab) -> None:
    live(tab, console, "/console/clusters/paused/")
    console.add("paused", "10.0.0.1")
    tab.until("document.body.innerText.includes('10.0.0.1')")
    tab.run("document.querySelector('#sign button').click()")
    assert "Paused at" in tab.text()
    console.add("paused", "10.0.0.2")
    tab.run("new Promise(done => setTimeout(done, 400))")  # four messages long
    assert "10.0.0.2" not in tab.text()
    tab.run("document.querySelector('#sign button').click()")
    tab.until("document.body.innerText.includes('10.0.0.2')")


def test_a_page_comes_back_with_its_node(console: Console, tab: Tab) -> None:
    live(tab, console, "/console/clusters/returning/")
    console.add("returning", "10.0.0.1")
    tab.until("document.body.innerText.includes('10.0.0.1')")
    console.kill()
    tab.until(f"{STATE} === 'stale'")
    assert "Stale since" in tab.text()
    assert "10.0.0.1" in tab.text()
    console.up()
    tab.until(f"{STATE} === 'live'")
    console.add("returning", "10.0.0.2")
    tab.until("document.body.innerText.includes('10.0.0.2') && !document.body.innerText.includes('10.0.0.1')")
    console.add("wide", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 2**31 - 1, "wide-1")
    forgive(tab, "WebSocket connection", "ERR_CONNECTION", "ERR_EMPTY_RESPONSE", "ERR_SOCKET")


@pytest.mark.parametrize("path", ["/console/", "/console/nodes/"])
def test_a_node_that_falls_silent_makes_the_page_stale(console: Console, tab: Tab, path: str) -> None:
    live(tab, console, path)
    good = tab.run(COLOUR)
    console.signal(signal.SIGSTOP)
    try:
        tab.until(f"{STATE} === 'stale'")
        assert "Stale since" in tab.text()
        assert tab.run(COLOUR) != good
    finally:
        console.signal(signal.SIGCONT)
    tab.until(f"{STATE} === 'live'")
    forgive(tab, "WebSocket connection", "ERR_CONNECTION", "ERR_ABORTED")


def test_names_from_clients_stay_text(console: Console, tab: Tab) -> None:
    for name in ATTACKS:
        console.add(name)
    live(tab, console, "/console/")
    tab.until("document.querySelectorAll('th a[data-cell]').length >= 3")
    links = dict(
        tab.run("Array.from(document.querySelectorAll('th a[data-cell]'), link => [link.textContent, link.href])")
    )
    assert set(ATTACKS) <= set(links)
    for name in ATTACKS:
        tab.open(links[name])
        tab.until(f"{STATE} === 'live'")
        assert name in tab.text()
        assert tab.run("document.title") == f"{name} · Metadata Center"


def test_events_are_filtered_by_a_form_and_follow_what_happens(console: Console, tab: Tab) -> None:
    live(tab, console, "/console/events/")
    tab.run("document.querySelector('[name=kind]').value = 'engine_dropped'")
    tab.run("document.querySelector('[name=text]').value = 'zebra-events'")
    tab.run("document.querySelector('.filters button').click()")
    tab.until("location.search.includes('kind=engine_dropped')")
    tab.until("document.body.innerText.includes('No event passes these filters.')")
    console.add("zebra-events", "10.9.9.9")
    console.call("DELETE", "/v1/load/engine", {"cluster": "zebra-events", "ip": "10.9.9.9"})
    tab.until("document.querySelectorAll('#events li').length === 1")
    tab.open(f"{console.site}/console/")
    assert "10.9.9.9" in tab.run("document.getElementById('recent').innerText")


def test_engines_that_share_an_address_are_told_apart(console: Console, tab: Tab) -> None:
    live(tab, console, "/console/clusters/ports/")
    for number, more in enumerate(({}, {"port": 8000}, {"port": 8000, "dp_rank": 3})):
        body = {"cluster": "ports", "request_id": f"p{number}", "ip": "10.0.0.1", **more}
        console.call("POST", "/v1/load/stats", body)
    shown = "Array.from(document.querySelectorAll('#engines tbody th'), cell => cell.innerText).join()"
    tab.until(f"{shown} === '10.0.0.1,10.0.0.1:8000,10.0.0.1:8000/3'")
    tab.open(f"{console.site}/console/clusters/ports/?refresh=off")
    assert sorted(tab.run(shown).split(",")) == ["10.0.0.1", "10.0.0.1:8000", "10.0.0.1:8000/3"]


def test_a_cluster_called_like_a_page_is_live_too(console: Console, tab: Tab) -> None:
    live(tab, console, "/console/clusters/nodes/")
    console.add("nodes", "10.3.2.1")
    tab.until("document.body.innerText.includes('10.3.2.1')")


def test_a_request_is_followed_through_its_life(console: Console, tab: Tab) -> None:
    console.add("qwen", "10.0.0.7", 1200, "followed/1")
    tab.open(f"{console.site}/console/")
    tab.run(
        "document.querySelector('.find input').value = 'followed/1'; document.querySelector('.find').requestSubmit()"
    )
    tab.until("document.body.innerText.includes('In prefill: 1 request and a prompt of 1,200')")
    console.call("DELETE", "/v1/load/prompt", {"request_id": "followed/1"})
    tab.until("document.body.innerText.includes('Decoding: 1 request')")
    console.call("DELETE", "/v1/load/stats", {"request_id": "followed/1"})
    tab.until("document.querySelector('[aria-current=step]').innerText === 'Over'")


def test_engines_are_sorted_filtered_and_found_by_keyboard(console: Console, tab: Tab) -> None:
    for number, requests in enumerate((1, 3, 2)):
        for _ in range(requests):
            console.add("keys", f"10.0.0.{number}")
    live(tab, console, "/console/clusters/keys/")
    shown = "Array.from(document.querySelectorAll('#engines tbody th'), cell => cell.innerText).join()"
    tab.until(f"{shown} === '10.0.0.1,10.0.0.2,10.0.0.0'")
    press(tab, "th[data-sort=name] button", "Enter")
    tab.until(f"{shown} === '10.0.0.0,10.0.0.1,10.0.0.2'")
    assert tab.run("document.querySelector('th[data-sort=name]').ariaSort") == "ascending"
    press(tab, "#field", "ArrowRight")
    press(tab, "#field", "ArrowRight")
    tab.until("document.getElementById('field-words').textContent.startsWith('10.0.0.1, 3 requests')")
    press(tab, "#field", "Enter")
    tab.until("document.querySelector('tr.chosen th').innerText === '10.0.0.1'")
    tab.run("document.getElementById('filter').value = '0.2'")
    tab.run("document.getElementById('filter').dispatchEvent(new Event('input'))")
    tab.until(f"{shown} === '10.0.0.2'")
    assert "1 of 3" in tab.text()


@pytest.fixture
def wide(tab: Tab) -> Iterator[Tab]:
    """The tab on a screen with room for every column."""
    tab.call("Emulation.setDeviceMetricsOverride", width=1440, height=900, deviceScaleFactor=1, mobile=False)
    yield tab
    tab.call("Emulation.clearDeviceMetricsOverride")


def test_tokens_prefills_and_orphans_are_shown_and_lead_to_their_reason(console: Console, wide: Tab) -> None:
    tab = wide
    live(tab, console, "/console/clusters/owned/")
    for ip in ("10.0.0.1", "10.0.0.2", "10.0.0.2"):
        console.add("owned", ip)
    owned = {"cluster": "owned", "request_id": "lonely", "ip": "10.0.0.3", "owner": "gateway-z"}
    console.call("POST", "/v1/load/stats", owned)
    console.call("DELETE", "/v1/load/prompt", {"request_id": "lonely"})
    console.call("PUT", "/v1/load/tokens", {"request_id": "lonely", "input_tokens": 4000, "output_tokens": 321})
    console.call("PUT", "/v1/load/owner", {"owner": "gateway-z", "ttl_seconds": 1})
    tile = "document.querySelector('[data-tile={}] dd').innerText"
    tab.until(f"{tile.format('orphaned')} === '1' && {tile.format('prefill')} === '3'")
    assert tab.run(tile.format("tokens")) == "4,321"
    assert tab.run("document.querySelector('[data-tile=orphaned]').classList.contains('alarm')")
    cell = "Array.from(document.querySelectorAll('#engines [data-cell={}]'), cell => cell.innerText).join()"
    press(tab, "th[data-sort=orphaned] button", "Enter")
    tab.until(f"{cell.format('orphaned')} === '1,–,–'")
    assert tab.run(cell.format("name")) == "10.0.0.3,10.0.0.1,10.0.0.2"
    press(tab, "th[data-sort=prefill] button", "Enter")
    tab.until(f"{cell.format('prefill')} === '2,1,0'")
    press(tab, "th[data-sort=tokens] button", "Enter")
    tab.until(f"{cell.format('tokens')} === '4,321,–,–'")
    tab.until(f"{cell.format('mark')}.startsWith('orphaned,')")
    press(tab, "#measure :checked", "ArrowRight")
    press(tab, "#measure :checked", "ArrowRight")
    tab.until("document.getElementById('scale-top').innerText === '5K'")
    tab.run("document.getElementById('only').value = 'orphaned'")
    tab.run("document.getElementById('only').dispatchEvent(new Event('change'))")
    tab.until(f"{cell.format('name')} === '10.0.0.3'")
    press(tab, "#field", "End")  # the first key goes to the first
    press(tab, "#field", "End")
    words = "10.0.0.3, 1 request, prompt 0, 4,321 tokens, 1 orphaned"
    tab.until(f"document.getElementById('field-words').textContent.startsWith('{words}')")
    tab.until("document.querySelector('#orphaned a')?.innerText === '10.0.0.3'")
    assert faults(tab) == []
    tab.open(f"{console.site}/console/clusters/owned/?refresh=off")
    assert tab.run("document.querySelector('.mark .orphaned').innerText") == "orphaned"
    live(tab, console, "/console/")
    row = "Array.from(document.querySelectorAll('tr')).find(row => row.innerText.startsWith('owned'))"
    tab.until(
        f"['prefill', 'tokens', 'orphaned'].map(name => {row}?.querySelector(`[data-cell=${{name}}]`)?.innerText)"
        ".join() === '3,4,321,1'"
    )
    assert tab.run("document.querySelector('[data-tile=orphaned] dd').innerText") == "1"
    tab.until("document.querySelector('#attention [data-key=orphaned] a')?.innerText === 'owned'")
    tab.run("document.querySelector('#attention [data-key=orphaned] a').click()")
    tab.until(f"{cell.format('name')} === '10.0.0.3'")  # the filter is in the link
    tab.open(f"{console.site}/console/request/?id=lonely")
    assert "its gateway gateway-z sends no heartbeats. Ends in" in tab.text()
    assert faults(tab) == []


def test_field_lists_and_table_show_one_snapshot(console: Console, wide: Tab) -> None:
    tab = wide
    for number in range(3):
        for _ in range(number + 1):
            console.add("alike", f"2001:db8:85a3:8d3:1319:8a2e:370:734{number}", 1_000_000)
    live(tab, console, "/console/clusters/alike/")
    hottest = "2001:db8:85a3:8d3:1319:8a2e:370:7342"
    tab.until(f"document.querySelector('#hottest button')?.title === '{hottest}'")
    assert tab.run("document.querySelector('#engines tr:has(.hottest) a').title") == hottest
    ends = "Array.from(document.querySelectorAll('#engines .long-name'), name => name.lastChild.textContent).join()"
    assert tab.run(ends) == "370:7342,370:7341,370:7340"
    tile = "document.querySelector('[data-tile=prompt] dd')"
    assert tab.run(f"[{tile}.firstChild.textContent, {tile}.firstChild.title]") == ["6M", "6,000,000"]
    tab.run("document.querySelector('#sign button').click()")
    for _ in range(4):
        console.add("alike", "2001:db8:85a3:8d3:1319:8a2e:370:7340")
    tab.run("new Promise(done => setTimeout(done, 1500))")  # a sample and several messages long
    tab.run("scrollBy(0, 100)")
    shown = "[...document.querySelectorAll('#engines [data-cell=requests]')].map(cell => cell.textContent).join()"
    assert tab.run(shown) == "3,2,1"
    assert tab.run("document.querySelector('#hottest b').textContent") == "3"
    tab.run("document.querySelector('#sign button').click()")
    tab.until(f"{shown} === '5,3,2' && document.querySelector('#hottest b').textContent === '5'")
    tab.run("document.getElementById('filter').value = 'nothing'")
    tab.run("document.getElementById('filter').dispatchEvent(new Event('input'))")
    tab.until("document.getElementById('rows').hidden")
    assert "No engine matches nothing." in tab.text()
    press(tab, "#no-match button", "Enter")
    tab.until("!document.getElementById('rows').hidden")


def press(tab: Tab, selector: str, key: str) -> None:
    """A key, on an element that has been reached with the keyboard."""
    tab.run(f"document.querySelector({json.dumps(selector)}).focus()")
    code = {"Enter": 13, "End": 35, "ArrowRight": 39}[key]
    text = {"text": "\r"} if key == "Enter" else {}
    tab.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code, **text)
    tab.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)


def test_a_thousand_engines_stay_smooth(console: Console, tab: Tab) -> None:
    console.add_many("thousand", 1000)
    live(tab, console, "/console/clusters/thousand/")
    tab.until("document.querySelector('#engines').ariaRowCount === '1001'")
    assert tab.run("document.querySelectorAll('#engines tbody tr').length") < 60
    # How long each frame's scripts, style and layout keep the page busy while everything changes.
    tab.run("""(() => {
      window.busy = [];
      const watch = new PerformanceObserver(list => busy.push(...list.getEntries().map(entry => entry.duration)));
      watch.observe({type: "long-animation-frame"});
      window.drawn = 0;
      const frame = () => requestAnimationFrame(frame, drawn += 1);
      frame();
    })()""")
    shares = []
    for attempt in range(5):  # the best counts: others have their share of the machine
        tab.run("busy.length = drawn = 0")
        console.add_many("thousand", 1000, 2)
        tab.until(f"document.querySelector('[data-tile=requests] dd').innerText === '{3 + 2 * attempt},000'")
        busy, frames = tab.run("[busy.filter(ms => ms > 100).length, drawn]")
        shares.append(busy / frames if frames > 10 else 1.0)
        if shares[-1] <= 0.1:
            break
    assert min(shares) <= 0.1
    tab.run("scrollTo(0, document.documentElement.scrollHeight)")
    tab.until("document.querySelector('#engines tr[aria-rowindex=\"1001\"]')")
    assert tab.run("document.querySelectorAll('#engines tbody tr').length") < 60


def test_a_page_without_scripts_loads_itself_again(console: Console, tab: Tab) -> None:
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        tab.call("Page.navigate", url=f"{console.site}/console/clusters/still/")
        see(tab, "This cluster has no engines.")
        console.add("still", "10.0.0.9")
        see(tab, "10.0.0.9")
        see(tab, "Every 2 s")
    finally:
        tab.call("Emulation.setScriptExecutionDisabled", value=False)


def source(tab: Tab) -> str:
    """The page, asked of the browser and not of the page's scripts; empty between two pages."""
    with suppress(PageGone):
        document = tab.call("DOM.getDocument")["root"]["nodeId"]
        return str(tab.call("DOM.getOuterHTML", nodeId=document)["outerHTML"])
    return ""


def see(tab: Tab, words: str) -> None:
    wait(lambda: words in source(tab), words)


def test_a_quoted_name_is_the_same_for_the_page_and_the_socket(console: Console, tab: Tab) -> None:
    name = "a/b %2F?#é"
    console.add(name, "10.4.4.4")
    live(tab, console, f"/console/clusters/{quote(name, safe='')}/")
    console.add(name, "10.4.4.5")
    tab.until("document.body.innerText.includes('10.4.4.5')")


def type_key(tab: Tab, key: str) -> None:
    """Press a key where the focus is."""
    tab.run(
        "document.activeElement.dispatchEvent("
        f"new KeyboardEvent('keydown', {{key: {json.dumps(key)}, bubbles: true, cancelable: true}}))"
    )


def test_keys_lead_to_the_search_and_to_pages_and_never_act_in_a_field(console: Console, tab: Tab) -> None:
    console.add("found", "2001:db8::77")
    live(tab, console, "/console/")
    type_key(tab, "/")
    assert tab.run("document.activeElement.id") == "find"
    for key in ("?", "p", "g", "n"):
        type_key(tab, key)
    assert tab.run("document.getElementById('keys').open") is False
    assert tab.run("location.pathname + location.search") == "/console/"
    tab.run("document.activeElement.value = '2001:0DB8:0:0::0077'")
    tab.run("document.activeElement.form.requestSubmit()")
    tab.until("document.querySelector('h1')?.innerText === '2001:db8::77'")
    tab.until("document.readyState === 'complete'")
    type_key(tab, "?")
    assert tab.run("document.getElementById('keys').open") is True
    assert faults(tab) == []
    tab.run("document.getElementById('keys').close()")
    type_key(tab, "g")
    type_key(tab, "n")
    tab.until("location.pathname === '/console/nodes/'")


def test_a_view_is_in_its_address_and_a_pause_outlasts_a_reload(console: Console, tab: Tab) -> None:
    for ip in ("10.4.0.1", "10.4.0.2", "10.5.0.1"):
        console.add("shared", ip)
    live(tab, console, "/console/clusters/shared/")
    press(tab, "th[data-sort=name] button", "Enter")
    tab.run("document.getElementById('filter').value = '10.4'")
    tab.run("document.getElementById('filter').dispatchEvent(new Event('input', {bubbles: true}))")
    tab.run("document.activeElement.blur()")
    type_key(tab, "p")
    tab.until(f"{STATE} === 'paused'")
    query = "?sort=name&order=asc&filter=10.4&paused=1"
    assert tab.run("location.search") == query
    assert (
        tab.run("document.querySelector('.downloads a').search")
        == "?sort=name&order=asc&filter=10.4&paused=1&format=csv"
    )
    tab.open(f"{console.site}/console/clusters/shared/{query}")
    tab.until(f"{STATE} === 'paused'")
    tab.until(
        "Array.from(document.querySelectorAll('#engines [data-cell=name]'), each => each.innerText).join()"
        " === '10.4.0.1,10.4.0.2'"
    )
    console.add("shared", "10.4.0.3")
    tab.run("document.querySelector('#sign button').click()")
    tab.until("document.querySelectorAll('#engines [data-cell=name]').length === 3")
    assert tab.run("location.search") == "?sort=name&order=asc&filter=10.4"


def test_a_theme_is_remembered_before_the_first_paint(console: Console, tab: Tab) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    tab.open(f"{console.site}/console/search/")
    light = tab.run(ground)
    tab.run("document.querySelector('#theme [value=dark]').click()")
    dark = tab.run(ground)
    assert dark != light
    tab.open(f"{console.site}/console/nodes/")
    assert tab.run("document.documentElement.dataset.theme") == "dark"
    assert tab.run(ground) == dark
