# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`manage.py openapi FILE`: write the calls down as an OpenAPI document. No node needs to run."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.validation import validate_schema

from edge.rest.openapi.document import as_yaml, document
from metadata_center.node import Node
from runtime.config import Config
from runtime.logs import configure
from runtime.running import publish


class Command(BaseCommand):
    help = "Write the calls down as an OpenAPI 3.1 document, in YAML."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        config = Config()
        logs = configure(config.log)
        try:
            with publish(Node(config, logs).published()):  # built, not started: the document describes its handlers
                whole = document()
        finally:
            logs.close()
        if GENERATOR_STATS:
            raise CommandError("two types of one name: see the warnings")
        validate_schema(whole)
        options["file"].write_bytes(as_yaml(whole))
