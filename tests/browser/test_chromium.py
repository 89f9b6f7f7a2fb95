# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The tests' own hand on the browser: it waits for what is not there yet, whatever the page says meanwhile."""

from __future__ import annotations

from tests.browser.chromium import Tab


def test_a_question_about_a_page_that_is_half_there_is_asked_again(tab: Tab) -> None:
    tab.open("about:blank")
    tab.run("setTimeout(() => { document.body.innerHTML = '<p>here</p>' }, 200), 1")
    tab.until("document.querySelector('p').innerText === 'here'")
    assert tab.complaints == []
