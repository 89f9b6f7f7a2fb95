# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`metadata-center keys create|list|revoke`: the keys that callers show a node."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error
from django.utils import timezone

from access.grant import Grant, wall_text
from access.key_text import digest_of, new_key
from access.keys_file import entry, parse, read
from access.made_key import WrongKey, checked_clusters, checked_name, checked_scopes, end_of, make_key
from access.models import AccessKey
from edge.acting import current_actor
from runtime.config import ConfigError

HEADINGS = ("NAME", "KEY", "SCOPES", "CLUSTERS", "EXPIRES", "LAST USED", "STATE")


class Command(BaseCommand):
    help = "Make, list and revoke the keys by which callers are known. A key is shown once, when it is made."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the three words and what each takes."""
        # Parsers of Django's own take arguments that argparse does not know.
        kind = type(parser)
        words = parser.add_subparsers(dest="word", required=True, parser_class=kind, metavar="create|list|revoke")
        create = words.add_parser("create", help="make a key and print it as the last word")
        create.add_argument("--name", required=True, help="what people call it; logs and the audit trail name it")
        create.add_argument(
            "--scope",
            required=True,
            action="append",
            metavar="SCOPE[,SCOPE…]",
            help="what it may do: read, write, replicate, operate",
        )
        create.add_argument(
            "--cluster",
            action="append",
            default=[],
            metavar="GLOB",
            help="clusters that it may name, such as 'prod-*'; may be given several times; without it: all",
        )
        create.add_argument("--expires", default="", metavar="SPAN", help="12h, 30d, 8w, or 2027-01-31T00:00:00Z")
        create.add_argument(
            "--file", action="store_true", help="store it nowhere: print its entry for [Auth] KeysFile, then the key"
        )
        words.add_parser("list", help="list the keys of the database and of [Auth] KeysFile")
        revoke = words.add_parser("revoke", help="end a key of the database, on every node within 5 s")
        revoke.add_argument("name", nargs="?", default="", metavar="NAME")
        revoke.add_argument("--name", dest="named", default="", help="the same")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what the word says."""
        try:
            match options["word"]:
                case "create":
                    self._create(options)
                case "list":
                    self._list()
                case _:
                    self._revoke(options["name"] or options["named"])
        except (WrongKey, ConfigError) as error:
            raise CommandError(str(error), returncode=2) from None
        except Error as error:
            raise CommandError(f"database: {error}") from None

    def _create(self, options: dict[str, Any]) -> None:
        scopes = [word.strip() for text in options["scope"] for word in text.split(",") if word.strip()]
        expires = end_of(options["expires"], timezone.now()) if options["expires"] else None
        name, clusters = checked_name(options["name"]), options["cluster"]
        if name in {each.name for each in _of_the_file()}:
            raise WrongKey("name", f"{name} is in use in [Auth] KeysFile, whose key would hold instead")
        if options["file"]:
            key = new_key()
            self.stdout.write("Add this to the file that [Auth] KeysFile names:\n\n")
            checked = checked_scopes(scopes), checked_clusters(clusters)
            self.stdout.write(entry(name, digest_of(key.encode()), *checked, expires) + "\n\n")
        else:
            _, key = make_key(name, scopes, clusters, expires, current_actor().who)
            self.stdout.write(f"Key {name} was made. Nodes take it within 5 s.")
        self.stdout.write(f"It is shown this once and stored nowhere:\n{key}")

    def _list(self) -> None:
        rows = [*_rows_of_the_database(), *_rows_of_the_file()]
        widths = [max(len(row[place]) for row in (HEADINGS, *rows)) for place in range(len(HEADINGS))]
        for row in (HEADINGS, *rows):
            self.stdout.write("  ".join(f"{text:{width}}" for text, width in zip(row, widths, strict=True)).rstrip())

    def _revoke(self, name: str) -> None:
        if not name:
            raise WrongKey("name", "expected the name of a key")
        row = AccessKey.objects.filter(name=name, revoked_at__isnull=True).first()
        if row is not None:
            row.revoke()
            self.stdout.write(f"Key {name} is revoked. Nodes refuse it within 5 s.")
        elif name in {each.name for each in _of_the_file()}:
            raise WrongKey("name", f"{name} is in [Auth] KeysFile: take it out there")
        else:
            raise WrongKey("name", f"there is no key {name}, or it is revoked already")


def _of_the_file() -> list[Grant]:
    """Return the keys of `[Auth] KeysFile`. Raises ConfigError."""
    path = settings.CONFIG.auth.keys_file
    return parse(path, read(path)) if path else []


def _rows_of_the_database() -> Iterator[tuple[str, ...]]:
    for row in AccessKey.objects.all():
        yield (
            row.name,
            f"{row.hint}…",
            ",".join(row.scopes),
            ",".join(row.clusters) or "all",
            "never" if row.expires_at is None else wall_text(row.expires_at.timestamp()),
            "never" if row.last_used_at is None else wall_text(row.last_used_at.timestamp()),
            row.state,
        )


def _rows_of_the_file() -> Iterator[tuple[str, ...]]:
    now = timezone.now().timestamp()
    for each in _of_the_file():
        yield (
            each.name,
            "in the file",
            ",".join(sorted(each.caller.scopes)),
            ",".join(each.caller.clusters) or "all",
            "never" if each.expires is None else wall_text(each.expires),
            "-",
            "valid" if each.holds_at(now) else "expired",
        )
