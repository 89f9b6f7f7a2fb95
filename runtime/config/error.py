# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Errors in the configuration, one line each. Pure."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping

_LONGEST = 80


class ConfigError(ValueError):
    """The configuration can't be used.

    Its text is one line with the place and what was expected there:
    `configs/config.toml: [HTTP] Port: expected an integer from 0 to 65535, got "http"`.
    """


def shown(value: object) -> str:
    """Return a value from a file as an error shows it: on one line, at most 80 characters."""
    text = f"[{', '.join(map(_shown, value))}]" if isinstance(value, list) else _shown(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _shown(value: object) -> str:
    match value:
        case str():
            return json.dumps(value, ensure_ascii=not value.isprintable())
        case None | bool() | int() | float():
            return json.dumps(value)
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:  # TOML and YAML know dates
            return str(value)


def did_you_mean(word: str, known: Mapping[str, str]) -> str:
    """Return `, did you mean Port?` if a key of `known` is close to the word, else an empty text.

    Case does not matter. The key's value is what is suggested.
    """
    folded = {name.casefold(): suggestion for name, suggestion in known.items()}
    close = difflib.get_close_matches(word.casefold(), folded, n=1)
    return f", did you mean {folded[close[0]]}?" if close else ""
