# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What people may be permitted to see and do of a node itself; the audit trail; the key that nodes share.

The last two have tables. The other rows are the running node's parts.
"""

from __future__ import annotations

from typing import Final

from django.db import models


class Node(models.Model):
    """This node: its parts, and how much its log tells."""

    name = models.CharField(max_length=256, primary_key=True)

    class Meta:
        managed = False
        default_permissions = ("view",)
        permissions = (("set_log_level", "Can set the log level"),)
        verbose_name_plural = "node"

    def __str__(self) -> str:
        return self.name


class Setting(models.Model):
    """A member of the configuration, its value, and where that came from."""

    path = models.CharField(max_length=256, primary_key=True)

    class Meta:
        managed = False
        default_permissions = ("view",)
        verbose_name_plural = "configuration"

    def __str__(self) -> str:
        return self.path


class AuditEntry(models.Model):
    """A line of the audit trail (`edge.audit.AuditLine`), and the node that wrote it."""

    time = models.DateTimeField(db_index=True)
    node = models.CharField(max_length=256)
    act = models.CharField(max_length=512)
    outcome = models.CharField(max_length=16)
    who = models.CharField(max_length=512)
    client = models.CharField(max_length=512)
    what = models.TextField()

    class Meta:
        default_permissions = ("view",)
        verbose_name = "audit entry"
        verbose_name_plural = "audit trail"

    def __str__(self) -> str:
        return f"{self.act} by {self.who}"


class Task(models.Model):
    """Recurring work and its last run."""

    name = models.CharField(max_length=256, primary_key=True)

    class Meta:
        managed = False
        default_permissions = ("view",)
        permissions = (("run_task", "Can run a task now"),)
        verbose_name = "recurring task"

    def __str__(self) -> str:
        return self.name


class SharedKey(models.Model):
    """What nodes that share a database sign sessions with. One row.

    `made`: the key of the nodes that have none in their configuration.
    `in_use`: the fingerprint of the key of the node that was started last.
    """

    ONLY: Final = 1

    id = models.SmallIntegerField(primary_key=True)
    made = models.CharField(max_length=128)
    in_use = models.CharField(max_length=64, default="")

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return "key"
