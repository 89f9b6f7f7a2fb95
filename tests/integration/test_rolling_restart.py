# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Three nodes, restarted one after the other under clients that never stop: they ignore `Connection: close`, pipeline,
and call a node until it hangs up. Whatever was answered 200 is on the other nodes, and nothing else is.
"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

from tests.clusters import running_cluster, wait
from tests.obstinate import clients, held_by, truth_of, wait_for_calls

ROUNDS = 20


@pytest.mark.slow
@pytest.mark.timeout(1800)  # 20 starts: 3 minutes on an idle machine, and many more where others are at work
def test_what_was_answered_200_is_on_the_others_and_nothing_else_counts(tmp_path: Path) -> None:
    environment = {
        "METADATA_CENTER_HTTP_DRAIN_TIMEOUT": "500ms",  # clients that never stop use all of it
        "METADATA_CENTER_LOAD_REQ_EXPIRE": "1h",
        "METADATA_CENTER_REPLICATION_FLUSH_TIMEOUT": "20s",  # on a machine that has a lot to do
    }
    took: list[float] = []
    with running_cluster(tmp_path, 3, environment=environment) as cluster:
        wait(cluster.connected, "all are connected")
        with clients(cluster, 4) as busy:
            for number in range(ROUNDS):
                place = number % 3
                wait_for_calls(busy, 200)
                began = time.monotonic()
                process = cluster.nodes[place].process
                assert process is not None
                assert process.stop() == 0, "".join(process.output)
                took.append(time.monotonic() - began)
                assert "not acknowledged" not in "".join(process.output)
                cluster.nodes[place].process = None
                cluster.nodes[place].start()
                cluster.wait_ready(place)
                wait(cluster.connected, "all are connected", 120)
        truth = truth_of(busy)
        answers = sum((each.answers for each in busy), Counter[int]())
        cluster.wait_equal()
        held = held_by(cluster)
    lost = [truth.keys() - each.keys() for each in held]
    ghosts = [each.keys() - truth.keys() for each in held]
    print(  # noqa: T201
        f"{ROUNDS} restarts: {dict(answers)}; {len(truth)} requests in flight; lost {[len(each) for each in lost]},"
        f" not answered and counted {[len(each) for each in ghosts]}; a stop took {min(took):.2f} to {max(took):.2f} s"
    )
    assert answers[503] + answers[0] > ROUNDS, "the clients called on while nodes stopped"
    assert answers.keys() <= {200, 503, 0}
    assert lost == ghosts == [set()] * 3
    assert all(each == truth for each in held)
