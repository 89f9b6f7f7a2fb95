# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What `/readyz` says of the doors is what the doors do."""

from __future__ import annotations

from itertools import product

import pytest

from edge.caller import Scope
from edge.doors import Doors
from edge.open_doors import EVERYBODY, open_doors
from runtime.config.schema import AuthSettings, Config, PProfSettings

NETWORK = "10.0.0.0/8"


@pytest.mark.parametrize(
    ("required", "trust", "networks"), list(product([False, True], [False, True], [(), (NETWORK,)]))
)
def test_what_is_said_is_what_is_done(required: bool, trust: bool, networks: tuple[str, ...]) -> None:
    auth = AuthSettings(required=required, trust_loopback=trust, operate_from=networks)
    doors = Doors(required=required, trust_loopback=trust, operate_from=networks)
    said = {each.door: each.open_to for each in open_doors(Config(auth=auth))}
    assert said["status"] == [EVERYBODY]
    for scope in (Scope.READ, Scope.WRITE, Scope.OPERATE):
        assert (EVERYBODY in said[scope]) is doors.stranger_may(scope, {}, "203.0.113.9")
        local = EVERYBODY in said[scope] or any(each.startswith("this machine") for each in said[scope])
        assert local is doors.stranger_may(scope, {}, "127.0.0.1")
        near = EVERYBODY in said[scope] or NETWORK in said[scope]
        assert near is doors.stranger_may(scope, {}, "10.1.2.3")
        assert f"keys with the scope {scope}" in said[scope] or not required
    assert set(said["profiling"]) < set(said["operate"])


def test_a_port_that_is_off_has_no_door() -> None:
    said = open_doors(Config(pprof=PProfSettings(enable=False)))
    assert "profiling" not in {each.door for each in said}
