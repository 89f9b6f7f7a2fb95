# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
from collections.abc import Sequence

from loadstats.live.subscription import BACKLOG, Message, Subscription


def changes(version: int) -> Message:
    return Message("changes", version, f"changes {version}")


class Stream:
    """Snapshots of one version after the other, and a subscription in it."""

    def __init__(self, *versions: int) -> None:
        self._versions = list(versions)
        self.fell_back = 0
        self.subscription = Subscription(self._snapshot, self._fall_back)

    def _snapshot(self) -> Message:
        version = self._versions.pop(0)
        return Message("snapshot", version, f"snapshot {version}")

    def _fall_back(self) -> None:
        self.fell_back += 1

    def take(self, *news: Message, wanted: int) -> Sequence[str]:
        """What the socket is sent, where all the news wait when it first asks."""

        async def run() -> list[str]:
            for each in news:
                self.subscription.put(each)
            return [(await asyncio.wait_for(self.subscription.next(), 60)).text for _ in range(wanted)]

        return asyncio.run(run())


def test_it_begins_with_a_snapshot_and_goes_on_with_what_came_after_it() -> None:
    stream = Stream(2)
    assert stream.take(changes(2), changes(3), changes(4), wanted=3) == ["snapshot 2", "changes 3", "changes 4"]
    assert stream.fell_back == 0


def test_a_socket_that_missed_a_change_gets_a_snapshot_and_no_change_twice() -> None:
    stream = Stream(1, 5)
    said = stream.take(changes(2), changes(4), changes(5), changes(6), wanted=4)
    assert said == ["snapshot 1", "changes 2", "snapshot 5", "changes 6"]
    assert stream.fell_back == 1


def test_a_slow_socket_loses_what_does_not_fit() -> None:
    stream = Stream(1, 9)
    said = stream.take(*map(changes, range(2, 11)), wanted=3)
    assert said == ["snapshot 1", "snapshot 9", "changes 10"]
    assert stream.fell_back == 1
    assert BACKLOG < 8


def test_a_sign_of_life_tells_of_a_change_that_was_lost() -> None:
    stream = Stream(1, 2)
    alive = Message("alive", 1, "alive 1"), Message("alive", 2, "alive 2")
    assert stream.take(*alive, wanted=3) == ["snapshot 1", "alive 1", "snapshot 2"]


def test_it_waits_for_news() -> None:
    stream = Stream(1)

    async def run() -> str:
        await stream.subscription.next()
        waiting = asyncio.ensure_future(stream.subscription.next())
        await asyncio.sleep(0)
        assert not waiting.done()
        stream.subscription.put(changes(2))
        return (await asyncio.wait_for(waiting, 60)).text

    assert asyncio.run(run()) == "changes 2"
