# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import pytest
from msgspec.structs import fields

from edge.call import Call
from edge.errors import InvalidInput, TooMany
from kvcache.index import Lengths
from loadstats.ledger import MAX_CANDIDATES, Ledger
from loadstats.pick import candidates
from loadstats.pick.handlers import PickHandlers
from loadstats.pick.options import PickOptions
from loadstats.pick.wire import MAX_HASHES, Pick, Picked, QuickPick
from runtime.config.schema import PickSettings


class Caches:
    """What engines hold of a prompt; remembers who asked."""

    def __init__(self, **credit: int) -> None:
        self.credit = {name.replace("_", "."): length for name, length in credit.items()}
        self.asked: list[tuple[str, tuple[int, ...]]] = []
        self.kept: list[tuple[str, str, tuple[int, ...]]] = []

    def __call__(self, cluster: str, hashes: tuple[int, ...]) -> Lengths:
        self.asked.append((cluster, hashes))
        return Lengths(max(self.credit.values(), default=0), 0, self.credit, (), "")

    def keep(self, cluster: str, engine: str, hashes: tuple[int, ...], client: str) -> None:
        self.kept.append((cluster, engine, hashes))


class Client:
    """Calls a handler over a ledger."""

    def __init__(self, options: PickOptions | None = None, caches: Caches | None = None, **limits: float) -> None:
        self.ledger = Ledger(**limits)  # type: ignore[arg-type]
        known: Any = {} if caches is None else {"cached": caches, "keep": caches.keep}
        self.handlers = PickHandlers(
            self.ledger, options or PickOptions(), Random(4).random, now=lambda: 0.0, wall_ns=lambda: 7, **known
        )
        self.number = 0

    def raw(self, body: bytes) -> dict[str, Any]:
        self.call = Call(b"", body, {})
        found: dict[str, Any] = msgspec.json.decode(self.handlers.pick(self.call))
        return found

    def pick(self, **members: Any) -> dict[str, Any]:
        self.number += 1
        return self.raw(msgspec.json.encode({"cluster": "c", "request_id": f"r{self.number}", **members}))

    def refused(self, **members: Any) -> str:
        with pytest.raises(InvalidInput) as caught:
            self.pick(**members)
        assert self.ledger.counts().added == 0
        return caught.value.reason

    def load(self, *loads: int, cluster: str = "c") -> None:
        """So many requests on 10.0.0.1, 10.0.0.2 and so on."""
        for place, requests in enumerate(loads, 1):
            for number in range(requests):
                self.ledger.add(f"{cluster}{place}-{number}", cluster, f"10.0.0.{place}", 100, 0.0, 1)


def test_it_answers_the_row_with_the_request_on_it() -> None:
    client = Client()
    client.load(2, 1)
    row = client.pick(prompt_length=924)
    assert list(row)[:4] == ["ip", "queued_req_num", "prompt_length", "updated_time"]
    assert row == {
        "ip": "10.0.0.2",
        "queued_req_num": 2,
        "prompt_length": 1024,
        "updated_time": 7,
        "prefill_req_num": 2,
        "score": pytest.approx(-3 * 100 / 1024),
        "cache_length": 0,
        "attempt": 1,
    }
    assert client.call.request_id == "r1"
    assert [(route.method, route.path, route.handler) for route in client.handlers.routes()] == [
        ("POST", "/v1/load/pick", client.handlers.pick)
    ]
    assert msgspec.to_builtins(msgspec.convert(row, Picked)) == row
    assert {name: row[name] for name in list(row)[:5]} in msgspec.json.decode(client.ledger.loads.answer("c"))


def test_it_answers_every_member_of_the_row_if_asked_to() -> None:
    client = Client()
    client.load(2, 1)
    for _ in range(2):  # chosen, and known
        row = client.pick(full=True)
        assert (row["token_num"], row["orphaned_req_num"]) == (0, 0)
        assert {name: row[name] for name in list(row)[:7]} in msgspec.json.decode(
            client.ledger.loads.tagged_answer("c", full=True)[0]
        )


