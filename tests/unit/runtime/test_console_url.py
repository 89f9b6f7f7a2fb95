# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Where people reach a console."""

from __future__ import annotations

import pytest

from runtime.config.console_url import console_url


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://mc-1.example.com", "https://mc-1.example.com"),
        ("http://mc.example.com:8443/node-1/", "http://mc.example.com:8443/node-1"),
        ("http://[2001:db8::1]:8080", "http://[2001:db8::1]:8080"),
    ],
)
def test_a_url_of_a_page_is_taken(text: str, url: str) -> None:
    assert console_url(text) == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "javascript:alert(1)",
        "ftp://mc",
        "//mc",
        "mc.example.com",
        "https://",
        "https://user:password@mc",
        "https://mc?x",
        "https://mc#x",
        "https://mc:0",
        "https://mc:99999",
        'https://mc/"><script>',
        "https://mc/\n",
        "https://mc/ x",
        "https://[",
        "https://" + "x" * 600,
    ],
)
def test_any_other_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        console_url(text)
