# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Django's `DATABASES`: SQLite in the node's folder, or the PostgreSQL that `[Web] Database` names. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runtime.config.database_url import parse_database_url

SQLITE = "people.sqlite3"
# A connection is kept by each thread that makes pages. This old it is made anew, so that another server behind the same
# name is found.
KEPT_SECONDS = 60


def databases(url: str, data_dir: Path) -> dict[str, dict[str, Any]]:
    """Return the setting. `url` has passed the configuration's check; empty: SQLite."""
    if not url:
        return {
            "default": {
                "ENGINE": "django_prometheus.db.backends.sqlite3",
                "NAME": data_dir / SQLITE,
                "OPTIONS": {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL;"},
            }
        }
    parts = parse_database_url(url)
    return {
        "default": {
            "ENGINE": "metadata_center.postgresql",
            "NAME": parts.name,
            "USER": parts.user,
            "PASSWORD": parts.password,
            "HOST": parts.host,
            "PORT": parts.port,
            "OPTIONS": {"application_name": "metadata-center", **parts.options},
            "CONN_MAX_AGE": KEPT_SECONDS,
            "CONN_HEALTH_CHECKS": True,
        }
    }
