# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`/admin/metadata_center/node/`: this node, its parts, and its log level. Runs on Django's threads."""

from __future__ import annotations

import platform
from typing import Any

from django.contrib import admin
from django.contrib.admin.models import CHANGE
from django.http import HttpRequest

from edge.errors import InvalidInput
from edge.live_admin import LiveAdmin, Operation, Question, Values
from metadata_center.models import Node
from runtime.health import Health
from runtime.identity import Identity
from runtime.logs import Logs
from runtime.logs.levels import PYTHON_LEVELS
from runtime.running import part


class SetLogLevel(Operation):
    codename = "set_log_level"
    title = "Set the log level"
    button = "Set it"
    members = ("level",)
    flag = CHANGE

    def ask(self, values: Values) -> Question:
        level = _level(values)
        return Question(
            f"Set the log level to {level}?",
            f"The log of {part(Identity).name} records {level} and above, from now until the node stops."
            " The access log is written at INFO and below.",
            (("now", part(Logs).level), ("then", level)),
        )

    def perform(self, values: Values) -> str:
        before = part(Logs).level
        part(Logs).set_level(_level(values))
        return f"Log level set from {before} to {values['level']}."

    def target(self, values: Values) -> str:
        return part(Identity).name


@admin.register(Node)
class NodeAdmin(LiveAdmin):
    template = "metadata_center/admin/node.html"
    operations = (SetLogLevel(),)

    def context(self, request: HttpRequest) -> dict[str, Any]:
        identity, level = part(Identity), part(Logs).level
        return {
            "title": "This node",
            "node": identity.name,
            "version": identity.version,
            "python": platform.python_version(),
            "report": part(Health).report(),
            "level": level,
            "levels": list(PYTHON_LEVELS),
        }


def _level(values: Values) -> str:
    if values["level"] not in PYTHON_LEVELS:
        raise InvalidInput(f"level: expected one of {', '.join(PYTHON_LEVELS)}")
    return values["level"]
