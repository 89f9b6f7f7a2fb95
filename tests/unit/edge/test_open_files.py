# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""In processes of their own: what is tested is the process's."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.nodes import ROOT, inherited_environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it reads what Linux says of a process")

STEPS = """
import os
import resource
import sys
from pathlib import Path

from edge.open_files import enlarge_file_table, raise_file_limit

hard = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (hard // 2, hard))


def size():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("FDSize:"))


raise_file_limit()
before = len(os.listdir("/proc/self/fd"))
enlarge_file_table()
found = [resource.getrlimit(resource.RLIMIT_NOFILE)[0], len(os.listdir("/proc/self/fd")) - before, size()]
opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(hard - before - 10)]
print(*found, size())
"""


@pytest.mark.parametrize("most", [64, 1000])
def test_the_table_of_files_has_room_for_all_that_may_be_open(most: int) -> None:
    command = [sys.executable, "-c", STEPS, str(most)]
    environment = inherited_environment(covered=False)
    output = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    limit, left_open, size, later = map(int, output.split())
    assert limit == most
    assert left_open == 0
    assert later == size >= most
