# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How what came in is cut for the parser, and what of it counts as frame."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from edge.intake import FREE_BYTES, LONGEST_PIECE, Intake


def pieces(intake: Intake) -> list[bytes]:
    found = []
    while intake:
        found.append(bytes(intake.cut()))
    return found


@given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"a", b"xyz" * 2000]), max_size=20), st.data())
def test_nothing_is_lost_and_no_piece_goes_on_behind_an_empty_line(parts: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(parts)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(whole)), max_size=5)) | {0, len(whole)})
    intake = Intake()
    found: list[bytes] = []
    for start, end in pairwise(cuts):
        intake.add(whole[start:end])
        if data.draw(st.booleans()):
            found += pieces(intake)
    found += pieces(intake)
    assert b"".join(found) == whole
    assert all(0 < len(piece) <= LONGEST_PIECE for piece in found)
    ends, at = set(), 0
    for piece in found:
        at += len(piece)
        ends.add(at)
    at = 0
    while (at := whole.find(b"\r\n\r\n", at)) >= 0:  # as a parser meets them: they do not overlap
        at += 4
        assert at in ends


def test_a_body_of_known_length_is_one_piece_whatever_it_holds() -> None:
    body = b"\r\n\r\nGET x\r\n\r\n" * 1000
    intake = Intake()
    intake.add(b"HEAD\r\n\r\n" + body + b"NEXT\r\n\r\n")
    assert bytes(intake.cut()) == b"HEAD\r\n\r\n"
    intake.end_head(len(body), chunked=False)
    assert bytes(intake.cut()) == body
    assert intake.frame == 8
    intake.end_request()
    assert bytes(intake.cut()) == b"NEXT\r\n\r\n"


def test_a_body_of_known_length_may_come_in_many_reads() -> None:
    intake = Intake()
    intake.add(b"HEAD\r\n\r\n\r\n")
    intake.cut()
    intake.end_head(6, chunked=False)
    assert pieces(intake) == [b"\r\n"]
    intake.add(b"\r\nx")
    assert pieces(intake) == [b"\r\nx"]
    intake.add(b"yNEXT")
    assert pieces(intake) == [b"y", b"NEXT"]


def test_the_frame_of_ordinary_chunks_is_free_and_trailers_are_not() -> None:
    intake = Intake()
    intake.add(b"HEAD\r\n\r\n")
    intake.cut()
    intake.end_head(0, chunked=True)
    for _ in range(1000):
        for part in (b"1", b"\r\n", b"A", b"\r\n"):  # as badly cut as can be
            intake.add(part)
            intake.cut()
        intake.begin_chunk()
        intake.take_body(1)
        assert intake.frame <= 8 + FREE_BYTES
    assert intake.frame == 8
    intake.add(b"0\r\nA: " + b"b" * 100)
    intake.cut()
    intake.begin_chunk()
    assert intake.frame == 8 + 106 - FREE_BYTES
    intake.add(b"b" * 100 + b"\r\n\r\n")
    intake.cut()
    assert intake.frame == 8 + 210 - FREE_BYTES
    intake.end_request()
    assert intake.frame == 0
