# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The key that signs people's sessions: from the configuration, or made once and kept beside the database."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from runtime.config import ConfigError


def secret_key(configured: str, path: Path) -> str:
    """Return `configured` if it is set, else the key in the file at `path`.

    Makes the file, with mode 0600, if it does not exist. Raises ConfigError if the file can't be read or made.
    """
    if configured:
        return configured
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            # The file appears with its whole content: another process may start on the same folder.
            with NamedTemporaryFile("w", dir=path.parent, prefix=".secret-") as file:
                file.write(secrets.token_urlsafe(50))
                file.flush()
                with suppress(FileExistsError):
                    os.link(file.name, path)
        return path.read_text()
    except OSError as error:
        raise ConfigError(f"[Node] DataDir: cannot keep the secret key in {path}: {error.strerror}") from None
