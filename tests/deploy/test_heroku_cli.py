"""Heroku's command-line tool, which must parse every command of the docs and run the web line."""

import json
import os
import re
import shlex
import subprocess

import pytest
from support.client import Client
from support.generated import ROOT, TEMPLATE, run
from support.npm import installed, needs_npm

pytestmark = [pytest.mark.slow, pytest.mark.exotic, needs_npm]

PAGES = [ROOT / "README.md", TEMPLATE / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# In a code block, at the start of a line or after another command; in a sentence, in backticks.
COMMAND = re.compile(r"(?:^[ ]*|`|&& |\$\()(heroku [a-z][a-z:]*[^`\n]*)", re.MULTILINE)


@pytest.fixture(scope="session")
def heroku():
    """Return the folder of the npm package, installed once."""
    return installed("heroku", "11.10.0")


def commands(path):
    """Yield the words of each heroku command of a page."""
    text = path.read_text(encoding="utf-8").replace("{{ cookiecutter.project_slug }}", "my-site")
    for found in COMMAND.findall(text):
        command = re.sub(r"\$\(.+\)", "value", found).split(")")[0]
        yield shlex.split(command.split(" && ")[0].split(" | ")[0])[1:]


def parse(heroku, lines):
    """Return an error message for each command, which is empty if the command is valid."""
    script = ["node", ROOT / "tests" / "support" / "parse_heroku.mjs", heroku]
    done = subprocess.run(
        [str(word) for word in script],
        input="".join(json.dumps(words) + "\n" for words in lines),
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(heroku.parent.parent),
            "HEROKU_APP": "my-site",
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_heroku_has_every_command_and_flag_of_the_docs(heroku, tell):
    lines = [words for path in PAGES for words in commands(path)]

    problems = parse(heroku, lines)

    assert len(problems) == len(lines) > 50
    wrong = [(words, it) for words, it in zip(lines, problems, strict=True) if it]
    assert wrong == []
    tell("commands of heroku that are parsed", len(lines))


def test_unknown_flags_and_commands_are_reported(heroku):
    lines = [["domains:add", "--wrong", "x"], ["ps:nonsense"], ["pg:info"]]
    assert parse(heroku, lines) == ["Nonexistent flag: --wrong", "there is no such command", ""]


def test_heroku_local_runs_the_web_line(heroku, site, make_copy, serve, free_port):
    copy = make_copy(site())
    path = f"{copy.python.parent}:{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(heroku.parent.parent), "DISABLE_TELEMETRY": "true"}
    run([copy.python, "manage.py", "migrate"], copy.path)
    command = ["node", heroku / "bin" / "run", "local", "web", "--port", free_port]
    serve(copy, *command, env=environment, port=free_port)
    status, _, page = Client(free_port, "localhost").get()
    assert status == 200 and "<h1>My Site</h1>" in page
