# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The URL under which people reach a node's console. Pure.

A node links to what its peers say of themselves, so their URLs are judged by the same rule as its own.
"""

from __future__ import annotations

from urllib.parse import urlsplit

MAX_URL = 512


def console_url(text: str) -> str:
    """Return the URL without a slash at its end. Raises ValueError unless it is http or https with a host, and no more
    than a port and a path."""
    if len(text) > MAX_URL:
        raise ValueError(f"expected at most {MAX_URL} characters")
    parts = urlsplit(text)
    plain = text.isascii() and text.isprintable() and not set(text) & set(" \"'<>\\^`{|}")
    if not plain or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("expected http://HOST or https://HOST, with a port and a path if it has them")
    if "@" in parts.netloc or "?" in text or "#" in text:
        raise ValueError("expected no user, query or fragment")
    if parts.port == 0:
        raise ValueError("expected a port from 1 to 65535")
    return text.rstrip("/")