def test_candidates_are_names_or_objects() -> None:
    client = Client()
    for candidate, name in (
        ("10.0.0.1", "10.0.0.1"),
        ("10.0.0.1:8000", "10.0.0.1:8000"),
        ("10.0.0.1/0", "10.0.0.1/0"),
        ("10.0.0.1:8000/3", "10.0.0.1:8000/3"),
        ("fd00::1", "fd00::1"),
        ("[fd00::1]:8000/3", "[fd00::1]:8000/3"),
        ({"ip": "10.0.0.2"}, "10.0.0.2"),
        ({"ip": "10.0.0.2", "port": 1, "dp_rank": None}, "10.0.0.2:1"),
        ({"ip": "fd00::2", "port": 65535, "dp_rank": 65535, "zone": "x"}, "[fd00::2]:65535/65535"),
    ):
        row = client.pick(candidates=[candidate])
        assert row["queued_req_num"] == 1
        found = client.ledger.find(client.call.request_id)
        assert found is not None
        assert found.engine is not None
        assert found.engine.name == name


@pytest.mark.parametrize(
    ("candidates", "reason"),
    [
        ([], "candidates: expected `array` of length >= 1"),
        ("10.0.0.1", "candidates: expected `array | null`, got `str`"),
        ([7], "candidates[0]: expected `str | object`, got `int`"),
        ([""], "candidates[0]: expected `str` of length >= 1"),
        (["1" * 65], "candidates[0]: expected `str` of length <= 64"),
        (["10.0.0.1", {"port": 1}], "candidates[1]: object missing required field `ip`"),
        ([{"ip": "10.0.0.1", "port": 0}], "candidates[0].port: expected `int` >= 1"),
        ([{"ip": "10.0.0.1:80"}], "candidates[0].ip: expected an IPv4 or IPv6 address, got '10.0.0.1:80'"),
        ([{"ip": "host"}], "candidates[0].ip: expected an IPv4 or IPv6 address, got 'host'"),
        (["10.0.0.1", "host"], "candidates[1]: ip: expected an IPv4 or IPv6 address, got 'host'"),
        (["10.0.0.1", "10.0.0.1"], "candidates: expected each once, got '10.0.0.1' twice"),
        (["10.0.0.1:80", {"ip": "10.0.0.1", "port": 80}], "candidates: expected each once, got '10.0.0.1:80' twice"),
        (
            [f"10.0.0.1/{n}" for n in range(MAX_CANDIDATES + 1)],
            f"candidates: expected `array` of length <= {MAX_CANDIDATES}",
        ),
    ],
)
def test_bad_candidates_are_named(candidates: Any, reason: str) -> None:
    assert Client().refused(candidates=candidates) == reason


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.1:",
        "10.0.0.1:0",
        "10.0.0.1:65536",
        "10.0.0.1:08",
        "10.0.0.1:+8",
        "10.0.0.1:٨",
        "10.0.0.1:80/",
        "10.0.0.1/65536",
        "10.0.0.1/-1",
        "[::1]",
        "[::1",
        "[::1]80",
        " 10.0.0.1",
        "10.0.0.1:80:81",
        "fe80::1%eth0",
        "/1",
    ],
)
def test_a_name_is_written_in_one_way_only(text: str) -> None:
    reason = Client().refused(candidates=["10.0.0.2", text])
    assert reason.startswith("candidates[1]: ")
    assert repr(text) in reason or repr(text.partition("/")[0]) in reason


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"cluster": ""}, "cluster: expected `str` of length >= 1"),
        ({"request_id": "x" * 257}, "request_id: expected `str` of length <= 256"),
        ({"prompt_length": -1}, "prompt_length: expected `int` >= 0"),
        ({"policy": "best"}, "policy: invalid enum value 'best'"),
        ({"weights": {"cache_ratio": -0.1}}, "weights.cache_ratio: expected `float` >= 0.0"),
        ({"weights": {"request_load": 1e7}}, "weights.request_load: expected `float` <= 1000000.0"),
        ({"weights": {"prefill_load": "x"}}, "weights.prefill_load: expected `float | null`, got `str`"),
        ({"share": 1.01}, "share: expected `float` <= 1.0"),
        ({"max_queued": -1}, "max_queued: expected `int` >= 0"),
        ({"save": 1}, "save: expected `bool`, got `int`"),
        ({"owner": ""}, "owner: expected `str` of length >= 1"),
        ({"attempt": 0}, "attempt: expected `int` >= 1"),
        ({"attempt": 2**31}, "attempt: expected `int` <= 2147483647"),
        ({"attempt": "2"}, "attempt: expected `int | null`, got `str`"),
        ({"prompt_hash": [-1]}, "prompt_hash[0]: expected `int` >= 0"),
        ({"prompt_hash": [1.5]}, "prompt_hash[0]: expected `int`, got `float`"),
        ({"prompt_hash": [0] * (MAX_HASHES + 1)}, "prompt_hash: expected `array` of length <= 16384"),
        ({"prompt_hash": [2**64]}, f"prompt_hash: expected integers from 0 to {2**64 - 1}"),
        ({}, "candidates: expected some, for cluster 'c' has no engines yet"),
        ({"candidates": None}, "candidates: expected some, for cluster 'c' has no engines yet"),
    ],
)
def test_bad_input_is_named(members: dict[str, Any], reason: str) -> None:
    assert Client().refused(**members) == reason


