"""How the tests are run, and what the run says at its end."""

import os


def pytest_xdist_auto_num_workers(config):
    """Return how many processes run the tests: three for two cores, for many tests only wait."""
    return os.cpu_count() * 3 // 2


def pytest_terminal_summary(terminalreporter):
    """Print what test_faults.py and test_abuse.py have counted: a row for each fault."""
    reports = terminalreporter.stats.get("passed", []) + terminalreporter.stats.get("failed", [])
    rows = [
        value for report in reports for name, value in report.user_properties if name == "fault"
    ]
    if rows:
        terminalreporter.section("faults under load: requests")
        terminalreporter.line(f"{'':<36}{'sent':>8}{'answered':>10}{'failed':>8}{'slowest':>10}")
        for row in rows:
            terminalreporter.line(
                f"{row['fault']:<36}{row['sent']:>8}{row['answered']:>10}{row['failed']:>8}"
                f"{row['slowest']:>8.2f} s"
            )
