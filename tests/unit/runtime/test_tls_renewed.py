# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Contexts follow their files, and only to what is whole."""

from __future__ import annotations

import logging
import os
import ssl
from functools import partial
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from runtime.tls import CertificateFault, Renewed, names, peer_context, server_context
from tests.certificates import Authority, certificate


class Files:
    """A pair in use, and the context made of it."""

    def __init__(self, folder: Path) -> None:
        self._authority = Authority(folder)
        self.cert, self.key = (Path(each) for each in self._authority.certificate("first", file="used"))
        make = partial(server_context, str(self.cert), str(self.key), "", "none")
        self.renewed = Renewed([str(self.cert), str(self.key)], make)

    def other(self, name: str) -> tuple[bytes, bytes]:
        """Another pair, not in use yet."""
        cert, key = self._authority.certificate(name)
        return Path(cert).read_bytes(), Path(key).read_bytes()

    def look(self) -> str:
        """Look until files at rest are taken or not. Returns what is wrong."""
        self.renewed.look()
        self.renewed.look()
        return self.renewed.problem

    def shown(self) -> str:
        """The name in the certificate that a client of the context is shown."""
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname = False
        client.load_verify_locations(self._authority.file)
        ends = [ssl.MemoryBIO(), ssl.MemoryBIO()]
        server_side = self.renewed.context.wrap_bio(ends[0], ends[1], server_side=True)
        client_side = client.wrap_bio(ends[1], ends[0])
        for side in (client_side, server_side, client_side, server_side):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
        found = client_side.getpeercert()
        assert found
        return names(found)[0]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_a_new_pair_is_taken_once_it_is_at_rest(files: Files) -> None:
    before = files.renewed.context
    expired = files.renewed.expires
    cert, key = files.other("second")
    files.cert.write_bytes(cert)
    files.key.write_bytes(key)
    files.renewed.look()
    assert files.renewed.context is before, "it may still be being written"
    files.renewed.look()
    assert files.shown() == "second"
    assert files.renewed.renewals == 1
    assert files.renewed.problem == ""
    assert files.renewed.expires.keys() == expired.keys()
    assert files.look() == ""
    assert files.renewed.renewals == 1, "nothing has changed since"


def test_half_of_a_pair_is_not_taken_and_said_once(files: Files, caplog: pytest.LogCaptureFixture) -> None:
    cert, key = files.other("second")
    files.cert.write_bytes(cert)
    assert files.look() == f"{files.key}: not the key of {files.cert}"
    assert files.look() != ""
    assert files.shown() == "first"
    assert [each.levelno for each in caplog.records] == [logging.ERROR]
    files.key.write_bytes(key)
    assert files.look() == ""
    assert files.shown() == "second"


@pytest.mark.parametrize("length", [0, 40, -40])
@pytest.mark.parametrize("half", ["cert", "key"])
def test_a_file_that_is_cut_off_is_not_taken(files: Files, half: str, length: int) -> None:
    cert, key = files.other("second")
    files.cert.write_bytes(cert if half == "key" else cert[:length])
    files.key.write_bytes(key if half == "cert" else key[:length])
    assert str(getattr(files, half)) in files.look()
    assert files.shown() == "first"


def test_a_chain_that_is_cut_off_behind_the_first_certificate_is_not_taken(files: Files) -> None:
    cert, key = files.other("second")
    files.cert.write_bytes(cert + files.cert.read_bytes()[:-60])
    files.key.write_bytes(key)
    assert files.look() == f"{files.cert}: not whole"


def test_a_file_that_is_gone_is_said_and_its_return_is_well(files: Files) -> None:
    was = files.key.read_bytes()
    files.key.unlink()
    assert files.look() == f"{files.key}: No such file or directory"
    assert files.shown() == "first"
    files.key.write_bytes(was)
    assert files.look() == ""


def test_what_was_never_taken_and_is_undone_is_no_problem_any_more(files: Files) -> None:
    os.rename(files.cert, files.cert.with_suffix(".kept"))
    assert files.look() != ""
    os.rename(files.cert.with_suffix(".kept"), files.cert)
    assert files.look() == ""
    assert files.shown() == "first"


def test_links_are_swapped_as_kubernetes_does_it(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    folders = []
    for name in ("one", "two"):
        cert, key = authority.certificate(name)
        folder = tmp_path / f"..{name}"
        folder.mkdir()
        os.rename(cert, folder / "tls.crt")
        os.rename(key, folder / "tls.key")
        folders.append(folder)
    data = tmp_path / "..data"
    data.symlink_to(folders[0])
    for file in ("tls.crt", "tls.key"):
        (tmp_path / file).symlink_to(f"..data/{file}")
    pair = [str(tmp_path / file) for file in ("tls.crt", "tls.key")]
    renewed = Renewed(pair, partial(server_context, *pair, "", "none"))
    before = renewed.context
    data.with_suffix(".new").symlink_to(folders[1])
    os.rename(data.with_suffix(".new"), data)
    renewed.look()
    renewed.look()
    assert renewed.context is not before
    assert renewed.renewals == 1


def test_files_that_change_while_they_are_read_are_read_again(files: Files) -> None:
    cert, key = files.other("second")

    def make() -> object:
        made = server_context(str(files.cert), str(files.key), "", "none")
        files.key.touch()
        return made

    renewed = Renewed([str(files.cert), str(files.key)], make)  # type: ignore[arg-type]
    before = renewed.context
    files.cert.write_bytes(cert)
    files.key.write_bytes(key)
    renewed.look()
    renewed.look()
    assert renewed.context is before


def test_nothing_older_than_tls_1_2_is_spoken(files: Files, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "own")
    contexts = [files.renewed.context, peer_context(cert, key, "", cert).context]
    for context in contexts:
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
        assert context.options & ssl.OP_NO_RENEGOTIATION


def test_a_certificate_for_servers_alone_is_not_shown_to_peers(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.certificate("server", purposes=(ExtendedKeyUsageOID.SERVER_AUTH,))
    assert "replication" not in peer_context(cert, key, authority.file, cert).expires
    both = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
    cert, key = authority.certificate("both", purposes=both)
    assert "replication" in peer_context(cert, key, authority.file, cert).expires


def test_authorities_that_are_none_are_named(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "own")
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    with pytest.raises(CertificateFault, match=f"{junk}: not a certificate in PEM form"):
        server_context(cert, key, str(junk), "required")
