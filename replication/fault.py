# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Why a peer is not spoken with, in words for operators. Pure.

Whatever was raised, what is shown says what the peer did or what this node saw, and never the name of a class.
"""

from __future__ import annotations

import errno
import os
import ssl
import zlib

import msgspec
from msgspec import DecodeError, Struct

from replication.client import BadAnswer

LONGEST = 200  # characters of what a peer says itself

# Where the system's words are of no help to somebody who looks after nodes.
WORDS = {
    errno.ECONNREFUSED: "connection refused: nothing listens there",
    errno.ECONNRESET: "it closed the connection",
    errno.EPIPE: "it closed the connection",
    errno.ECONNABORTED: "it closed the connection",
    errno.ETIMEDOUT: "no answer from its address",
    errno.EHOSTUNREACH: "its address cannot be reached",
    errno.ENETUNREACH: "its network cannot be reached",
    errno.EMFILE: "this node has as many files open as it may",
    errno.ENFILE: "this machine has as many files open as it may",
}


class _Refusal(Struct):
    message: str = ""
    reason: str = ""


class _Refused(Struct):
    error: _Refusal


def sentence(error: BaseException) -> str:
    """Return why a call to a peer failed."""
    text = " ".join(str(error).split())[:LONGEST]
    match error:
        case ssl.SSLCertVerificationError():
            words = f"its certificate is not accepted: {error.verify_message}"
        case ssl.SSLError():
            words = f"no TLS can be agreed on with it: {text}"
        case OSError() if error.errno is not None:
            # Numbers below zero are those of name look-ups: their text is all there is.
            system = os.strerror(error.errno) if error.errno > 0 else str(error.strerror)
            words = WORDS.get(error.errno, system[:1].lower() + system[1:])
        case OSError():  # a TimeoutError of our own is one, too
            words = text or "the connection failed"
        case BadAnswer() | DecodeError() | UnicodeDecodeError() | RecursionError() | zlib.error():
            words = "it answered what this node cannot read" + (f": {text}" if text else "")
        case _:
            words = text or "this node failed at it: its log has the cause"
    return words


def refusal(status: int, body: bytes) -> str:
    """Return what a peer's answer other than 200 says."""
    try:
        said = msgspec.json.decode(body, type=_Refused).error
    except (DecodeError, UnicodeDecodeError):
        return f"it answered {status}"
    words = ", ".join(each for each in (said.message, said.reason) if each)
    return f"it answered {status}: {words[:LONGEST]}" if words else f"it answered {status}"
