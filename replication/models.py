# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What people may be permitted to see and do of the other nodes. No table: the rows are the running node's links."""

from __future__ import annotations

from django.db import models


class Peer(models.Model):
    """Another node; `name` is its address and port."""

    name = models.CharField(max_length=256, primary_key=True)

    class Meta:
        managed = False
        default_permissions = ("view",)
        permissions = (("resync_peer", "Can pull everything from a peer"),)

    def __str__(self) -> str:
        return self.name
