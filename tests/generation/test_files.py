"""What is generated: the set of files, and what may stand in them."""

import ast
import re

import pytest
from support.generated import BIN, COMBINATIONS, ROOT, TEMPLATE, files_with, run, variables


def texts(folder):
    """Yield the path and the text of each file below `folder`."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8")


@pytest.fixture(params=COMBINATIONS, ids="-".join)
def project(request, render):
    """Return the folder of a rendered project, one for each combination of tracker and hsts."""
    error_tracker, hsts = request.param
    return render(error_tracker=error_tracker, hsts=hsts).project_path


@pytest.mark.parametrize(("error_tracker", "hsts"), COMBINATIONS)
def test_exactly_these_files(render, error_tracker, hsts):
    project = render(error_tracker=error_tracker, hsts=hsts).project_path

    assert {path for path, _ in texts(project)} == files_with(error_tracker)


def test_nothing_is_left_of_the_template(project):
    for path, text in texts(project):
        assert "cookiecutter." not in text, path
        if not path.endswith(".html"):
            assert "{%" not in text.replace("{% csp_nonce_attr %}", ""), path
        assert not re.search(r"[ \t]$", text, re.MULTILINE), f"{path}: trailing space"
        assert "\n\n\n\n" not in text, f"{path}: a run of blank lines"
        assert not text or text.endswith("\n") and not text.endswith("\n\n"), f"{path}: its end"


def test_formatter_and_linter_leave_no_diff(project):
    assert run([BIN / "ruff", "format", "--check", "."], project).returncode == 0
    assert run([BIN / "ruff", "check", "."], project).returncode == 0


@pytest.mark.parametrize("hsts", ["django", "proxy"])
def test_no_trace_of_the_trackers_that_were_not_chosen(render, hsts):
    for chosen in ("rollbar", "sentry", "none"):
        project = render(error_tracker=chosen, hsts=hsts).project_path
        for other in {"rollbar", "sentry"} - {chosen}:
            assert not [path for path, text in texts(project) if other in text.lower()]


@pytest.mark.parametrize(("hsts", "count"), [("django", "1"), ("proxy", "0")])
def test_readme_and_settings_have_the_same_number_of_proxies(render, hsts, count):
    files = dict(texts(render(hsts=hsts).project_path))
    row = next(it for it in files["README.md"].splitlines() if it.startswith("| `PROXY_COUNT`"))

    assert re.match(rf"{count}\b", row.split(" | ")[-1])
    assert ("not known" in row) == (hsts == "proxy")
    assert f'"PROXY_COUNT", default={count})' in files["project/settings.py"]


def test_no_secret_and_nothing_random(render):
    first, second = (dict(texts(render().project_path)) for _ in range(2))

    assert first == second
    assert ".env" not in first


def test_rollbar_settings_begin_as_in_the_chapter(render):
    settings = (render().project_path / "project" / "settings.py").read_text()
    keys = re.findall(r'^    "(\w+)":', settings.partition("ROLLBAR = {")[2], re.MULTILINE)

    assert keys[:5] == ["enabled", "access_token", "environment", "branch", "root"]


@pytest.mark.parametrize(("hsts", "silenced"), [("django", []), ("proxy", ["security.W004"])])
def test_each_silenced_check_has_its_reason_above_it(render, hsts, silenced):
    settings = (render(hsts=hsts).project_path / "project" / "settings.py").read_text()
    body = re.search(r"^SILENCED_SYSTEM_CHECKS = \[(.*?)\]", settings, re.MULTILINE | re.DOTALL)[1]

    assert re.findall(r'"(.+)",', body) == silenced
    assert len(re.findall(r'# .+\n    ".+",', body)) == len(silenced)


@pytest.mark.parametrize("error_tracker", ["rollbar", "sentry", "none"])
def test_readme_has_a_row_for_each_variable(render, error_tracker):
    project = render(error_tracker=error_tracker).project_path
    rows = re.findall(r"^\| `([A-Z_]+)`", (project / "README.md").read_text(), re.MULTILINE)

    assert set(rows) == set(variables(project / ".env.example"))
    assert len(rows) == len(set(rows))


def test_readme_says_what_other_tutorials_call_otherwise(render):
    readme = (render().project_path / "README.md").read_text()

    assert "`uv add name` (where a tutorial says `pip install name`)" in readme
    assert re.search(r"websockets \(channels\).+gunicorn answers them with 404.+servers.md", readme)
    servers = (ROOT / "docs" / "servers.md").read_text()
    assert re.search("Websockets.+channels.+Uvicorn, Daphne or Hypercorn", servers)


def test_readme_puts_it_live_with_six_commands(render):
    readme = (render().project_path / "README.md").read_text()
    block = re.search(r"## Deploy it.*?```\n(.*?)```", readme, re.DOTALL)[1].splitlines()

    assert len(block) == 6
    assert [line.split()[1] for line in block] == [
        "create", "addons:create", "config:set", "push", "run", "open",
    ]  # fmt: skip


def test_the_budget_of_jinja():
    """At most two tags in a hundred lines; in Python, none but in settings.py."""
    lines, tags = 0, 0
    for path, text in texts(TEMPLATE):
        lines += text.count("\n")
        if not path.endswith(
            (".html", ".yml")
        ):  # not rendered: their tags are Django's and GitHub's
            tags += len(re.findall(r"\{\{|\{%", text))
        if path.endswith(".py") and path != "project/settings.py":
            assert "{%" not in text and "{{" not in text, path
    settings = (TEMPLATE / "project" / "settings.py").read_text()
    assert settings.count("{%") <= 8
    print(f"{tags} Jinja tags in {lines} lines: {100 * tags / lines:.1f} per 100")
    assert tags / lines <= 0.02


def test_the_budget_of_size(project):
    """The goal is 54 files and 2,250 lines. These limits are only ever lowered."""
    assert len(files_with("rollbar")) <= 57
    assert sum(text.count("\n") for _, text in texts(project)) <= 2840


def test_versions_of_the_project_and_its_hook_agree():
    hook = (TEMPLATE / "bootstrap.py").read_text()
    workflow = (TEMPLATE / ".github" / "workflows" / "ci.yml").read_text()

    assert 'PYTHONS = ["3.15", "3.14", "3.13", "3.12"]' in hook
    assert "UV_PYTHON" not in workflow and "setup-python" not in workflow  # .python-version says it
    assert (TEMPLATE / ".python-version").read_text() == "3.14\n"
    assert 'requires-python = ">=3.12"' in (TEMPLATE / "pyproject.toml").read_text()


def test_workflows_hand_out_no_rights(project):
    """Actions by their hash, no token left in the clone; by zizmor, which asks nobody."""
    for folder in (ROOT, project):
        files = sorted(folder.glob(".github/**/*.yml"))
        checked = run([BIN / "zizmor", "--offline", "--quiet", *files], folder)
        assert checked.returncode == 0, checked.out


def test_actions_of_both_workflows_are_of_one_version():
    """Dependabot raises those of this repository; raise the template's with them."""
    named = {}
    for folder in (ROOT, TEMPLATE):
        for file in folder.glob(".github/workflows/*.yml"):
            for action, version in re.findall(r"uses: (\S+)@(\w{40} # v\S+)\n", file.read_text()):
                named.setdefault(action, set()).add(version)

    assert {"actions/checkout", "astral-sh/setup-uv", "actions/setup-python"} == named.keys()
    assert all(len(versions) == 1 for versions in named.values()), named


def test_hooks_and_bootstrap_are_python_3_10(project):
    """cookiecutter's own interpreter runs them, and it may be that old."""
    for path in [*ROOT.glob("hooks/*.py"), project / "bootstrap.py"]:
        ast.parse(path.read_text(), feature_version=(3, 10))


def test_every_python_file_but_the_settings_lints_before_it_is_rendered():
    assert run([BIN / "ruff", "check", "--config", "pyproject.toml"], ROOT).returncode == 0
