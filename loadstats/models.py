# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What people may be permitted to see and do of the load. No tables: the rows are in the ledger."""

from __future__ import annotations

from django.db import models


class Cluster(models.Model):
    """A named group of engines."""

    name = models.CharField(max_length=256, primary_key=True)

    class Meta:
        managed = False
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.name


class Engine(models.Model):
    """One inference server of a cluster; `name` is `ip in cluster`."""

    name = models.CharField(max_length=512, primary_key=True)

    class Meta:
        managed = False
        default_permissions = ("view",)
        permissions = (("forget_engine", "Can end an engine's requests and forget it"),)

    def __str__(self) -> str:
        return self.name


class Request(models.Model):
    """One request to an engine."""

    request_id = models.CharField(max_length=256, primary_key=True)

    class Meta:
        managed = False
        default_permissions = ("view",)
        permissions = (("end_request", "Can end a request"),)

    def __str__(self) -> str:
        return self.request_id
