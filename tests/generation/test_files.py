"""The generated files: their names, their contents and limits on their size."""

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
    """Return a rendered project's folder, for each combination of error tracker and HSTS choice."""
    error_tracker, hsts = request.param
    return render(error_tracker=error_tracker, hsts=hsts).project_path


@pytest.mark.parametrize(("error_tracker", "hsts"), COMBINATIONS)
def test_project_has_exactly_the_listed_files(render, error_tracker, hsts):
    project = render(error_tracker=error_tracker, hsts=hsts).project_path

    assert {path for path, _ in texts(project)} == files_with(error_tracker)


def test_rendered_files_have_no_template_syntax(project):
    for path, text in texts(project):
        assert "cookiecutter." not in text, path
        if not path.endswith(".html"):
            assert "{%" not in text.replace("{% csp_nonce_attr %}", ""), path
        assert not re.search(r"[ \t]$", text, re.MULTILINE), f"{path}: trailing space"
        assert "\n\n\n\n" not in text, f"{path}: three blank lines"
        assert not text or text.endswith("\n") and not text.endswith("\n\n"), (
            f"{path}: no newline or several at the end"
        )


def test_formatter_and_linter_pass(project):
    assert run([BIN / "ruff", "format", "--check", "."], project).returncode == 0
    assert run([BIN / "ruff", "check", "."], project).returncode == 0


@pytest.mark.parametrize("hsts", ["django", "proxy"])
def test_no_file_mentions_another_error_tracker(render, hsts):
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


def test_rendering_is_deterministic_and_creates_no_env_file(render):
    first, second = (dict(texts(render().project_path)) for _ in range(2))

    assert first == second
    assert ".env" not in first


def test_rollbar_settings_begin_as_in_understand_django(render):
    settings = (render().project_path / "project" / "settings.py").read_text()
    keys = re.findall(r'^    "(\w+)":', settings.partition("ROLLBAR = {")[2], re.MULTILINE)

    assert keys[:5] == ["enabled", "access_token", "environment", "branch", "root"]


@pytest.mark.parametrize(("hsts", "silenced"), [("django", []), ("proxy", ["security.W004"])])
def test_each_silenced_check_has_a_comment(render, hsts, silenced):
    settings = (render(hsts=hsts).project_path / "project" / "settings.py").read_text()
    body = re.search(r"^SILENCED_SYSTEM_CHECKS = \[(.*?)\]", settings, re.MULTILINE | re.DOTALL)[1]

    assert re.findall(r'"(.+)",', body) == silenced
    assert len(re.findall(r'# .+\n    ".+",', body)) == len(silenced)


@pytest.mark.parametrize("error_tracker", ["rollbar", "sentry", "none"])
def test_readme_has_a_row_for_each_environment_variable(render, error_tracker):
    project = render(error_tracker=error_tracker).project_path
    rows = re.findall(r"^\| `([A-Z_]+)`", (project / "README.md").read_text(), re.MULTILINE)

    assert set(rows) == set(variables(project / ".env.example"))
    assert len(rows) == len(set(rows))


def test_readme_explains_differences_from_tutorials(render):
    readme = (render().project_path / "README.md").read_text()

    assert "`uv add name` (where a tutorial says `pip install name`)" in readme
    assert re.search(r"websockets \(channels\).+gunicorn answers them with 404.+servers.md", readme)
    servers = (ROOT / "docs" / "servers.md").read_text()
    assert re.search("Websockets.+channels.+Uvicorn, Daphne or Hypercorn", servers)


def test_readme_deploys_with_six_commands(render):
    readme = (render().project_path / "README.md").read_text()
    block = re.search(r"## Deploy it.*?```\n(.*?)```", readme, re.DOTALL)[1].splitlines()

    assert len(block) == 6
    assert [line.split()[1] for line in block] == [
        "create", "addons:create", "config:set", "push", "run", "open",
    ]  # fmt: skip


def test_number_of_jinja_tags_is_limited():
    """At most two tags per 100 lines; of the Python files, only settings.py has any."""
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


def test_number_of_files_and_lines_is_limited(project):
    """The goal is 54 files and 2,250 lines. These limits are only ever lowered."""
    assert len(files_with("rollbar")) <= 57
    assert sum(text.count("\n") for _, text in texts(project)) <= 2840


def test_pages_count_the_files_of_the_first_commit():
    count = len(files_with("rollbar") | {"uv.lock"})
    assert f"\n| files to commit | {count} | " in (ROOT / "README.md").read_text()
    assert f"| {count}; 2,840 at most |" in (ROOT / "docs" / "comparison.md").read_text()


def test_python_versions_agree():
    hook = (TEMPLATE / "bootstrap.py").read_text()
    workflow = (TEMPLATE / ".github" / "workflows" / "ci.yml").read_text()

    assert 'PYTHONS = ["3.15", "3.14", "3.13", "3.12"]' in hook
    assert "UV_PYTHON" not in workflow and "setup-python" not in workflow  # .python-version pins it
    assert (TEMPLATE / ".python-version").read_text() == "3.14\n"
    assert 'requires-python = ">=3.12"' in (TEMPLATE / "pyproject.toml").read_text()


def test_workflows_pass_zizmor(project):
    """zizmor requires actions pinned by hash and no token in the clone; it runs offline."""
    for folder in (ROOT, project):
        files = sorted(folder.glob(".github/**/*.yml"))
        checked = run([BIN / "zizmor", "--offline", "--quiet", *files], folder)
        assert checked.returncode == 0, checked.out


def test_both_workflows_use_the_same_versions_of_actions():
    """Dependabot updates only this repository's workflows; update the template's with them."""
    named = {}
    for folder in (ROOT, TEMPLATE):
        for file in folder.glob(".github/workflows/*.yml"):
            for action, version in re.findall(r"uses: (\S+)@(\w{40} # v\S+)\n", file.read_text()):
                named.setdefault(action, set()).add(version)

    assert {"actions/checkout", "astral-sh/setup-uv", "actions/setup-python"} == named.keys()
    assert all(len(versions) == 1 for versions in named.values()), named


def test_hooks_and_bootstrap_have_the_syntax_of_python_3_10(project):
    """The interpreter that runs cookiecutter runs them, and it may be that old."""
    for path in [*ROOT.glob("hooks/*.py"), project / "bootstrap.py"]:
        ast.parse(path.read_text(), feature_version=(3, 10))


def test_python_files_except_the_settings_pass_the_linter_unrendered():
    assert run([BIN / "ruff", "check", "--config", "pyproject.toml"], ROOT).returncode == 0
