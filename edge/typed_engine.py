# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What a person typed to find engines, read into the forms that lists have. Pure.

People paste from logs, URLs and other tools: long and short IPv6 addresses, with and without brackets, an IPv4 address
inside IPv6, a scheme in front.
"""

from __future__ import annotations

import re

from edge.addresses import Addresses
from edge.engine_name import EngineName
from edge.errors import InvalidInput

PARTS = re.compile(r"(?P<host>\[[^\]]*\]|[^/]*?)(?::(?P<port>\d{1,5}))?(?:/(?P<rank>\d{1,5}))?")
LEADING_ZEROS = re.compile(r"(?<![0-9a-f])0+(?=[0-9a-f])")
HEXADECIMAL = re.compile(r"[0-9a-f:\[]+")


def typed_engines(typed: str) -> tuple[EngineName, ...]:
    """Return the engines that a text may name, in their one form.

    `2001:db8::1:8000` may be an address or an address with a port, so it gives two. Text that names no engine gives
    none.
    """
    text = re.sub(r"^https?://", "", typed.strip().lower()).rstrip("/")
    found: list[EngineName] = []
    bare, _, rank = text.partition("/")
    if ":" in bare and "[" not in bare:  # an IPv6 address without brackets
        found += _named(bare, "", rank)
    if (parts := PARTS.fullmatch(text)) is not None:
        found += _named(parts["host"].strip("[]"), parts["port"] or "", parts["rank"] or "")
    return tuple(dict.fromkeys(found))


def as_part(typed: str) -> str:
    """Return a part of a name as names have it: lower case, groups of IPv6 without leading zeros."""
    text = typed.strip().lower()
    return LEADING_ZEROS.sub("", text) if ":" in text and HEXADECIMAL.fullmatch(text) else text


def _named(ip: str, port: str, rank: str) -> list[EngineName]:
    if (port and not 1 <= int(port) <= 65_535) or (rank and not rank.isdecimal()) or int(rank or 0) > 65_535:
        return []
    try:
        address = Addresses().canonical(ip)
    except InvalidInput:
        return []
    return [EngineName(address, int(port) if port else None, int(rank) if rank else None)]
