# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The keys that are made in the admin and on the command line. Used on Django's threads and the keys' own, never on the
event loop."""

from __future__ import annotations

from secrets import randbits
from typing import Any

from django.db import models
from django.utils import timezone

MARK_BITS = 40  # the sum of 100,000 of them fits into 64 bits


class AccessKey(models.Model):
    """A key, by its digest. It is never deleted but revoked, so that the list says what there was.

    `digest`: the SHA-256 of the key, in hexadecimal digits.
    `hint`: its first characters.
    `scopes`, `clusters`: what it may do, and globs of the clusters that it may name; no glob means all.
    `mark`: another random number after each change of what it grants. By the number of rows and the sum of marks a node
        sees at little cost whether anything changed.
    """

    name = models.CharField(max_length=64)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    hint = models.CharField(max_length=16, editable=False)
    scopes = models.JSONField(default=list)
    clusters = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.CharField(max_length=150, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)
    mark = models.BigIntegerField(editable=False)

    class Meta:
        ordering = ("name", "-created_at")
        default_permissions = ("view", "add")
        permissions = (("revoke_accesskey", "Can revoke a key"),)
        verbose_name = "key"
        constraints = (
            models.UniqueConstraint(
                fields=("name",),
                condition=models.Q(revoked_at__isnull=True),
                name="access_one_key_of_a_name",
                violation_error_message="A key of this name is in use: revoke it first, or take another name.",
            ),
        )

    def __str__(self) -> str:
        return self.name or str(self.pk)  # the admin log makes one of nothing but what it was called by

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save it, under a new mark. `last_used_at` is written by updates, which leave the mark alone."""
        self.mark = randbits(MARK_BITS)
        super().save(*args, **kwargs)

    def revoke(self) -> None:
        """Revoke it. Nodes notice within 5 s."""
        if self.revoked_at is None:
            self.revoked_at = timezone.now()
            self.save()

    @property
    def state(self) -> str:
        """`valid`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= timezone.now() else "valid"
