# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The results file. Each benchmark has a section between markers, so that one can be measured again alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_HEAD = """<!--
SPDX-FileCopyrightText: 2026 Metadata Center contributors
SPDX-License-Identifier: Apache-2.0
-->

# Results

Written by `make bench`; [README.md](README.md) says what is measured and how. Numbers with a range are the median of
the rounds and, in parentheses, the lowest and the highest.
"""

_SECTION = re.compile(r"<!-- begin (\S+) -->\n(.*?)\n<!-- end \1 -->", re.DOTALL)


def sections(document: str) -> dict[str, str]:
    """Return the sections of a results file by name."""
    return {name: text.strip("\n") for name, text in _SECTION.findall(document)}


def document(before: str, fresh: Mapping[str, str], order: Sequence[str]) -> str:
    """Return the file `before` with `fresh` sections in place of its own, in `order`. Unknown ones are dropped."""
    known = sections(before) | dict(fresh)
    parts = [f"<!-- begin {name} -->\n\n{known[name]}\n\n<!-- end {name} -->\n" for name in order if name in known]
    return "\n".join([_HEAD, *parts])
