# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Frames that may be torn, moments of another start of the machine, contents of another release."""

from __future__ import annotations

from io import BytesIO

import msgspec
import pytest

from replication.snapshot import moment
from replication.snapshot.contents import FORMAT, FutureFormat, TailHead, TailPush, read, written
from replication.snapshot.frames import MOST_BYTES, FrameReader, framed
from replication.snapshot.moment import Moment

BODIES = [b"one", b"", b"x" * 300]
FILE = b"".join(map(framed, BODIES))


def test_what_was_framed_is_read_as_often_as_one_likes() -> None:
    reader = FrameReader(BytesIO(FILE))
    assert list(reader) == BODIES
    assert list(reader) == BODIES
    assert reader.torn_at is None


def test_a_torn_file_is_read_up_to_the_torn_frame() -> None:
    ends = [11, 19, len(FILE)]
    for length in range(len(FILE)):
        whole = sum(end <= length for end in ends)
        reader = FrameReader(BytesIO(FILE[:length]))
        assert list(reader) == BODIES[:whole]
        begins = [0, *ends][whole]
        assert reader.torn_at == (None if length == begins else begins)


@pytest.mark.parametrize("at", [0, 3, 5, 9, 12, 25, len(FILE) - 1])
def test_a_wrong_byte_ends_a_file(at: int) -> None:
    data = bytearray(FILE)
    data[at] ^= 0x55
    reader = FrameReader(BytesIO(bytes(data)))
    found = list(reader)
    assert found == BODIES[: len(found)]
    assert len(found) < len(BODIES)
    assert reader.torn_at is not None


def test_a_length_that_is_none_is_not_read() -> None:
    reader = FrameReader(BytesIO((MOST_BYTES + 1).to_bytes(4, "big") + bytes(4)))
    assert list(reader) == []
    assert reader.torn_at == 0


def test_within_one_start_of_the_machine_its_own_clock_decides() -> None:
    earlier = Moment("a", 10**9, 500 * 10**9)
    assert Moment("a", 31 * 10**9, 5 * 10**9).seconds_since(earlier) == 30.0
    assert Moment("a", 0, 900 * 10**9).seconds_since(earlier) == 0.0


@pytest.mark.parametrize("boots", [("a", "b"), ("", ""), ("a", "")])
def test_between_two_starts_the_wall_clock_decides_and_no_age_is_below_0(boots: tuple[str, str]) -> None:
    earlier = Moment(boots[0], 10**9, 500 * 10**9)
    assert Moment(boots[1], 0, 530 * 10**9).seconds_since(earlier) == 30.0
    assert Moment(boots[1], 99 * 10**9, 400 * 10**9).seconds_since(earlier) == 0.0


def test_a_moment_is_of_this_start_of_the_machine() -> None:
    first, second = Moment.now(), Moment.now()
    assert 0 <= second.seconds_since(first) < 3600
    assert first.boot_id == second.boot_id == moment.boot_id()


def test_a_system_without_ids_of_its_starts_has_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moment, "BOOT_ID", moment.BOOT_ID / "absent")
    assert Moment.now().boot_id == ""


def test_contents_are_read_as_they_were_written() -> None:
    for content in (TailHead(FORMAT, Moment("a", 1, 2)), TailPush(5, b"push")):
        assert read(written(content)) == content


@pytest.mark.parametrize(
    "head", [written(TailHead(FORMAT + 1, Moment("a", 1, 2))), msgspec.msgpack.encode([0, FORMAT + 1, "all is new"])]
)
def test_a_file_of_a_later_release_is_known_as_such(head: bytes) -> None:
    with pytest.raises(FutureFormat, match=f"format {FORMAT + 1}"):
        read(head)


@pytest.mark.parametrize("body", [b"", b"\xc1", msgspec.msgpack.encode([4, "late", b""]), msgspec.msgpack.encode([9])])
def test_what_is_no_content_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="not to be read"):
        read(body)
