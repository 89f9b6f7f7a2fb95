# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""TLS: certificates and keys from files, taken anew when the files change."""

from runtime.tls.certificate import CertificateFault, names
from runtime.tls.contexts import load_authorities, load_pair, may_be_shown, peer_context, server_context
from runtime.tls.renewed import Made, Renewed
from runtime.tls.watch import TlsWatch

__all__ = [
    "CertificateFault",
    "Made",
    "Renewed",
    "TlsWatch",
    "load_authorities",
    "load_pair",
    "may_be_shown",
    "names",
    "peer_context",
    "server_context",
]
