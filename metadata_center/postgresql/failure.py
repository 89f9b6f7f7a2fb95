# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What is wrong with the database, in a few words that may be shown to everyone: no host, no user. Pure."""

from __future__ import annotations

# By the first characters of an SQLSTATE.
BY_STATE = {
    "28": "it refuses the user or the password",
    "3D": "it has no database of this name",
    "42501": "its user lacks a right",
    "53300": "it has no connection left",
    "53": "it lacks space or memory",
    "57014": "a statement took too long",
    "57P": "it is starting or stopping",
    "25006": "it is read-only",
    "55P03": "a lock is taken",
}
# libpq reports these without an SQLSTATE.
BY_TEXT = {
    "timeout expired": "no answer",
    "does not answer": "no answer",
    "Connection refused": "connection refused",
    "No such file": "connection refused",
    "password authentication failed": "it refuses the user or the password",
    "no password supplied": "it wants a password",
    "pg_hba.conf": "it refuses this node",
    "certificate": "its certificate does not fit",
    "SSL": "TLS does not come about",
    "translate host name": "its name is not known",
    "resolve host": "its name is not known",
    "Name or service not known": "its name is not known",
    "starting up": "it is starting or stopping",
    "shutting down": "it is starting or stopping",
    "closed the connection": "it closed the connection",
    "connection is closed": "it closed the connection",
    "too many": "it has no connection left",
    "does not exist": "it has no such database or user",
    "unreachable": "it cannot be reached",
    "No route": "it cannot be reached",
}


def in_words(error: BaseException) -> str:
    """Return what is wrong. The error's own text may name hosts and users: it is for the log."""
    state = getattr(error, "sqlstate", None) or getattr(error.__cause__, "sqlstate", None) or ""
    for length in (5, 3, 2):
        if state[:length] in BY_STATE:
            return BY_STATE[state[:length]]
    text = str(error)
    return next((words for part, words in BY_TEXT.items() if part in text), f"{type(error).__name__}, see the log")
