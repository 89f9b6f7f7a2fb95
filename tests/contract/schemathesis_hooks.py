# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What Schemathesis is told before it makes bodies up. Loaded by it, see `schemathesis.toml`."""

from __future__ import annotations

from typing import Any

import schemathesis

LONGEST_WAIT_SECONDS = 0.02


@schemathesis.hook
def before_load_schema(context: schemathesis.HookContext, raw_schema: dict[str, Any]) -> None:
    """Not `uniqueItems`: for the 10,000 candidates of the longest pick it would make them up for a minute."""
    _forget(raw_schema, "uniqueItems")


def _forget(value: Any, name: str) -> None:
    if isinstance(value, dict):
        value.pop(name, None)
    if isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            _forget(member, name)


@schemathesis.hook
def map_body(context: schemathesis.HookContext, body: Any) -> Any:
    """Whole numbers without a fraction: `5.0` is an integer to JSON Schema, and to no decoder of a typed language."""
    return _whole(body)


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _whole(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_whole(member) for member in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    """Short waits: nothing changes meanwhile, so each would last as long as it may."""
    try:
        wait = float(case.query.get("wait", 0))
    except (TypeError, ValueError):
        return  # wrong on purpose
    if LONGEST_WAIT_SECONDS < wait <= 60:
        case.query["wait"] = LONGEST_WAIT_SECONDS
