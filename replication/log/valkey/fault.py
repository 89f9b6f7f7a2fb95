# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Why the log server did not do what was asked, in words for operators. Pure.

Texts of the server are shown only where they cannot repeat a command, for a command may hold a password.
"""

from __future__ import annotations

from typing import Final

from hiredis import ReplyError

from replication.fault import sentence
from replication.log.server import LeaseLost, LogAway, LogError, LogFull, LogRefused

LONGEST: Final = 200


class NoScript(LogError):
    """The server does not have the script that was named."""


_OLD: Final = "it is older than Valkey 8 and Redis 7"
# By the first word of an error: what it means, and the words for it. Without words the server's own are shown.
_MEANINGS: Final[dict[str, tuple[type[LogError], str]]] = {
    # These pass by themselves, or with another connection.
    "BUSY": (LogAway, "it is busy with a script"),
    "CLUSTERDOWN": (LogAway, "its cluster is down"),
    "LOADING": (LogAway, "it is loading what it saved"),
    "MASTERDOWN": (LogAway, "it is a replica that has lost its server"),
    "MISCONF": (LogAway, "it takes no writes, because it cannot write to its disk"),
    "NOREPLICAS": (LogAway, "it takes no writes, because too few replicas have what it has"),
    "READONLY": (LogAway, "it is a replica, which takes no writes"),
    "TRYAGAIN": (LogAway, "its cluster moves the log"),
    "UNBLOCKED": (LogAway, "it ended a read that waited, as a server does that becomes a replica"),
    "UNKILLABLE": (LogAway, "it is busy with a script"),
    "OOM": (LogFull, "it is full: its memory is at maxmemory"),
    "DENIED": (LogRefused, "it takes no connections from other machines without a password (protected-mode)"),
    "MOVED": (LogRefused, "it is part of a cluster, and another server of it has the log: name that one"),
    "NOAUTH": (LogRefused, "it asks for a password"),
    "NOPROTO": (LogRefused, _OLD),
    "WRONGPASS": (LogRefused, "it refuses the user or the password"),
    "WRONGTYPE": (LogRefused, "a key of the log is another program's: choose another [Replication] LogName"),
    "NOSCRIPT": (NoScript, "it does not have the script"),
    # The scripts of this package raise these.
    "LEASELOST": (LeaseLost, ""),
    "REFUSED": (LogRefused, ""),
}


def fault_of(error: ReplyError) -> LogError:
    """Return what an error reply means."""
    text = " ".join(str(error).split())
    word, _, rest = text.partition(" ")
    if word in _MEANINGS:
        meaning, words = _MEANINGS[word]
    elif "max number of clients" in text:
        meaning, words = LogAway, "it has as many connections as it takes"
    elif "unknown command" in text:
        meaning, words = LogRefused, f"it does not know a command that the log needs: {_OLD}"
    elif word == "NOPERM":
        meaning, words = LogRefused, f"its user lacks a permission that the log needs: {rest[:LONGEST]}"
    else:
        meaning, words = LogRefused, f"it answered {text[:LONGEST]}"
    return meaning(words or rest[:LONGEST])


def away(error: Exception) -> LogAway:
    """Return what a fault of the connection means."""
    return error if isinstance(error, LogAway) else LogAway(sentence(error))
