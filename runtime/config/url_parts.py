# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the URLs of databases and of log servers have in common. Pure. No message has a piece of the URL in it."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl


class Authority(NamedTuple):
    """What stands between // and the path, as it is written.

    `places`: hosts and ports.
    """

    user: str
    password: str
    places: str


def authority_of(url: str, parts: SplitResult) -> Authority:
    """Return who logs in where. `parts` are the URL's. Raises ValueError for a # or an @ that has to be encoded."""
    if parts.fragment or "#" in url:
        raise ValueError("expected no #: in a password write %23")
    credentials, _, places = parts.netloc.rpartition("@")
    if "@" in credentials:
        raise ValueError("expected one @, before the host: in a password write %40")
    user, _, password = credentials.partition(":")
    return Authority(user, password, places)


def is_port(text: str) -> bool:
    """Return whether a text is a port from 1 to 65535."""
    return text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= 65535


def options_of(query: str) -> dict[str, str]:
    """Return the options after the ? by name. Raises ValueError for what is no option, and for a name given twice."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise ValueError("expected name=value after the ?, separated by &") from None
    options = dict(pairs)
    if len(options) < len(pairs):
        raise ValueError("expected each name after the ? once")
    return options
