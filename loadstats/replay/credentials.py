# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What a replay shows the nodes, and whom it trusts. Immutable; the TLS context is made once for all connections."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


class CredentialsFault(ValueError):
    """A file cannot be used. The text names the option and what is wrong."""


@dataclass(frozen=True)
class ReplayCredentials:
    """How the replay's gateways prove who they are.

    `ca`: certificates of the authorities that sign the nodes', a PEM file; None: those that the system trusts.
    `cert`, `cert_key`: a client certificate and its private key, PEM files; None: none is shown.
    `key`: a key with the scopes `read` and `write`; empty: none is sent.
    """

    ca: Path | None = None
    cert: Path | None = None
    cert_key: Path | None = None
    key: str = ""

    @cached_property
    def context(self) -> ssl.SSLContext:
        """The TLS of every connection. Raises CredentialsFault."""
        try:
            context = ssl.create_default_context(cafile=self.ca)
        except OSError as error:
            raise CredentialsFault(f"--ca {self.ca}: {error.strerror or error}") from error
        if self.cert is not None:
            try:
                context.load_cert_chain(self.cert, self.cert_key)
            except OSError as error:
                raise CredentialsFault(f"--cert {self.cert}: {error.strerror or error}") from error
        return context

    @property
    def headers(self) -> dict[str, str]:
        """What is sent with every call."""
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}


def read_key(path: Path) -> str:
    """Return the key in a file: its last word, as `metadata-center keys create` prints it. Raises CredentialsFault."""
    try:
        words = path.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialsFault(f"--key-file {path}: {getattr(error, 'strerror', None) or 'expected a key'}") from error
    if not words:
        raise CredentialsFault(f"--key-file {path}: expected a key, got nothing")
    return words[-1]
