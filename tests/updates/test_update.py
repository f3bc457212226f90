"""Updates by cruft: new versions of the template are merged into sites that owners have changed."""

import re
import shutil
import subprocess
import tomllib
from fnmatch import fnmatch

import pytest
from support.cruft import CRUFT, commit, contents, differs, edit, rendered, status
from support.generated import BIN, ROOT, TEMPLATE, Site, cookiecutter, copy_template, run

pytestmark = pytest.mark.slow

HOME = "application/templates/application/home.html"
# Changes of owners to generated files: the file, the old text, and the new text.
OWNERS = [
    ("project/settings.py", '    "application",\n', '    "application",\n    "blog",\n'),
    ("project/settings.py", "INSTALLED_APPS", 'GREETING = env("GREETING", default="")\n\nINSTALLED_APPS'),
    ("project/settings.py", "\nenv.refuse_problems()", "TIME_ZONE = 'Europe/Berlin'\n\nenv.refuse_problems()"),
    (".env.example", "DEBUG=True\n", "DEBUG=True\n\n# On the home page.\nGREETING=Hello\n"),
    (".github/workflows/ci.yml", "      - run: uv run pytest\n", "      - run: uv run pytest\n      - run: uv run mypy .\n"),
]  # fmt: skip
NOTES = "\n## Team\n\nAda, who wrote it.\n"
# The changes of `uv add "iniconfig>=2"` and `uv add --dev "packaging>=24"`.
PACKAGES = [
    ("pyproject.toml", "]\n\n[dependency-groups]", '    "iniconfig>=2",\n]\n\n[dependency-groups]'),
    ("pyproject.toml", "]\n\n[tool.uv]", '    "packaging>=24",\n]\n\n[tool.uv]'),
]  # fmt: skip
DELETED = "tests/test_site.py"
# Changes in the next version of the template, some of them next to the owner's. The last three do
# not reach the site: two files are the owner's, and one is deleted.
NEXT = [
    ("project/settings.py", "AXES_FAILURE_LIMIT = 10", "AXES_FAILURE_LIMIT = 9"),
    ("templates/base.html", "</main>", "</main>\n  <footer>{{ SITE_NAME }}</footer>"),
    ("pyproject.toml", '"rollbar>=1.5,<2"', '"rollbar>=1.5,<3"'),
    ("pyproject.toml", '"ruff>=0.17"', '"ruff>=0.17.1"'),
    ("project/settings.py", "FULL_TEXT = False", "FULL_TEXT = not True"),
    ("README.md", "| stop paying |", "| pay no more |"),
    (".github/workflows/ci.yml", "uv run ruff check &&", "uv run ruff check -q &&"),
    ("project/news.py", "", '"""What is new."""\n'),
    (HOME, "{% extends", "{# the next #}{% extends"),
    (".python-version", "3.", "3.9"),
    (DELETED, "class PageTests", "# The next.\n\n\nclass PageTests"),
]
AFTER_NEXT = [
    ("project/settings.py", "AXES_FAILURE_LIMIT = 9", "AXES_FAILURE_LIMIT = 8"),
    ("templates/base.html", "<footer>", '<footer class="wide">'),
]


def has_history():
    """Return whether this working tree has its history, which a shallow clone does not have."""
    shallow = ["git", "rev-parse", "--is-shallow-repository"]
    return (ROOT / ".git").exists() and run(shallow, ROOT).stdout == "false\n"


# The versions and commits in CHANGELOG.md; and, for a version, the files in which an update has
# conflicts because the template and the owner changed the same lines.
VERSIONS = re.findall(
    r"^## (\S+), .+\n\nCommit `(\w{40})`$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
)
CONFLICTS = {"2.0.0rc1": {"README.md", "pyproject.toml"}}


@pytest.fixture
def terminal(environment, tmp_path):
    """Return a function that runs a command, checks that it succeeds, and returns its output.

    cruft renders for comparisons in TMPDIR, and the tests' sites are elsewhere: the hook tells them
    apart by this.
    """
    environment["TMPDIR"] = str(tmp_path / "scratch")
    (tmp_path / "scratch").mkdir()

    def type_in(folder, *command, **variables):
        done = run(command, folder, environment | {"PWD": str(folder)} | variables)
        assert done.returncode == 0, done.out
        return done.out

    return type_in