@pytest.mark.parametrize("weight", [b"NaN", b"Infinity", b"1e999"])
def test_a_weight_is_a_finite_number(weight: bytes) -> None:
    body = b'{"cluster":"c","request_id":"r","candidates":["10.0.0.1"],"weights":{"cache_ratio":%b}}' % weight
    with pytest.raises(InvalidInput):
        Client().raw(body)


def test_the_quick_reader_has_the_members_of_the_documented_one() -> None:
    quick = {field.name: field for field in fields(QuickPick)}
    documented = {field.name: field for field in fields(Pick)}
    assert set(quick) == set(documented)
    assert {name for name in quick if quick[name].type != documented[name].type} == {"candidates"}


def test_a_known_request_stays_where_it_is() -> None:
    caches = Caches(**{"10_0_0_2": 1})
    client = Client(caches=caches)
    client.load(1, 0, 1)
    first = client.pick(request_id="r", candidates=["10.0.0.2"], prompt_hash=[1, 2])
    again = client.pick(request_id="r", candidates=["10.0.0.3", "10.0.0.2"], prompt_hash=[1, 2], policy="least_load")
    assert (first["ip"], first["queued_req_num"], first["cache_length"]) == ("10.0.0.2", 1, 1)
    assert again == {**first, "score": None}


def test_a_request_whose_engine_failed_is_picked_another_one() -> None:
    client = Client()
    first = client.pick(request_id="r", candidates=["10.0.0.1", "10.0.0.2"])
    left = {"10.0.0.1", "10.0.0.2"} - {first["ip"]}
    second = client.pick(request_id="r", candidates=list(left))
    assert ({second["ip"]}, second["attempt"], second["queued_req_num"]) == (left, 2, 1)
    assert second["score"] is not None
    repeated = client.pick(request_id="r", candidates=list(left))
    assert repeated == {**second, "score": None}
    late = client.pick(request_id="r", candidates=[first["ip"]], attempt=1)
    assert late == repeated
    client.ledger.done("r", 0.0, 7)
    third = client.pick(request_id="r", candidates=list(left))
    assert (third["attempt"], third["queued_req_num"], client.ledger.counts().in_flight) == (3, 1, 1)
    jump = client.pick(request_id="r", candidates=list(left), attempt=9)
    assert (jump["attempt"], client.ledger.counts().in_flight) == (9, 1)


def test_the_cached_share_of_the_prompt_counts() -> None:
    caches = Caches(**{"10_0_0_2": 2, "10_0_0_9": 4})
    client = Client(caches=caches)
    client.load(1, 1, 1)
    row = client.pick(prompt_hash=[2**64 - 1, 2, 3, 4])
    assert caches.asked == [("c", (2**64 - 1, 2, 3, 4))]
    assert (row["ip"], row["cache_length"]) == ("10.0.0.2", 2)
    assert row["score"] == pytest.approx(2 * 2 / 4 - 3 * 100 / 1024)


def test_a_cache_is_known_by_address() -> None:
    client = Client(caches=Caches(**{"10_0_0_2": 1}))
    row = client.pick(prompt_hash=[1], candidates=["10.0.0.1:80", "10.0.0.2:80"])
    assert (row["ip"], row["port"], row["cache_length"], row["score"]) == ("10.0.0.2", 80, 1, 2.0)


def test_the_chosen_engine_holds_the_prompt_where_the_call_says_so() -> None:
    caches = Caches()
    client = Client(caches=caches)
    some = ["10.0.0.1:80"]
    for save in (None, False, True, True):
        client.pick(candidates=some, prompt_hash=[1, 2], **({} if save is None else {"save": save}))
    assert caches.kept == [("c", "10.0.0.1:80", (1, 2))] * 2
    client.pick(candidates=some, save=True)
    client.pick(request_id="r1", prompt_hash=[1, 2], save=True)  # it was there before
    assert len(caches.kept) == 2


