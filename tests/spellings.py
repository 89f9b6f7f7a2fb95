# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Any spelling of an IP address."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

from hypothesis import strategies as st


@st.composite
def spellings(draw: st.DrawFn, text: str) -> str:
    """Draw a spelling of an address: upper case, leading zeros, zeros written out or not, IPv4 at the end or around."""
    address = ip_address(text)
    if isinstance(address, IPv4Address):
        if draw(st.booleans()):
            return text
        address = IPv6Address(f"::ffff:{text}")
    groups = address.exploded.split(":")
    if not draw(st.booleans()):
        groups = [f"{int(group, 16):x}" for group in groups]
    if draw(st.booleans()):
        groups[-2:] = [str(IPv4Address(int(address) & 0xFFFFFFFF))]
    spelled = ":".join(groups)
    zeros = [
        (start, end)
        for start in range(len(groups))
        for end in range(start + 1, len(groups) + 1)
        if all(group.strip("0") == "" for group in groups[start:end])
    ]
    if zeros and draw(st.booleans()):
        start, end = draw(st.sampled_from(zeros))
        spelled = f"{':'.join(groups[:start])}::{':'.join(groups[end:])}"
    return spelled.upper() if draw(st.booleans()) else spelled
