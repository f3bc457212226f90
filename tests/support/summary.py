"""How the tests are run, and what the run says at its end."""

import os

import pytest


@pytest.fixture
def tell(record_property):
    """Return a function that adds a row to the table of figures: what was measured, and the result."""
    return lambda what, result: record_property("figure", (what, result))


def pytest_xdist_auto_num_workers(config):
    """Return how many processes run the tests: three for two cores, for many tests only wait."""
    return os.cpu_count() * 3 // 2


def recorded(terminalreporter, kind):
    """Return what tests have recorded of a kind, by record_property."""
    reports = terminalreporter.stats.get("passed", []) + terminalreporter.stats.get("failed", [])
    return [value for it in reports for name, value in it.user_properties if name == kind]


def pytest_terminal_summary(terminalreporter):
    """Print what tests have counted: a row for each fault, and for each figure."""
    if rows := recorded(terminalreporter, "fault"):
        terminalreporter.section("faults under load: requests")
        terminalreporter.line(f"{'':<36}{'sent':>8}{'answered':>10}{'failed':>8}{'slowest':>10}")
        for row in rows:
            terminalreporter.line(
                f"{row['fault']:<36}{row['sent']:>8}{row['answered']:>10}{row['failed']:>8}"
                f"{row['slowest']:>8.2f} s"
            )
    if rows := recorded(terminalreporter, "figure"):
        terminalreporter.section("figures")
        for what, result in sorted(rows):
            terminalreporter.line(f"{what:<44}{result}")
