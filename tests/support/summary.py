"""Sets the number of test processes, and prints tables of figures at the end of a run."""

import os

import pytest


@pytest.fixture
def tell(record_property):
    """Return a function that adds a row to the table of figures: a name and a result."""
    return lambda what, result: record_property("figure", (what, result))


def pytest_xdist_auto_num_workers(config):
    """Return the number of test processes: three for two cores, because many tests wait."""
    return os.cpu_count() * 3 // 2


def recorded(terminalreporter, kind):
    """Return the values of a kind that tests have recorded with record_property."""
    reports = terminalreporter.stats.get("passed", []) + terminalreporter.stats.get("failed", [])
    return [value for it in reports for name, value in it.user_properties if name == kind]


def pytest_terminal_summary(terminalreporter):
    """Print the tables of faults and figures."""
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
