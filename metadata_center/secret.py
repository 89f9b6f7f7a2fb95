# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The key that signs people's sessions: configured, or made once and kept beside the database."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from metadata_center.config import ConfigError


def secret_key(configured: str, path: Path) -> str:
    """`configured` where it is set, else the key in the file at `path`, which is made with mode 0600 where absent."""
    if configured:
        return configured
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_text()
        key = secrets.token_urlsafe(50)
        with os.fdopen(handle, "w") as file:
            file.write(key)
    except OSError as error:
        raise ConfigError(f"[Node] DataDir: cannot keep the secret key in {path}: {error.strerror}") from None
    return key
