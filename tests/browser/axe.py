# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What axe, the accessibility checker, finds wrong with a page."""

from __future__ import annotations

from importlib.resources import files

from tests.browser.chromium import Tab

# It is evaluated from outside of the page, so the page's policy lets it.
RUN = """
axe.run(%s, {resultTypes: ['violations']}).then(results => results.violations
  .filter(rule => rule.impact === 'serious' || rule.impact === 'critical')
  .flatMap(rule => rule.nodes.map(node => [rule.id, node.target.join(' '), node.html])))
"""


def faults(tab: Tab, context: str = "document") -> list[tuple[str, str, str]]:
    """The serious and critical ones of the page as it is: axe's rule, where, and the element's HTML.

    `context` is axe's, in JavaScript: which part of the page to look at.
    """
    tab.run(f"{(files('axe_core_python') / 'axe.min.js').read_text()}; null")
    return [(rule, target, html) for rule, target, html in tab.run(RUN % context)]
