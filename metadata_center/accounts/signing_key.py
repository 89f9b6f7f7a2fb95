# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The key that signs people's sessions, shared by all nodes of one database.

A log-in holds on every node only if all have the same key. Without a `[Web] SecretKey` it is made once and kept in the
database. Who can read that could log in as anybody without it, too: sessions and accounts are there. Runs on the
keeper's thread.
"""

from __future__ import annotations

import secrets

from django.conf import settings
from django.db import transaction
from django.utils.crypto import salted_hmac

from metadata_center.models import SharedKey

DIFFERS = (
    "[Web] SecretKey is not that of the node started last: log-ins hold on some nodes only; set the same key on all "
    "nodes, or on none"
)


def agree_on_key(configured: str) -> None:
    """Sign with the key that is configured, else with the one in the database. Notes there which one is in use."""
    with transaction.atomic():
        row, _ = SharedKey.objects.get_or_create(pk=SharedKey.ONLY, defaults={"made": secrets.token_urlsafe(50)})
        # Read by Django at each use. No page has used it: pages are let in after this.
        settings.SECRET_KEY = configured or row.made
        row.in_use = fingerprint()
        row.save()


def differs() -> bool:
    """Return whether the node started last signs with another key than this one."""
    return SharedKey.objects.get(pk=SharedKey.ONLY).in_use != fingerprint()


def fingerprint() -> str:
    """Return what tells this node's key from others. The key does not follow from it."""
    return salted_hmac("metadata_center.accounts.signing_key", "fingerprint", algorithm="sha256").hexdigest()
