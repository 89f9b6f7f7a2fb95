# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What every folder of tests may use."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile

from tests.covered_imports import covered_imports
from tests.worker_shares import shared_out

# Nearly all that is made until the tests are collected stays: to look for garbage in between is in vain.
_young = gc.get_threshold()
gc.set_threshold(100_000)

# Before Django's settings are read: tests keep their files out of the checkout.
_data_dir = tempfile.TemporaryDirectory(prefix="metadata-center-tests-")
os.environ.setdefault("METADATA_CENTER_NODE_DATA_DIR", _data_dir.name)
# Nodes within the tests' own process share that folder, and must not go on from what another test left.
os.environ.setdefault("METADATA_CENTER_NODE_SNAPSHOT", "false")

# A job that a script starts in the background ignores Ctrl-C, and so would every node that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

TESTS = Path(__file__).resolve().parent
SHARED = TESTS.parent.parent / "shared"

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")


# What these run thousands of times is counted when unit tests run it; counting it here takes more than twice the time.
# The client's tests run nothing that is counted.
NOT_COVERED = (
    *(f"tests/{folder}/" for folder in ("property", "simulation", "browser", "contract", "unit/benchmarks")),
    "clients/",
)
# The tests of these start nodes and browsers.
PROCESSES = tuple(f"tests/{folder}/" for folder in ("integration", "browser", "contract"))


def pytest_xdist_auto_num_workers() -> int:
    """Return how many workers `-n auto` starts: one more than there are cores, as tests that start nodes also wait."""
    return 1 + (os.cpu_count() or 1)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Where xdist has workers, end whatever measures coverage before pytest-cov begins to in each of them.

    A worker begins to measure as any process of the tests does, and once more when it reads its options. A pause would
    only hand over to those two. The process that hands out the tests runs nothing of the product.
    """
    coverage = sys.modules.get("coverage")
    several = hasattr(session.config, "workerinput") or session.config.getoption("numprocesses", None)
    while coverage and several and (measuring := coverage.Coverage.current()):
        measuring.stop()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """Let coverage see what the product's modules do while they are loaded, and nothing else of the collection."""
    coverage = sys.modules.get("coverage")
    measuring = coverage.Coverage.current() if coverage else None
    packages = measuring.get_option("run:source") if measuring else None
    with covered_imports(frozenset(packages or ())):
        return (yield)


@pytest.hookimpl(trylast=True)  # when their order is random, and those that are not asked for are gone
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let coverage pause while such tests run, and those that try made-up examples of what others count.

    Where there are several workers, each begins with what takes long.
    """
    for item in items:
        if item.nodeid.startswith(NOT_COVERED) or is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker(pytest.mark.no_cover)
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    if workers > 1:
        items[:] = shared_out([list(tests) for _, tests in groupby(items, lambda item: item.path)], workers, _seconds)


def _seconds(tests: Sequence[pytest.Item]) -> float:
    """Return how long a test of a file may take, if it starts processes or takes more than most; else 0."""
    limits = [mark.args[0] for item in tests for mark in item.iter_markers("timeout")]
    return max(limits, default=1.0 if tests[0].nodeid.startswith(PROCESSES) else 0.0)


def pytest_collection_finish() -> None:
    """Keep garbage collections away from what stays to the end: all modules, and tests by the thousand."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_young)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a test that skips has not been run, and that is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def django_db_modify_db_settings_xdist_suffix() -> None:
    """Leave the databases' names alone: a test's is in the memory of its own process."""


@pytest.fixture(scope="session", autouse=True)
def _static_files() -> Iterator[None]:
    """Look for static files once: WhiteNoise does for each `Client`, which takes longer than most requests."""
    find, found = WhiteNoiseMiddleware.add_files_from_finders, dict[str, StaticFile]()

    def find_once(middleware: WhiteNoiseMiddleware) -> None:
        if not found:
            find(middleware)
            found.update(middleware.files)
        middleware.files.update(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", find_once)
        yield


@pytest.fixture(autouse=True)
def _log_levels() -> Iterator[None]:
    """Put every logger's level back: what a test's log holds must not depend on the tests before it."""
    loggers = [
        logging.root,
        *(each for each in logging.root.manager.loggerDict.values() if isinstance(each, logging.Logger)),
    ]
    levels = [(each, each.level) for each in loggers]
    yield
    known = {each for each, _ in levels}
    for each, level in levels:
        if each.level != level:
            each.setLevel(level)
    for each in list(logging.root.manager.loggerDict.values()):
        if isinstance(each, logging.Logger) and each not in known and each.level:
            each.setLevel(logging.NOTSET)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real traces and contract cases beside the checkout, where there is one."""
    if not SHARED.is_dir():
        pytest.skip("needs ../shared, which is not part of the project")
    return SHARED
