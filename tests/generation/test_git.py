"""The first commit, and the commands that the report prints if git cannot make it."""

import os
import re

import pytest
from support.generated import Site, cookiecutter, files_with, only, run

pytestmark = pytest.mark.slow


@pytest.fixture
def template(make_broken_template):
    """Return a template whose bootstrap.py only creates an empty uv.lock."""
    return make_broken_template(bootstrap='def set_up():\n    (ROOT / "uv.lock").touch()')


def test_report_has_the_git_commands_if_git_is_not_installed(template, tmp_path, environment):
    environment["PATH"] = str(only(tmp_path))

    generated = cookiecutter(tmp_path / "out", environment, template=template)

    assert generated.returncode == 0, generated.out
    assert re.search("git +not installed", generated.stdout)
    assert "\nVerified" in generated.stdout, generated.out
    project = Site(tmp_path / "out" / "my-site")
    assert not (project.path / ".git").exists()
    left = re.findall("^  (git [a-z].+)$", generated.stdout.partition("Verified.")[2], re.MULTILINE)
    environment["PATH"] = os.environ["PATH"]
    for command in left:
        assert project.run("bash", "-c", command, env=environment).returncode == 0, command
    assert project.run("git", "log", "--format=%s|%D").stdout == "Start my-site|HEAD -> main\n"


def test_generation_works_if_git_cannot_be_executed(template, tmp_path, environment):
    (tmp_path / "bin" / "git").mkdir(parents=True)
    environment["PATH"] = str(tmp_path / "bin")

    generated = cookiecutter(tmp_path / "out", environment, template=template)

    assert generated.returncode == 0 and "\nVerified" in generated.stdout, generated.out
    assert (tmp_path / "out" / "my-site" / "Procfile").exists()


def test_files_are_staged_if_git_has_no_user_name(template, tmp_path, environment):
    config = tmp_path / "gitconfig"
    config.write_text("[user]\nuseConfigOnly = true\n")

    generated = cookiecutter(tmp_path / "out", environment, template=template)

    assert generated.returncode == 0, generated.out
    assert " staged, not committed " in generated.stdout
    assert "\ngit does not know your name.\n" in generated.stdout
    assert "  git config --global user.email" in generated.stdout
    assert "git add" not in generated.stdout
    assert '  git commit -m "Start my-site"' in generated.stdout
    project = Site(tmp_path / "out" / "my-site")
    assert project.files() == files_with("rollbar") | {"uv.lock"}
    assert project.run("git", "log").returncode != 0


def test_files_are_staged_if_a_git_hook_rejects_the_commit(template, tmp_path, environment):
    hook = tmp_path / "hooks" / "pre-commit"
    hook.parent.mkdir()
    hook.write_text("#!/bin/sh\necho 'not on a Sunday' >&2\nexit 1\n")
    hook.chmod(0o755)
    with (tmp_path / "gitconfig").open("a") as config:
        config.write(f"[core]\nhooksPath = {hook.parent}\n")

    generated = cookiecutter(tmp_path / "out", environment, template=template)

    assert generated.returncode == 0 and "\nVerified" in generated.stdout, generated.out
    assert "not on a Sunday" in generated.stdout
    assert '  git commit -m "Start my-site"' in generated.stdout
    project = Site(tmp_path / "out" / "my-site")
    assert project.files() == files_with("rollbar") | {"uv.lock"}
    assert project.run("git", "log").returncode != 0


def test_files_in_the_global_ignore_list_are_tracked(template, tmp_path, environment):
    ignored = tmp_path / "ignored"
    ignored.write_text(".python-version\n*.lock\n")
    with (tmp_path / "gitconfig").open("a") as config:
        config.write(f"[core]\nexcludesFile = {ignored}\n")

    cookiecutter(tmp_path / "out", environment, template=template)

    assert Site(tmp_path / "out" / "my-site").files() == files_with("rollbar") | {"uv.lock"}


def test_nothing_is_committed_inside_another_repository(template, tmp_path, environment):
    out = tmp_path / "out"
    out.mkdir()
    run(["git", "init", "-q"], out)

    generated = cookiecutter(out, environment, template=template)

    assert generated.returncode == 0 and "\nVerified" in generated.stdout, generated.out
    assert re.search("git +in another repository; Heroku needs one", generated.stdout)
    assert not (out / "my-site" / ".git").exists()
    assert run(["git", "ls-files"], out).stdout == ""
