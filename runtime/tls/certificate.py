# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What is read from certificates: whether a file of them is whole, until when they are good, whom they name. Pure.

The library that reads them is loaded with the first one: a node without TLS needs none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryptography import x509

_BEGIN, _END = b"-----BEGIN ", b"-----END "


class CertificateFault(Exception):
    """A file is no certificate or key that can be used. The text names the file and says what is wrong."""


def read_chain(file: str, pem: bytes) -> list[x509.Certificate]:
    """Return the certificates of a PEM file, at least one.

    Raises CertificateFault if there is none, or if one is not whole, as in a file that is being written.
    """
    if pem.count(_BEGIN) != pem.count(_END):
        raise CertificateFault(f"{file}: not whole")
    from cryptography import x509  # noqa: PLC0415

    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise CertificateFault(f"{file}: not a certificate in PEM form") from None


def expires_at(chain: list[x509.Certificate]) -> float:
    """Return when the first of the certificates expires, in seconds since 1970."""
    return min(each.not_valid_after_utc.timestamp() for each in chain)


def may_be_shown_by_clients(certificate: x509.Certificate) -> bool:
    """Return whether servers accept this certificate from a client: its purpose says so, or it names none."""
    from cryptography import x509  # noqa: PLC0415
    from cryptography.x509.oid import ExtendedKeyUsageOID  # noqa: PLC0415

    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return ExtendedKeyUsageOID.CLIENT_AUTH in usage or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usage


def names(peercert: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names in a verified certificate, as `getpeercert` gives it: the common name, then the alternative
    names, each once."""
    subject = [value for part in peercert.get("subject", ()) for key, value in part if key == "commonName"]
    others = [value for kind, value in peercert.get("subjectAltName", ()) if kind in {"DNS", "URI", "IP Address"}]
    return tuple(dict.fromkeys([*subject, *others]))
