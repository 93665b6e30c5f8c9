"""`PYTHONPATH=tests python -m pytest -p processor_time`: the tests that take most of the processor's time."""

import os
from typing import Any

import pytest

SHOWN = 20
NAME = "processor time"
_start = pytest.StashKey[float]()
_found: list[tuple[float, str]] = []


def _used() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Any:
    """Starts the count, before fixtures are made; processes that a test waits for are in it."""
    item.stash[_start] = _used()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Any:
    """Hands what was used to the report, which also comes from other processes of pytest."""
    result = yield
    item.user_properties.append((NAME, _used() - item.stash[_start]))
    return result


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Collects them."""
    _found.extend((float(str(value)), report.nodeid) for name, value in report.user_properties if name == NAME)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the sum and the largest."""
    terminalreporter.section(f"{NAME}: {sum(seconds for seconds, _ in _found):.0f} s")
    for seconds, test in sorted(_found, reverse=True)[:SHOWN]:
        terminalreporter.line(f"{seconds:8.2f} s  {test}")
