# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Which doors are open to whom, in words, for the start-up log and `/readyz`. Pure."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from runtime.config import Config

EVERYBODY = "everybody"
SIGNED_IN = "people who are signed in"


class OpenDoor(Struct, frozen=True):
    """A door, and who may come in."""

    door: Annotated[str, Meta(description="a scope, or `profiling` or `status`", examples=["operate"])]
    open_to: Annotated[list[str], Meta(examples=[["this machine, unless a proxy passes the call on"]])]


def open_doors(config: Config) -> list[OpenDoor]:
    """Return the doors that a configuration opens."""
    auth = config.auth
    strangers: list[str] = []
    if auth.trust_loopback and not auth.required:
        strangers.append("this machine, unless a proxy passes the call on")
    local = list(strangers)
    if not auth.required:
        strangers += auth.operate_from
    peers = ["the addresses of peers", *local] if not auth.required else []
    if config.replication.secret:
        peers.append("callers with the secret of the nodes")
    reads, writes = ([_keys("read"), SIGNED_IN], [_keys("write"), f"{SIGNED_IN} and have the permission"])
    doors = [
        OpenDoor("status", [EVERYBODY]),
        OpenDoor("read", reads if auth.required else [EVERYBODY]),
        OpenDoor("write", writes if auth.required else [EVERYBODY]),
        OpenDoor("operate", [*strangers, _keys("operate"), f"{SIGNED_IN} and have the permission"]),
        OpenDoor("replicate", [*peers, _keys("replicate")]),
    ]
    if config.pprof.enable:
        doors.append(OpenDoor("profiling", [*strangers, _keys("operate")]))
    return doors


def _keys(scope: str) -> str:
    return f"keys with the scope {scope}"