@pytest.mark.parametrize("hashes", [None, []])
def test_without_a_prompt_no_cache_is_asked(hashes: Any) -> None:
    caches = Caches(**{"10_0_0_1": 1})
    client = Client(caches=caches)
    client.load(1)
    assert client.pick(prompt_hash=hashes)["cache_length"] == 0
    assert caches.asked == []


def test_without_caches_a_prompt_changes_nothing() -> None:
    client = Client()
    client.load(1)
    assert client.pick(prompt_hash=[1])["cache_length"] == 0


def test_a_call_may_say_how_to_choose() -> None:
    client = Client(PickOptions(share=1.0), caches=Caches(**{"10_0_0_1": 1}))
    client.load(3, 0, 1)
    hashed = {"prompt_hash": [1], "candidates": ["10.0.0.1", "10.0.0.2"]}
    assert client.pick(**hashed, share=0.0)["ip"] == "10.0.0.1"
    assert client.pick(**hashed, share=0.0, weights={"cache_ratio": 0.5})["ip"] == "10.0.0.2"
    assert client.pick(**hashed, policy="least_load")["ip"] == "10.0.0.2"
    assert client.pick(**hashed, policy="power_of_two")["ip"] == "10.0.0.2"
    assert client.pick(**hashed, max_queued=4)["ip"] == "10.0.0.2"
    assert {client.pick(**hashed)["ip"] for _ in range(20)} == {"10.0.0.1", "10.0.0.2"}


def test_what_a_call_does_not_say_is_as_configured() -> None:
    client = Client(PickOptions("least_load"), caches=Caches(**{"10_0_0_1": 1}))
    client.load(1)
    hashed = {"prompt_hash": [1], "candidates": ["10.0.0.1", "10.0.0.2"]}
    assert client.pick(**hashed)["ip"] == "10.0.0.2"
    assert client.pick(**hashed, policy="score")["ip"] == "10.0.0.1"


def test_the_configured_rule_has_the_same_defaults() -> None:
    assert PickOptions(**msgspec.structs.asdict(PickSettings())) == PickOptions()


def test_it_refuses_where_every_candidate_is_full() -> None:
    client = Client()
    client.load(2, 3)
    with pytest.raises(TooMany, match="max_queued: every candidate has 2 requests or more"):
        client.pick(max_queued=2)
    assert client.ledger.counts().in_flight == 5
    assert client.pick(max_queued=3)["ip"] == "10.0.0.1"
    assert client.pick(max_queued=2, candidates=["10.0.0.1", "10.0.0.7"])["ip"] == "10.0.0.7"


def test_a_full_node_refuses() -> None:
    client = Client(max_engines=1)
    client.load(1)
    with pytest.raises(TooMany, match="engines: this node holds its most, 1"):
        client.pick(candidates=["10.0.0.2"])


def test_the_owner_is_booked_with_it() -> None:
    client = Client()
    client.pick(candidates=["10.0.0.1"], owner="gateway-1")
    assert client.ledger.counts().owners == 1


def test_candidates_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    some = ["10.0.0.1", "10.0.0.2"]
    assert client.pick(candidates=some)["queued_req_num"] == 1
    monkeypatch.setattr(client.handlers._candidates, "_read", None)
    assert client.pick(candidates=some)["queued_req_num"] == 1
    assert client.pick(candidates=some)["queued_req_num"] == 2
    with pytest.raises(TypeError):
        client.pick(candidates=some, cluster="d")


def test_what_is_remembered_of_candidates_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "REMEMBERED_BYTES", 100)
    monkeypatch.setattr(candidates, "REMEMBERED_NAMES", 30)
    client = Client()
    memory = client.handlers._candidates
    credit = set()
    for number in range(100):
        assert client.pick(candidates=[f"10.0.0.{number}"])["queued_req_num"] == 1
        assert sum(len(raw) for _, raw in memory._lists) == memory._bytes <= 100
        assert len(memory._ips) <= 30
        credit.add(len(memory._lists))
    assert credit == set(range(1, 9))
    assert client.pick(candidates=[f"10.0.1.{number}" for number in range(20)])["queued_req_num"] == 1