@pytest.fixture
def template(terminal, tmp_path):
    """Return a repository whose last commit is this working tree, with the history if it exists."""
    path = tmp_path / "template"
    start = ["clone", "-q", ROOT] if has_history() else ["init", "-q"]
    terminal(tmp_path, "git", *start, path)
    for old in path.iterdir():
        if old.name != ".git":
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    copy_template(path)
    terminal(path, "git", "checkout", "-q", "-B", "main")
    if terminal(path, "git", "status", "--porcelain"):
        commit(terminal, path, "The working tree")
    return path


def change_as_owner(folder):
    """Change a site as its owner does, except for the new app and the new packages."""
    edit(folder, OWNERS)
    with (folder / "README.md").open("a") as readme:
        readme.write(NOTES)
    (folder / HOME).write_text('{% extends "base.html" %}\n{% block content %}Ada{% endblock %}\n')
    (folder / DELETED).unlink()


def add_packages(terminal, folder, python):
    """Add a package and a development package, as an owner does."""
    add = [BIN / "uv", "add", "-q", "--no-sync"]
    terminal(folder, *add, "iniconfig>=2", UV_PYTHON=str(python))
    terminal(folder, *add, "--dev", "packaging>=24", UV_PYTHON=str(python))


def publish(terminal, template, edits):
    """Commit the next version of the template."""
    edit(template / TEMPLATE.name, edits)
    commit(terminal, template, "The next version")


def test_updates_keep_the_changes_of_the_owner(site, terminal, template, tmp_path, environment):
    # cruft generates the same files as cookiecutter, and .cruft.json.
    (tmp_path / "out").mkdir()
    report = terminal(tmp_path / "out", CRUFT, "create", "--no-input", template)
    own = Site(tmp_path / "out" / "my-site")
    commands = re.findall(r"^  (git \S.+)$", report, re.MULTILINE)
    assert commands == ["git add .cruft.json", "git commit --amend --no-edit"], report
    for command in commands:
        terminal(own.path, *command.split())
    assert "\nVerified" in report and status(own) == set()
    assert own.run("git", "log", "--format=%s").stdout == "Start my-site\n"
    assert contents(own) == contents(site())
    assert differs(own, terminal) == set()

    # The owner changes the site.
    assert own.manage("startapp", "blog", env=environment).returncode == 0
    change_as_owner(own.path)
    before = (own.path / "pyproject.toml").read_text()
    add_packages(terminal, own.path, own.python)
    for _, old, new in PACKAGES:
        before = before.replace(old, new)
    assert (own.path / "pyproject.toml").read_text() == before
    commit(terminal, own.path, "Change the site")
    expected = contents(own)
    kept = {name: (own.path / name).read_bytes() for name in (".env", "db.sqlite3", "uv.lock")}
    names = set(own.path.iterdir())

    # The template has a next version.
    publish(terminal, template, NEXT)
    output = terminal(own.path, CRUFT, "update", "--skip-apply-ask")
    assert output.count("Rendered only, for cruft to compare.\n") == 2 and "NOT" not in output
    assert status(own) == {
        " M .cruft.json",
        "M  .github/workflows/ci.yml",
        "M  README.md",
        "A  project/news.py",
        "M  project/settings.py",
        "M  pyproject.toml",
        "M  templates/base.html",
    }
    for file, old, new in NEXT[:-3]:
        expected[file] = expected.get(file, "").replace(old, new, 1)
    assert contents(own) == expected
    assert {name: (own.path / name).read_bytes() for name in kept} == kept
    assert set(own.path.iterdir()) == names

    # bootstrap.py verifies the updated site.
    verified = terminal(own.path, BIN / "python", "bootstrap.py")
    assert "check --deploy: no issues (0 silenced)" in verified and "\nVerified" in verified
    assert (own.path / ".env").read_bytes() == kept[".env"]
    assert 'name = "rollbar", specifier = ">=1.5,<3"' in (own.path / "uv.lock").read_text()
    assert (own.path / "uv.lock").read_text().count('{ name = "iniconfig", specifier') == 1
    commit(terminal, own.path, "The next version")
    terminal(own.path, CRUFT, "check")
    assert differs(own, terminal) == {file for file, *_ in [*OWNERS, *PACKAGES]} | {"README.md"}

    # The version after it is merged in a clone, which has only the committed files.
    clone = Site(tmp_path / "clone")
    terminal(tmp_path, "git", "clone", "-q", "--no-local", own.path, clone.path)
    publish(terminal, template, AFTER_NEXT)
    terminal(clone.path, CRUFT, "update", "--skip-apply-ask")
    for file, old, new in AFTER_NEXT:
        expected[file] = expected[file].replace(old, new, 1)
    assert contents(clone) == expected
    assert not [line for line in status(clone) if line[0] not in " M"]


