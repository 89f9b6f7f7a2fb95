# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""An answer's tag names it and no other: not one of another node, nor one whose tag it is a part of."""

from __future__ import annotations

import asyncio

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.edge.lanes import Server, add, answers, batch, get
from tests.unit.partial_node import PartialNode

USED, UNUSED = "used", "unused"
SPOILT = [b"%b0", b"0%b", b"x%b", b"%bx", b"-%b", b"%b-", b" %b", b"%b ", b"%b, ", b"'%b'", b"%b\\"]
TEXT = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='",'), max_size=12)


def through_lane(*headers: bytes, cluster: str = USED, incarnation: bytes = b"life") -> tuple[int, str]:
    """Status and tag of a read of a cluster with one engine, or of none, on a fresh node."""

    async def run() -> tuple[int, str]:
        server = Server()
        server.ledger.loads.incarnation = incarnation
        transport = await server.speak(add(1, cluster=USED), get(cluster.encode(), *headers))
        answer = answers(transport.written)[-1]
        return answer.status, answer.headers["etag"]

    return asyncio.run(run())


def known(tag: str) -> bytes:
    return b"If-None-Match: " + tag.encode()


@pytest.mark.parametrize("cluster", [USED, UNUSED])
def test_another_life_of_a_node_has_other_tags(cluster: str) -> None:
    status, before = through_lane(cluster=cluster, incarnation=b"1f")
    assert (status, before.startswith('W/"1f-')) == (200, True)
    assert through_lane(known(before), cluster=cluster, incarnation=b"1f") == (304, before)
    status, after = through_lane(known(before), cluster=cluster, incarnation=b"2e")
    assert (status, after.startswith('W/"2e-')) == (200, True)


@pytest.mark.parametrize("cluster", [USED, UNUSED])
@pytest.mark.parametrize("form", SPOILT, ids=repr)
@pytest.mark.parametrize("weak", [b"W/", b""])
def test_a_tag_that_holds_ours_is_another(cluster: str, form: bytes, weak: bytes) -> None:
    tag = through_lane(cluster=cluster)[1].removeprefix("W/").strip('"')
    other = b'If-None-Match: %b"%b"' % (weak, form % tag.encode())
    assert through_lane(other, cluster=cluster) == (200, f'W/"{tag}"')


@pytest.mark.parametrize("cluster", [USED, UNUSED])
def test_a_part_of_our_tag_is_another(cluster: str) -> None:
    tag = through_lane(cluster=cluster)[1].removeprefix("W/").strip('"')
    for part in {tag[:end] for end in range(len(tag))} | {tag[start:] for start in range(1, len(tag))}:
        assert through_lane(known(f'W/"{part}"'), cluster=cluster)[0] == 200
    for bare in (tag, f"W/{tag}", f'"{tag}', f'{tag}"', f"'{tag}'", "**", '"*"', ""):
        assert through_lane(known(bare), cluster=cluster)[0] == 200


@given(st.lists(TEXT, max_size=4), st.booleans(), st.sampled_from([",", ", ", " , "]), st.data())
def test_a_list_of_tags_matches_where_ours_is_in_it(
    others: list[str], among: bool, comma: str, data: st.DataObject
) -> None:
    tag = "life-1-1"
    tags = [each for each in others if each != tag]
    if among:
        tags.insert(data.draw(st.integers(0, len(tags))), tag)
    sent = comma.join(data.draw(st.sampled_from(["", "W/"])) + f'"{each}"' for each in tags)
    assert through_lane(known(sent)) == (304 if among else 200, f'W/"{tag}"')


def test_each_change_makes_another_tag_and_what_changes_nothing_does_not() -> None:
    calls = [
        add(1),
        add(2),
        batch([{"op": "prompt", "request_id": "r1"}]),
        batch([{"op": "delete", "request_id": "r1"}]),
    ]

    async def run() -> list[str]:
        server = Server()
        found = []
        for sent in [get(), *(each for call in calls for each in (call, get(), call, get()))]:
            transport = await server.speak(sent)
            found += [answer.headers["etag"] for answer in answers(transport.written) if "etag" in answer.headers]
        return found

    tags = asyncio.run(run())
    assert tags[1::2] == tags[2::2], "told again, nothing has changed"
    assert len(set(tags[::2])) == 1 + len(calls)


def test_django_compares_as_the_lane_does(node: PartialNode) -> None:
    node.ledger.loads.incarnation = b"life"
    node.add("r")
    target = "/v1/load/stats?cluster=c"
    tag = Client().get(target)["ETag"]
    assert tag.startswith('W/"life-')
    inner = tag.removeprefix("W/").strip('"')
    for same in (tag, f'"{inner}"', "*", f'"other", {tag}'):
        response = Client().get(target, headers={"If-None-Match": same})
        assert (response.status_code, response.content, response["ETag"]) == (304, b"", tag)
    for other in (f'"{inner}0"', f'"0{inner}"', f'"{inner[:-1]}"', inner, ""):
        assert Client().get(target, headers={"If-None-Match": other}).status_code == 200
