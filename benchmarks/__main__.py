"""Compares a generated site with plain startproject, in one run: make benchmark

The two sites are measured alternately, so that a change in the machine's speed affects both. The
tables have medians, and the median of the ratios. CPU is the CPU time that the kernel reports.
Responses in a second also depend on other load on the machine. The tables go into
docs/benchmarks.md.
"""

import os
import shutil
import sys
import tempfile
from datetime import date
from pathlib import Path

import figures
import growth
from sites import WHITENOISE, generated, plain
from support.generated import forget_other_sites, unused_port
from support.postgres import Postgres

DOCS = Path(__file__).resolve().parent.parent / "docs"


def table(title, columns, rows):
    """Print each row of a table when it is measured; return the table as Markdown."""
    print(f"\n{title}: {' | '.join(columns)}", flush=True)
    lines = [f"## {title}", "", f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    for row in rows:
        cells = [f"{cell:.0f}" if isinstance(cell, float) else str(cell) for cell in row]
        print("  " + " | ".join(cells), flush=True)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def main():
    forget_other_sites()
    folder = Path(tempfile.mkdtemp(prefix="benchmark-"))
    postgres = Postgres(unused_port())
    try:
        ours = generated(folder / "ours", postgres, "rollbar")
        none = generated(folder / "none", postgres, "none")
        base = plain(folder / "plain", ours.python, postgres)
        static = plain(folder / "static", ours.python, postgres, WHITENOISE)
        tables = [
            table(
                "Generation", figures.GENERATION, figures.generation(folder, ours.python.resolve())
            ),
            table("Requests", figures.REQUESTS, figures.requests(base, static, ours, none)),
            table("Waiting", figures.WAITING, figures.waiting(base, ours)),
            table("Start and memory", figures.START, figures.start(base, ours, none)),
            table("Where the start goes", figures.IMPORTS, figures.imports(base, ours)),
            table("Two workers", figures.BALANCE, figures.balance(ours)),
        ]
        memories = growth.memories(base, ours)
        connections = growth.connections(ours, postgres)
        responses = growth.responses(ours)
        tables += [
            table("Memory, after load", growth.MEMORY, memories),
            table("Database connections", growth.CONNECTIONS, connections),
            table("Dynos", growth.RESPONSES, responses),
        ]
        growth.plot(memories, connections, responses, DOCS / "growth.svg")
    finally:
        postgres.remove()
        shutil.rmtree(folder)
    text = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    introduction = text[: text.index("<!-- measured -->")]
    day, client = f"{date.today():%d %B %Y}", "wrk" if figures.WRK else "benchmarks/client.py"
    measured = f"<!-- measured -->\n\nMeasured on {day}: {os.cpu_count()} cores, {client}.\n\n"
    (DOCS / "benchmarks.md").write_text(introduction + measured + "\n".join(tables))


if __name__ == "__main__":
    sys.exit(main())
