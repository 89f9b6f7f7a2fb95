# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The key that signs people's sessions: configured, or made once and kept beside the database."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from runtime.config import ConfigError


def secret_key(configured: str, path: Path) -> str:
    """`configured` where it is set, else the key in the file at `path`, which is made with mode 0600 where absent."""
    if configured:
        return configured
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            # Whole or not at all: another process may be starting on the same folder.
            with NamedTemporaryFile("w", dir=path.parent, prefix=".secret-") as file:
                file.write(secrets.token_urlsafe(50))
                file.flush()
                with suppress(FileExistsError):
                    os.link(file.name, path)
        return path.read_text()
    except OSError as error:
        raise ConfigError(f"[Node] DataDir: cannot keep the secret key in {path}: {error.strerror}") from None
