# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What a replay shows to nodes, and how it says what is wrong with it before the first call."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from loadstats.management.commands.replay import Command
from loadstats.replay.credentials import CredentialsFault, ReplayCredentials, read_key
from tests.certificates import Authority


def test_a_key_is_the_last_word_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("The key is shown this once:\nmc_abc\n")
    assert read_key(file) == "mc_abc"
    assert ReplayCredentials(key="mc_abc").headers == {"Authorization": "Bearer mc_abc"}
    assert ReplayCredentials().headers == {}


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff"])
def test_a_file_without_a_key_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    with pytest.raises(CredentialsFault, match="expected a key"):
        read_key(file)


def test_certificates_are_verified_and_shown(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.certificate("gateway")
    context = ReplayCredentials(Path(authority.file), Path(cert), Path(key)).context
    assert context.check_hostname
    assert [each["subject"] for each in context.get_ca_certs()] == [((("commonName", "authority"),),)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--ca", "absent.crt"], "--ca absent.crt: No such file"),
        (["--cert", "absent.crt"], "--cert absent.crt: No such file"),
        (["--cert-key", "absent.key"], "--cert-key: needs --cert"),
        (["--key-file", "absent.key"], "--key-file absent.key: No such file"),
    ],
)
def test_what_is_wrong_is_said_before_the_first_call(words: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said) as caught:
        call_command(Command(), "--limit", "1", *words)
    assert caught.value.returncode == 2
