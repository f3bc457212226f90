"""How the tests are run, and what the run says at its end."""

import os


def pytest_xdist_auto_num_workers(config):
    """Return how many processes run the tests: three for two cores, for many tests only wait."""
    return os.cpu_count() * 3 // 2


def told(terminalreporter, kind):
    """Return what tests have told of a kind, by record_property."""
    reports = terminalreporter.stats.get("passed", []) + terminalreporter.stats.get("failed", [])
    return [value for it in reports for name, value in it.user_properties if name == kind]


def pytest_terminal_summary(terminalreporter):
    """Print what tests have counted: a row for each fault, and for each attack."""
    if rows := told(terminalreporter, "fault"):
        terminalreporter.section("faults under load: requests")
        terminalreporter.line(f"{'':<36}{'sent':>8}{'answered':>10}{'failed':>8}{'slowest':>10}")
        for row in rows:
            terminalreporter.line(
                f"{row['fault']:<36}{row['sent']:>8}{row['answered']:>10}{row['failed']:>8}"
                f"{row['slowest']:>8.2f} s"
            )
    if rows := told(terminalreporter, "attack"):
        terminalreporter.section("attacks")
        for what, came in sorted(rows):
            terminalreporter.line(f"{what:<44}{came}")
