# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What surrounds the index: its metrics, its task and its pages."""

from __future__ import annotations

from types import SimpleNamespace

import msgspec
from django.test import Client

import kvcache.tasks
from kvcache.index import CacheIndex
from kvcache.metrics import CacheCollector
from kvcache.part import KVCache
from kvcache.views import Cache, CacheQueries, CacheSaves
from runtime.running import publish
from tests.unit.partial_node import PartialNode

HTML = {"Accept": "text/html"}


def test_metrics_tell_what_is_held_and_what_happened() -> None:
    index = CacheIndex(max_engine_blocks=3, ttl_seconds=10)
    index.save("c", "10.0.0.1", [1, 2], 0.0, 1)
    index.save("c", "10.0.0.2", [1, 2], 0.0, 1)
    index.save("d", "10.0.0.1", [1], 0.0, 1)
    index.save("c", "10.0.0.1", [7, 8], 1.0, 1)
    index.query("c", [7, 8, 9], 10)
    index.drop("d", None, 2, 1.0)
    while index.expire(10.5):
        pass
    samples = {
        (sample.name.removeprefix("metadata_center_kvcache_"), *sample.labels.values()): sample.value
        for family in CacheCollector(index).collect()
        for sample in family.samples
    }
    assert samples == {
        ("blocks",): 2,
        ("held_blocks",): 2,
        ("engines",): 1,
        ("clusters",): 1,
        ("saves_total",): 4,
        ("queries_total",): 1,
        ("asked_blocks_total",): 3,
        ("hit_blocks_total",): 2,
        ("drops_total",): 1,
        ("removed_blocks_total", "engine_full"): 2,
        ("removed_blocks_total", "index_full"): 0,
        ("removed_blocks_total", "client_share"): 0,
        ("removed_blocks_total", "expired"): 2,
        ("removed_blocks_total", "dropped"): 1,
    }


def test_the_task_frees_and_expires_until_nothing_is_due() -> None:
    kvcache.tasks.expire()  # without an index: nothing to do
    index = CacheIndex()
    with publish({KVCache: SimpleNamespace(index=index)}):
        index.save("c", "10.0.0.1", list(range(3000)), 0.0, 1)
        index.drop("c", None, 1, 0.0)
        kvcache.tasks.expire()
    assert (index.counts().held_blocks, index.counts().clusters) == (0, 0)


def test_the_urls_have_no_trailing_slash() -> None:
    urls = [str(view.url().pattern) for view in (CacheSaves, CacheQueries, Cache)]
    assert urls == ["v1/cache/save", "v1/cache/query", "v1/cache"]


def test_a_person_can_save_and_query_with_the_forms(node: PartialNode) -> None:
    fields = {"cluster": "c", "ip": "10.0.0.1", "prompt_hash": "[1, 2, 18446744073709551615]"}
    client = Client()
    assert client.post("/v1/cache/save", fields, headers=HTML).status_code == 200
    assert node.kvcache.query("c", [1, 2, 2**64 - 1], 10) == [("10.0.0.1", 3)]
    page = client.post("/v1/cache/query", {"cluster": "c", "prompt_hash": "[1, 2, 3]", "topk": "5"}, headers=HTML)
    assert page.status_code == 200
    assert "10.0.0.1" in page.content.decode()
    form = client.get("/v1/cache", headers=HTML).content.decode().partition('data-method="DELETE"')[2]
    assert 'name="cluster"' in form.partition("</form>")[0]


def test_a_program_gets_the_envelope_from_the_pages_too(node: PartialNode) -> None:
    body = msgspec.json.encode({"cluster": "c", "prompt_hash": [1]})
    answer = Client().post("/v1/cache/query", body, content_type="application/json").json()
    assert (answer["status"], answer["data"]) == ("OK", {"locations": []})