def test_lines_that_template_and_owner_changed_are_conflicts(terminal, template, tmp_path):
    own = rendered(terminal, template, tmp_path / "out")
    edit(own.path, [("project/settings.py", "AXES_FAILURE_LIMIT = 10", "AXES_FAILURE_LIMIT = 20")])
    commit(terminal, own.path, "Change the site")
    publish(terminal, template, NEXT)

    output = terminal(own.path, CRUFT, "update", "--skip-apply-ask")

    assert "Applied patch to 'project/settings.py' with conflicts." in output
    assert {line for line in status(own) if "U" in line} == {"UU project/settings.py"}
    settings = (own.path / "project" / "settings.py").read_text()
    assert "LIMIT = 20\n=======\nAXES_FAILURE_LIMIT = 9\n>>>>>>> theirs\n" in settings


def test_site_from_cookiecutter_is_linked_and_updated(terminal, template, tmp_path, environment):
    terminal(template, "git", "tag", "its-version")
    environment["COOKIECUTTER_SKIP_SETUP"] = "1"
    made = cookiecutter(tmp_path / "out", environment, "workers=4", template=template)
    assert made.returncode == 0, made.out
    own = Site(tmp_path / "out" / "my-site")
    terminal(own.path, "git", "init", "-q")
    commit(terminal, own.path, "Start my-site")
    publish(terminal, template, NEXT)

    # The site's answers, of which the third is not the default, and a confirmation of the version.
    link = subprocess.run(
        [CRUFT, "link", template, "--checkout", "its-version"],
        cwd=own.path,
        env=environment,
        input="\n\n4\n\n\n\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert link.returncode == 0, link.stderr
    commit(terminal, own.path, "Link it to its template")
    assert differs(own, terminal) == set()
    terminal(own.path, CRUFT, "update", "--skip-apply-ask")

    changed = {".cruft.json", *(file for file, *_ in NEXT)} - {HOME, ".python-version"}
    assert {line[3:] for line in status(own)} == changed


def test_versions_are_recorded_and_the_newest_is_documented():
    assert VERSIONS
    command = f"cruft link https://github.com/org/template --checkout {VERSIONS[0][1]}\n"
    assert command in (ROOT / "docs" / "updating.md").read_text()


@pytest.mark.skipif(not has_history(), reason="this is not a full clone")
@pytest.mark.parametrize(("version", "its_commit"), VERSIONS, ids=dict(VERSIONS))
def test_update_from_each_version_matches_a_new_site(
    site, terminal, template, tmp_path, version, its_commit
):
    """Compare an updated site with a new one, in which the owner has made the same changes.

    If template and owner changed the same lines, the update has both, and bootstrap.py names the
    files.
    """
    own = rendered(terminal, template, tmp_path / "out", "--checkout", its_commit)
    new = rendered(terminal, template, tmp_path / "new")
    for folder in (own.path, new.path):
        change_as_owner(folder)
        add_packages(terminal, folder, site().python.resolve())
    commit(terminal, own.path, "Change the site")
    commit(terminal, new.path, "Change the site")
    skipped = tomllib.loads((own.path / "pyproject.toml").read_text())["tool"]["cruft"]["skip"]
    expected = contents(new)
    for path, text in contents(own).items():
        if any(fnmatch(path, pattern) for pattern in skipped):
            expected[path] = text

    terminal(own.path, CRUFT, "update", "--skip-apply-ask")

    updated, conflicts = contents(own), CONFLICTS.get(version, set())
    assert {path for path, text in updated.items() if text != expected[path]} == conflicts
    assert {line for line in status(own) if "U" in line or "?" in line} == {
        f"UU {path}" for path in conflicts
    }
    for path in conflicts:
        assert set(expected[path].splitlines()) <= set(updated[path].splitlines()), path
    checked = own.run(BIN / "python", "bootstrap.py")
    if conflicts:
        assert checked.returncode == 2
        assert f"conflicts in {', '.join(sorted(conflicts))}." in checked.stdout
    terminal(own.path, CRUFT, "check")
