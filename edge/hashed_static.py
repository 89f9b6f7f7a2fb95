# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Static files under addresses that name their content, so that browsers may keep them for ever.

Django's storage behind the tag `static`. Django's own of this kind needs `collectstatic` before a start; this one
reads a file when a page first names it. A script that imports modules is served joined with them
(`edge/script_bundle.py`), so a new module needs no entry anywhere. Used by Django's threads.
"""

from __future__ import annotations

import logging
import re
from hashlib import sha256
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import StaticFilesStorage

from edge.script_bundle import NotJoinable, bundle, is_module

logger = logging.getLogger("edge")

HASHED = re.compile(r"(?P<stem>.+)\.(?P<hash>[0-9a-f]{12})(?P<suffix>\.[^./]+)")


class HashedStatic(StaticFilesStorage):
    """Addresses of static files, each with a hash: `console/console.css` is at `console/console.0123456789ab.css`.

    With `DEBUG` the addresses are plain ones, so that a changed file is seen at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self._addresses: dict[str, str] = {}  # by name; as many as there are files

    def url(self, name: str | None) -> str:
        """Return the address of a file: with its hash, or the plain one if no such file is found."""
        if not name or settings.DEBUG:
            return super().url(name)
        address = self._addresses.get(name)
        if address is None:
            content = content_of(name)
            if content is None:
                return super().url(name)
            stem, dot, suffix = name.rpartition(".")
            hashed = f"{stem}.{sha256(content).hexdigest()[:12]}.{suffix}" if dot else name
            address = self._addresses[name] = super().url(hashed)
        return address


def plain_name(name: str) -> str | None:
    """Return the name of the file that a name with a hash is for; None if it has none."""
    found = HASHED.fullmatch(name)
    return None if found is None else found["stem"] + found["suffix"]


def content_of(name: str) -> bytes | None:
    """Return what is served for a file: joined, if it imports modules. None if there is no such file."""
    path = finders.find(name)
    if path is None:
        return None
    content = Path(path).read_bytes()
    if not name.endswith(".js") or not is_module(content.decode(errors="replace")):
        return content
    try:
        return bundle(name, _source).encode()
    except NotJoinable as problem:
        logger.warning("this script is served in as many files as it has modules: %s", problem)
        return content


def _source(name: str) -> str:
    path = finders.find(name)
    if path is None:
        raise NotJoinable(f"{name}: no such file")
    return Path(path).read_text(encoding="utf-8")
