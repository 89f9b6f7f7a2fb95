# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The system's file of nameservers and search domains (resolv.conf(5)), without what a resolver can't use. Immutable.

Always holds: an entry that can't be used is left out and named. It never keeps the others from being used. The C
library does the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import dns.exception
import dns.inet
import dns.name
from msgspec import Struct

PATH: Final = "/etc/resolv.conf"
MAX_SKIPPED: Final = 20
MAX_SHOWN_CHARACTERS: Final = 80


class ResolvConf(Struct, frozen=True):
    """What the file says.

    `text`: its lines, with usable entries only.
    `skipped`: entries that were left out, as `nameserver dns.example.org`; the first 20, each on one line.
    """

    text: str
    skipped: tuple[str, ...] = ()


def read_resolv_conf(path: str = PATH) -> ResolvConf:
    """Read the file. Raises OSError if it can't be read."""
    lines: list[str] = []
    skipped: list[str] = []
    for line in Path(path).read_text(encoding="utf-8", errors="replace").split("\n"):
        keyword, *values = line.split() or [""]
        match keyword:
            case "nameserver":
                kept = [value for value in values[:1] if dns.inet.is_address(value)]
            case "domain" | "search":
                kept = [value for value in values if _is_name(value)]
            case _:
                lines.append(line)
                continue
        if kept:
            lines.append(" ".join([keyword, *kept]))
        if left_out := [value for value in values if value not in kept]:
            skipped.append(_shown(f"{keyword} {' '.join(left_out)}"))
    return ResolvConf("\n".join(lines), tuple(skipped[:MAX_SKIPPED]))


def _is_name(text: str) -> bool:
    try:
        dns.name.from_text(text)
    except (dns.exception.DNSException, UnicodeError):
        return False
    return True


def _shown(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)[:MAX_SHOWN_CHARACTERS]
