# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Do the tests bite? Breaks the code in one place at a time and counts what the fast tests notice.

    pip install cosmic-ray
    nice python -m tests.mutants edge --most 60

Works on a clone of what is committed, so the checkout stays as it is. A mutant takes about ten seconds; `--most` draws
a sample, the same one for the same `--seed`. Prints the diff of every mutant that survived, then the score.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS = {
    "edge": "tests/unit/edge",
    "loadstats/ledger": "tests/unit/loadstats tests/property/test_ledger_machine.py --ignore-glob=*replay*",
    "replication": "tests/unit/replication",
}


def is_useful(operator: str) -> bool:
    """Whether the mutation means something here: annotations are text, decorators are Django's."""
    if "Decorator" in operator:
        return False
    return "BinaryOperator" not in operator or operator.endswith(("_Add_Sub", "_Sub_Add", "_Mul_Div"))


def draw(session: Path, most: int, seed: int) -> int:
    """Leave `most` of the session's mutants. Returns how many there are."""
    with closing(sqlite3.connect(session)) as base, base:
        order = "module_path, start_pos_row, start_pos_col, operator_name, operator_args, occurrence"
        found = base.execute(f"SELECT job_id, operator_name FROM mutation_specs ORDER BY {order}").fetchall()
        useful = [job for job, operator in found if is_useful(operator)]
        chosen = set(random.Random(seed).sample(useful, min(most, len(useful))))
        others = [(job,) for job, _ in found if job not in chosen]
        base.executemany("DELETE FROM mutation_specs WHERE job_id = ?", others)
        base.executemany("DELETE FROM work_items WHERE job_id = ?", others)
    return len(chosen)


def report(session: Path) -> str:
    """The survivors' diffs and the score."""
    with closing(sqlite3.connect(session)) as base:
        results = base.execute("SELECT test_outcome, diff FROM work_results").fetchall()
    survived = [diff for outcome, diff in results if outcome == "SURVIVED"]
    return "\n\n".join([*survived, f"{len(results) - len(survived)} of {len(results)} mutants were noticed"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", choices=TESTS)
    parser.add_argument("--most", type=int, default=60, help="mutants to draw (default: 60)")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="metadata-center-mutants-") as folder:
        clone, session, settings = Path(folder, "clone"), Path(folder, "session.sqlite"), Path(folder, "mutants.toml")
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        test = f"{sys.executable} -m pytest -q -x -p no:randomly -p no:cacheprovider {TESTS[asked.folder]}"
        settings.write_text(
            f'[cosmic-ray]\nmodule-path = "{asked.folder}"\ntimeout = 300.0\nexcluded-modules = []\n'
            f'test-command = "{test}"\n[cosmic-ray.distributor]\nname = "local"\n'
        )
        subprocess.run(test.split(), cwd=clone, check=True)  # unbroken, all must pass
        command = [sys.executable, "-m", "cosmic_ray.cli"]
        subprocess.run([*command, "init", settings, session], cwd=clone, check=True)
        print(f"{draw(session, asked.most, asked.seed)} mutants", flush=True)  # noqa: T201
        subprocess.run([*command, "exec", settings, session], cwd=clone, check=True)
        print(report(session))  # noqa: T201


if __name__ == "__main__":
    main()
