# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Malformed messages in a real Redis: each is dropped, and the worker lives.

In a module of its own: one node runs for all tests, and a process may run one embedded Celery at a time.
"""

from __future__ import annotations

import json
import logging
from base64 import b64encode
from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.integration.test_celery_redis import REDIS, SECONDS, Node, Redis, eventually

pytestmark = pytest.mark.skipif(REDIS is None, reason="redis-server is not installed")


@pytest.fixture(scope="module")
def tough(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node that runs on, whatever comes. Its Redis is `tough.redis`."""
    redis = Redis(tmp_path_factory.mktemp("redis"))
    redis.start()
    node = Node(redis, "tough", 3600.0)
    node.celery.start()
    yield node
    node.celery.stop(SECONDS)
    node.app.close()
    redis.kill()


def enveloped(body: object, /, **changed: object) -> dict[str, object]:
    """A message as kombu puts it into Redis, with a body and members of one's own."""
    message: dict[str, object] = {
        "body": b64encode(json.dumps(body).encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": "tick", "id": "1", "root_id": "1", "parent_id": None, "group": None},
        "properties": {
            "correlation_id": "1",
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "metadata-center.tough"},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": uuid4().hex,
        },
    }
    return message | changed


def headed(**headers: object) -> dict[str, object]:
    known = enveloped([[], {}, {}])["headers"]
    assert isinstance(known, dict)
    return enveloped([[], {}, {}], headers=known | headers)


def without(member: str) -> dict[str, object]:
    return {name: value for name, value in enveloped([[], {}, {}]).items() if name != member}


MALFORMED: dict[str, bytes] = {
    "5 alone": b"5",
    "nothing": b"",
    "no JSON": b"{never",
    "no UTF-8": b"\xff\xfe",
    "null": b"null",
    "a list": b"[1]",
    "an empty object": b"{}",
    "text": b'"tick"',
    **{
        name: json.dumps(message).encode()
        for name, message in {
            "a body of 5": enveloped(5),
            "a body of null": enveloped(None),
            "a body of text": enveloped("text"),
            "a body of an object": enveloped({"args": 5}),
            "a body of a long list": enveloped([1, 2, 3, 4]),
            "arguments that are a number": enveloped([5, 6, 7]),
            "arguments that the task has not": enveloped([[1, 2], {"x": 1}, {}]),
            "a body that is no base64": enveloped(5, body="*" * 9),
            "a body that is a number": enveloped(5, body=5),
            "a body that is no JSON": enveloped(5, body=b64encode(b"{never").decode()),
            "no body": without("body"),
            "no headers": without("headers"),
            "no properties": without("properties"),
            "properties that are a list": enveloped([[], {}, {}], properties=[]),
            "no delivery tag": enveloped([[], {}, {}], properties={"body_encoding": "base64"}),
            "no content type": without("content-type"),
            "pickle": enveloped([[], {}, {}], **{"content-type": "application/x-python-serialize"}),
            "an unknown content type": enveloped([[], {}, {}], **{"content-type": "no/such"}),
            "an unknown encoding": enveloped([[], {}, {}], **{"content-encoding": "no-such"}),
            "a content type that is a list": enveloped([[], {}, {}], **{"content-type": []}),
            "an encoding that is a number": enveloped([[], {}, {}], **{"content-encoding": 5}),
            "headers that are a list": enveloped([[], {}, {}], headers=[1]),
            "headers of the first protocol": enveloped({"task": "tick"}, headers={}),
            "an unknown task": headed(task="no.such"),
            "a task that is a list": headed(task=[]),
            "a task that is a number": headed(task=5),
            "an unknown compression": headed(compression="no-such"),
            "an id that is an object": headed(id={}),
            "a time limit that is text": headed(timelimit="soon"),
            "an expiry that is text": headed(expires="soon"),
            "a start that is text": headed(eta="soon"),
            "no id": headed(id=None),
        }.items()
    },
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_message_is_logged_and_dropped_and_the_worker_lives(
    name: str, tough: Node, caplog: pytest.LogCaptureFixture
) -> None:
    eventually(tough.is_well)
    starts = tough.starts
    queue = tough.app.conf.task_default_queue
    with tough.redis.client() as client, caplog.at_level(logging.WARNING):
        for _ in range(20):  # more than the worker takes at once
            client.lpush(queue, MALFORMED[name])
        tough.app.send_task("tick")
        tough.see(1)
        eventually(lambda: client.llen(queue) == 0)
        eventually(lambda: client.hlen("unacked") == 0)
        # Celery ignores some of what is wrong: then the task ran.
        eventually(lambda: caplog.records or tough.runs.acquire(blocking=False))
        eventually(tough.is_well)
        assert tough.starts == starts
        assert not client.lrange(queue, 0, -1)


def test_what_is_published_to_all_workers_does_not_end_one(tough: Node) -> None:
    eventually(tough.is_well)
    starts = tough.starts
    with tough.redis.client() as client:
        for body in MALFORMED.values():
            # Celery subscribes anew after a command that it cannot read.
            eventually(lambda: client.publish("/0.celery.pidbox", body) > 0)  # noqa: B023
    tough.app.send_task("tick")
    tough.see(1)
    eventually(tough.is_well)
    assert tough.starts == starts
