# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Why a request ended, and what became of it: one byte in its tombstone. Pure.

The lower four bits are the cause. The upper four are the outcome: 0 where its gateway said none, or that it went well.
What a node of a later release puts there is kept and passed on.
"""

from __future__ import annotations

from enum import IntEnum

MAX_CAUSE = 255
_CAUSE_BITS = 0x0F
_OUTCOME_BITS = 0xF0
_ERROR = 0x10  # the engine failed at the request


class Cause(IntEnum):
    """The causes, by how much they say. There is room for others in between."""

    UNKNOWN = 0  # not over, or ended where nothing was known of causes
    ELSEWHERE = 2  # another node had seen the start and no longer had the request
    AGE = 4  # nothing was heard of it for `RequestExpire`
    SILENCE = 6  # its gateway fell silent, and `OrphanGrace` passed
    ENGINE_DROP = 8  # its engine was dropped
    OPERATOR = 10  # a person ended it
    GATEWAY = 12  # its gateway said so


# Plain names, as for phases.
UNKNOWN, ELSEWHERE, AGE, SILENCE = Cause.UNKNOWN, Cause.ELSEWHERE, Cause.AGE, Cause.SILENCE
ENGINE_DROP, OPERATOR, GATEWAY = Cause.ENGINE_DROP, Cause.OPERATOR, Cause.GATEWAY

FAILED = GATEWAY | _ERROR
"""Its gateway said that it ended, and that the engine failed at it."""

CAUSES = {int(cause): cause.name.lower() for cause in Cause if cause}
"""The names of the causes."""


def cause_of(byte: int) -> int:
    """Return the cause in a tombstone's byte, without the outcome."""
    return byte & _CAUSE_BITS


def name_of(byte: int) -> str:
    """Return the name of the cause in a tombstone's byte; empty if it is unknown here."""
    return CAUSES.get(byte & _CAUSE_BITS, "")


def outcome_of(byte: int) -> str:
    """Return the outcome in a tombstone's byte: `error`, or empty where none is known here."""
    return "error" if byte & _OUTCOME_BITS == _ERROR else ""


def better_known(one: int, other: int) -> int:
    """Return the byte that says more, so that all nodes keep the same one."""
    return max(one, other, key=lambda byte: (byte & _CAUSE_BITS, byte))
