"""The questions and the report in a terminal, and the commands that the report prints."""

import re
import shutil

import pytest
from support.generated import BIN, ROOT, cookiecutter, run, with_shared_venv
from support.terminal import in_terminal, plain

pytestmark = pytest.mark.slow


STEP = """
import time
from bootstrap import step
with step("checks", "check") as line:
    time.sleep(0.5)
    line.result = "done"
"""


def test_questions_fit_into_80_columns(tmp_path, environment):
    """They fit even with the longest slug, and each choice is on its own line."""
    name = "A Site With a Name That Is Longer Than a Folder"
    environment |= {"COOKIECUTTER_SKIP_SETUP": "1", "TERM": "xterm-256color"}

    status, output = in_terminal(
        [BIN / "cookiecutter", ROOT], tmp_path, environment, [name, "", "auto", "2", "1"]
    )

    assert status == 0, output
    questions, *_ = plain(output).replace("\r", "").partition("Rendered only")
    assert [line.lstrip()[:5].strip() for line in questions.splitlines()] == [
        "[1/5]", "[2/5]", "[3/5]",
        "[4/5]", "1 - R", "2 - S", "3 - n", "Choos",
        "[5/5]", "1 - D", "2 - a", "Choos",
    ]  # fmt: skip
    assert max(map(len, questions.splitlines()[1:])) <= 80
    project = tmp_path / "a-site-with-a-name-that-is-lon"
    assert "sentry-sdk" in (project / "pyproject.toml").read_text()


def test_report_lists_steps_and_next_commands(site):
    lines = site().report.splitlines()
    steps = [line.split()[0] for line in lines if line.startswith("  ") and line.endswith(" s")]
    assert "Verified. Next, run one line at a time:" in lines, site().report
    last = lines[lines.index("Verified. Next, run one line at a time:") + 1 :]

    assert [step for step in steps if step != "version"] == [
        "uv", "Python", "packages", ".env", "checks", "database", "dev", "git",
    ]  # fmt: skip
    assert len({len(line) for line in lines if line.endswith(" s")}) == 1, "not aligned"
    assert [line.strip() for line in last if line] == [
        "cd my-site",
        "source .venv/bin/activate",
        "python manage.py createsuperuser",
        "python manage.py runserver",
        "Then open http://127.0.0.1:8000/",
        'To deploy: README.md, "Deploy it"',
    ]
    assert "NOT VERIFIED" not in site().report and "\033" not in site().report


def test_progress_is_shown_in_a_terminal(site, make_copy, environment):
    """A step's line shows its progress, then its result and its seconds."""
    own = make_copy(site())
    environment |= {"TERM": "xterm-256color"}

    status, output = in_terminal([BIN / "python", "bootstrap.py"], own.path, environment)

    assert status == 0, output
    assert "\033[32mVerified.\033[0m" in output
    steps = {}
    for line in plain(output).split("\n"):
        name, *words = re.split(r" *\r *", line.strip())
        steps[name] = [word.partition(" ")[2].strip() for word in words]
    packages = r"\d+ locked in uv.lock, installed in .venv +\d+\.\d s"
    assert re.fullmatch(packages, steps["packages"][-1])
    assert steps["checks"][0].startswith("check --deploy, as in production")
    assert len(steps["checks"]) > 1
    assert steps["checks"][-1].startswith("check --deploy: no issues (0 silenced)")


@pytest.mark.parametrize(
    ("variables", "columns", "is_drawn", "is_coloured"),
    [
        ({}, 80, True, True),
        ({"NO_COLOR": "1"}, 80, True, False),
        ({"TERM": "dumb"}, 80, False, False),
        ({}, 72, False, False),
    ],
)
def test_colours_and_progress_depend_on_the_terminal(
    render, environment, variables, columns, is_drawn, is_coloured
):
    """NO_COLOR disables colours; a dumb or narrow terminal has neither."""
    folder = render().project_path
    environment |= {"TERM": "xterm-256color"} | variables

    status, output = in_terminal([BIN / "python", "-c", STEP], folder, environment, (), columns)

    assert status == 0 and plain(output).endswith(" s\r\n") and "done" in output, output
    assert ("\r  checks" in output) == is_drawn
    assert ("\033" in output) == is_coloured


INTERRUPTED = """
import threading
import bootstrap
start = threading.Thread.start
def interrupted(thread):
    start(thread)
    raise KeyboardInterrupt
threading.Thread.start = interrupted
with bootstrap.step("checks"):
    pass
"""


def test_interrupt_stops_the_progress_display(render, environment):
    """The interrupt is raised as soon as the thread of the display has started."""
    folder = render().project_path
    environment |= {"TERM": "xterm-256color"}

    status, output = in_terminal([BIN / "python", "-c", INTERRUPTED], folder, environment)

    assert status != 0 and "KeyboardInterrupt" in output
    assert "interrupted" in plain(output).partition("Traceback")[0]


@pytest.mark.parametrize("shell", ["bash", "dash", "sh", "fish", "tcsh", "zsh"])
def test_commands_in_the_report_work_in_the_shell(site, environment, tmp_path, shell):
    program = shutil.which(shell)
    if not program:
        pytest.skip(f"{shell} is not installed")
    code = "import bootstrap; bootstrap.set_up = lambda: None; bootstrap.main('..')"
    report = site().run(BIN / "python", "-c", code, env=environment | {"SHELL": program}).stdout
    enter, activate, *_ = re.findall(r"^  (.+)$", report, re.MULTILINE)
    show = "python -c 'import sys; print(sys.prefix)'"

    typed = run([program, "-c", f"{enter}; {activate}; {show}"], site().path.parent, environment)

    assert typed.stdout.strip() == str(site().path / ".venv"), typed.out


def test_report_in_a_terminal_that_supports_only_ascii(
    site, make_broken_template, tmp_path, environment
):
    template = make_broken_template(bootstrap=with_shared_venv(site()))
    environment |= {"PYTHONIOENCODING": "ascii"}
    name = "Café 🎈"
    command = [BIN / "cookiecutter", template, "--no-input", "--output-dir", tmp_path / "cafés 🎈"]

    generated = run([*command, f"project_name={name}"], tmp_path, environment)
    rejected = cookiecutter(tmp_path / "no", environment, f"project_name={name}", "workers=0")

    assert generated.returncode == 0 and "\nVerified" in generated.stdout, generated.out
    assert "\n  cd 'caf?s ?/caf" in generated.stdout
    assert "workers is neither" in rejected.stdout and "UnicodeEncodeError" not in rejected.out
