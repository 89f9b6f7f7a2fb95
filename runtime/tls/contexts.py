# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Makes TLS contexts from files: for those who call this node, and for calling other nodes. Reads files, keeps nothing.

TLS 1.2 and 1.3 are spoken, nothing older. A client can't make a connection negotiate anew.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.tls.certificate import CertificateFault, expires_at, may_be_shown_by_clients, read_chain
from runtime.tls.renewed import Made

if TYPE_CHECKING:
    from cryptography import x509

_MODES = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}


def server_context(cert: str, key: str, authorities: str, clients: str) -> Made:
    """Make the context of a listener. Raises CertificateFault or OSError.

    `clients` is "none", "optional" or "required": whether clients show a certificate that the authorities have signed.
    """
    context = _bare(ssl.PROTOCOL_TLS_SERVER)
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    expires = {"http": expires_at(load_pair(context, cert, key))}
    if clients != "none":
        expires["client-ca"] = expires_at(load_authorities(context, authorities))
    context.verify_mode = _MODES[clients]
    return Made(context, expires)


def peer_context(cert: str, key: str, authorities: str, own: str) -> Made:
    """Make the context that peers are called with. Raises CertificateFault or OSError.

    Peers must show a certificate that the authorities have signed. Without authorities it must be this node's `own` or
    one that the system trusts. They are called by address, and addresses come from DNS, so the name in the certificate
    is not compared with the address. `cert` is shown to peers that ask for one, unless it is for servers alone.
    """
    context = _bare(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    expires = {}
    if authorities:
        expires["peer-ca"] = expires_at(load_authorities(context, authorities))
    else:
        context.load_default_certs()
        load_authorities(context, own)
    if may_be_shown(cert):
        expires["replication"] = expires_at(load_pair(context, cert, key))
    return Made(context, expires)


def may_be_shown(cert: str) -> bool:
    """Return whether peers would take the certificate in this file from a client. Raises CertificateFault, OSError."""
    return may_be_shown_by_clients(read_chain(cert, Path(cert).read_bytes())[0])


def load_pair(context: ssl.SSLContext, cert: str, key: str) -> list[x509.Certificate]:
    """Load a certificate with its chain and its key. Returns the chain. Raises CertificateFault or OSError."""
    chain = read_chain(cert, Path(cert).read_bytes())
    Path(key).open("rb").close()  # load_cert_chain does not say which of the two it can't open
    try:
        context.load_cert_chain(cert, key, password="")  # without a password it would ask the terminal for one
    except ssl.SSLError as error:
        mismatch = "MISMATCH" in (error.reason or "")
        text = f"not the key of {cert}" if mismatch else "not a private key in PEM form without a passphrase"
        raise CertificateFault(f"{key}: {text}") from None
    return chain


def load_authorities(context: ssl.SSLContext, file: str) -> list[x509.Certificate]:
    """Load the certificates that others' must be signed by. Raises CertificateFault or OSError."""
    pem = Path(file).read_bytes()
    chain = read_chain(file, pem)
    try:
        context.load_verify_locations(cadata=pem.decode("ascii", "ignore"))
    except ssl.SSLError:
        raise CertificateFault(f"{file}: not a certificate in PEM form") from None
    return chain


def _bare(protocol: int) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    return context
