# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The names that a node may be called by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.hosts import HostRule

FINE = [
    "10.0.0.7",
    "10.0.0.7:8080",
    "127.0.0.1",
    "127.1",
    "[::1]",
    "[::1]:8080",
    "[fd00::7]:80",
    "[FE80::1%25eth0]:8080",
    "[fe80::1%eth0]",
    "[::ffff:10.0.0.7]:8080",
    "localhost",
    "LOCALHOST:8080",
    "localhost.",
    "metadata-center",
    "metadata-center:8080",
    "gate_way",
    "metadata-center.default.svc:8080",
    "metadata-center.default.svc.cluster.local",
    "Metadata-Center.Default.SVC",
    "meta.default.svc.cluster.local.:8080",
    "box.local",
    "meta.internal",
    "meta.corp.internal.:80",
]
PUBLIC = [
    "evil.example",
    "evil.example:8080",
    "EVIL.EXAMPLE",
    "evil.example.",
    "svc.evil.example",
    "x.svc.evil.example",
    "local.evil.example",
    "meta.internal.evil.example",
    "10.0.0.7.evil.example",
    "10.0.0.7.nip.io",
    "evilsvc.example",
    "notlocal.com",
    "x.xsvc",
    "user@10.0.0.7",
    "10.0.0.7@evil.example",
    "[::1",
    "::1",
    "[::1]x",
    "[::1]:x",
    "[nonsense]",
    "[::1].evil.example",
    "10.0.0.7:80:80",
    "evil.example#.local",
    "evil.example/.local",
    "evil.example\\.local",
    "evil.example?.internal",
    "a..local",
    ".local",
    "-evil.local",
    "1.2.3.4.5",
]


@pytest.mark.parametrize("host", FINE)
def test_names_that_no_public_dns_gives_are_fine(host: str) -> None:
    assert HostRule().permits(host.encode())


@pytest.mark.parametrize("host", [*PUBLIC, "evil.example\xe9", "l\u212ac\xe4l.local", "a b.local"])
def test_names_of_the_public_and_broken_ones_are_not(host: str) -> None:
    assert not HostRule().permits(host.encode())


@pytest.mark.parametrize("host", ["node1.corp.example", "NODE1.corp.example:8080", "node1.corp.example."])
def test_the_nodes_own_names_are_fine(host: str) -> None:
    assert HostRule(own=["Node1.Corp.Example"]).permits(host.encode())
    assert not HostRule(own=["node2.corp.example"]).permits(host.encode())


def test_a_setting_allows_a_name_all_names_under_one_or_any() -> None:
    rule = HostRule(allowed=["meta.example.com", ".example.org"])
    assert rule.permits(b"META.example.com:443")
    assert not rule.permits(b"x.meta.example.com")
    assert rule.permits(b"example.org")
    assert rule.permits(b"a.b.example.org.")
    assert not rule.permits(b"evilexample.org")
    assert HostRule(allowed=["*"]).permits(b"evil.example")


LABEL = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)


@given(st.lists(LABEL, min_size=2, max_size=5), st.sampled_from(["", ".", ":80", ".:80"]), st.booleans())
def test_a_dotted_name_is_fine_exactly_if_its_last_label_is_private(labels: list[str], tail: str, upper: bool) -> None:
    host = ".".join(labels) + tail
    fine = labels[-1] in {"svc", "local", "internal"}
    assert HostRule().permits((host.upper() if upper else host).encode()) is fine


@given(st.binary(max_size=60))
def test_any_bytes_are_judged(host: bytes) -> None:
    assert HostRule().permits(host) in {True, False}
