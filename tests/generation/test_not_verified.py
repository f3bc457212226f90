"""If the deployment checks cannot run, the project is kept, and the report says why."""

import os
import re
import signal
import subprocess
import time

import pytest
from support.generated import (
    BIN,
    FILES,
    ROOT,
    TEMPLATE,
    Site,
    cookiecutter,
    files_with,
    only,
    run,
    with_shared_venv,
)

pytestmark = pytest.mark.slow


def check_kept_but_not_verified(generated, output, reason):
    """Assert that all files are staged, none is committed, and the report has `reason`."""
    project = Site(output / "my-site")
    assert generated.returncode == 0, generated.out
    assert "NOT VERIFIED: " in generated.stdout and reason in generated.stdout
    assert re.search(r"^  \S*python\S* bootstrap\.py$", generated.stdout, re.MULTILINE)
    assert "\nVerified" not in generated.stdout and "Traceback" not in generated.out
    assert project.files() >= set(FILES)
    assert project.run("git", "rev-parse", "--verify", "HEAD").returncode != 0
    return project


@pytest.mark.exotic
def test_project_is_kept_without_a_network(tmp_path, environment):
    """The host of the package index does not resolve, and uv's cache is empty."""
    offline = {
        "UV_CACHE_DIR": str(tmp_path / "cache"),
        "UV_DEFAULT_INDEX": "https://no.invalid/simple",
    }

    generated = cookiecutter(tmp_path / "out", environment | offline | {"UV_HTTP_RETRIES": "0"})

    reason = "could not install the packages (is there a network?): failed to lookup address"
    project = check_kept_but_not_verified(generated, tmp_path / "out", reason)
    finished = project.run(BIN / "python", "bootstrap.py", env=environment)
    assert finished.returncode == 0 and "\nVerified" in finished.stdout, finished.out


def test_project_is_kept_without_uv(tmp_path, environment):
    """uv is not installed, and pip cannot download it: PATH has only git."""
    environment |= {"PATH": str(only(tmp_path, "git")), "PIP_NO_INDEX": "1", "UV": ""}
    environment |= {
        "PYENV_ROOT": str(tmp_path),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_FIND_LINKS": "",
    }

    generated = cookiecutter(tmp_path / "out", environment)

    check_kept_but_not_verified(generated, tmp_path / "out", "uv is not installed")


def test_project_is_kept_without_a_python(tmp_path, environment):
    environment |= {"PATH": str(only(tmp_path, "git")), "PYENV_ROOT": str(tmp_path)}
    environment |= {"UV_PYTHON_INSTALL_DIR": str(tmp_path), "UV_PYTHON_DOWNLOADS": "never"}

    generated = cookiecutter(tmp_path / "out", environment)

    check_kept_but_not_verified(generated, tmp_path / "out", "3.14")


def test_project_is_kept_if_the_disk_is_full(tmp_path, environment):
    """A limit of 1 MiB per file simulates a full disk."""
    environment |= {"UV_CACHE_DIR": str(tmp_path / "cache")}

    command = f"ulimit -f 1024; exec {BIN}/cookiecutter {ROOT} --no-input"
    (tmp_path / "out").mkdir()
    generated = run(["bash", "-c", command], tmp_path / "out", environment)

    check_kept_but_not_verified(generated, tmp_path / "out", "could not install")


def test_project_is_kept_after_an_interrupt(tmp_path, environment):
    (tmp_path / "out").mkdir()
    environment |= {"UV_CACHE_DIR": str(tmp_path / "cache"), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [BIN / "cookiecutter", ROOT, "--no-input"],
        cwd=tmp_path / "out",
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # A background process, which CI may be, ignores SIGINT, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    with process:
        output = ""
        while "packages" not in output and (part := process.stdout.read(1)):
            output += part
        assert "packages" in output, output
        time.sleep(0.2)
        os.killpg(process.pid, signal.SIGINT)
        output += process.stdout.read()

    # cookiecutter gets the signal, too: it prints "Aborted!" and exits with 1. The hook has to
    # keep the project and to print the command that finishes it.
    assert "NOT VERIFIED: it was interrupted" in output and "bootstrap.py" in output
    assert Site(tmp_path / "out" / "my-site").files() >= set(FILES)


def test_generation_continues_if_its_output_is_closed(
    site, make_broken_template, tmp_path, environment
):
    template = make_broken_template(bootstrap=with_shared_venv(site()))
    (tmp_path / "out").mkdir()
    command = f"{BIN}/cookiecutter {template} --no-input | head -2"

    run(["bash", "-c", command], tmp_path / "out", environment)

    log = Site(tmp_path / "out" / "my-site").run("git", "log", "--format=%s")
    assert log.stdout == "Start my-site\n"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("this is (not Python", ["SyntaxError: '(' was never closed", "settings.py"]),
        ('X = int(env("NEW"))\nenv.refuse_problems()', ["NEW is not set"]),
        ("import no_such_package", ["ModuleNotFoundError: No module named 'no_such_package'"]),
        (
            "env.problems.append('NEW is not set'); env.refuse_problems()",
            ["The site cannot start:\n  NEW is not set\n", "tests/production.env"],
        ),
    ],
    ids=["syntax", "late variable", "package", "variable"],
)
def test_project_is_kept_if_the_site_does_not_start(
    site, make_broken_template, environment, tmp_path, settings, words
):
    """Only failed checks are UNSAFE; for other errors, the report ends with their last lines."""
    template = make_broken_template(settings=settings, bootstrap=with_shared_venv(site()))
    (tmp_path / "out").mkdir()
    command = [BIN / "cookiecutter", template, "--no-input", "--output-dir", tmp_path / "out"]

    generated = run(command, tmp_path / "out", environment | {"PWD": str(tmp_path / "out")})

    assert generated.returncode == 0 and "UNSAFE" not in generated.stdout
    assert "NOT VERIFIED: the site does not start" in generated.stdout, generated.out
    for word in words:
        assert word in generated.stdout
    assert (tmp_path / "out" / "my-site" / "manage.py").exists()


@pytest.mark.parametrize("name", ["project/settings.py", ".github/workflows/ci.yml"])
def test_bootstrap_names_files_with_conflicts(site, make_copy, environment, name):
    own = make_copy(site())
    with (own.path / name).open("a") as file:
        file.write("<<<<<<< ours\nA = 1\n=======\nA = 2\n>>>>>>> theirs\n")
    (own.path / "project" / "urls.py.rej").touch()
    (own.path / "Procfile.rej").touch()

    again = own.run(BIN / "python", "bootstrap.py", env=environment)

    assert again.returncode == 2
    reason = f"NOT VERIFIED: an update left conflicts in {name}, project/urls.py.rej, Procfile.rej"
    assert reason in again.stdout, again.out


def test_bootstrap_rejects_a_tracked_env_file(site, make_copy, environment):
    own = make_copy(site())
    assert own.run("git", "add", "--force", ".env").returncode == 0

    again = own.run(BIN / "python", "bootstrap.py", env=environment)

    assert again.returncode == 2 and "git rm --cached .env" in again.stdout


RARE_STEPS = ["find_uv", "find_python", "make_venv", "write_env", "check", "migrate", "pin"]


@pytest.mark.parametrize(
    "step", ["install", *(pytest.param(step, marks=pytest.mark.exotic) for step in RARE_STEPS)]
)
def test_project_is_kept_after_an_interrupt_in_each_step(
    site, make_broken_template, environment, tmp_path, step
):
    """The files are staged, and the commands in the report finish the project."""
    stop = f"def {step}(*arguments):\n    raise KeyboardInterrupt\nPYTHONS = PYTHONS"
    template = make_broken_template(bootstrap=with_shared_venv(site()) + stop)

    generated = cookiecutter(tmp_path / "out", environment, template=template)

    project = check_kept_but_not_verified(generated, tmp_path / "out", "it was interrupted")
    commit = 'git commit -m "Start my-site"'
    assert f"  {commit}\n" in generated.stdout
    bootstrap = project.path / "bootstrap.py"
    bootstrap.write_text(bootstrap.read_text().replace(stop, ""))
    finished = project.run(BIN / "python", "bootstrap.py", env=environment)
    assert "\nVerified" in finished.stdout and f"  {commit}\n" in finished.stdout, finished.out
    for command in re.findall(
        "^  (git .+)$", generated.stdout.partition("To finish:")[2], re.MULTILINE
    ):
        assert project.run("bash", "-c", command, env=environment).returncode == 0
    committed = project.run("git", "ls-tree", "-r", "--name-only", "main").stdout.splitlines()
    assert set(committed) == files_with("rollbar") | {"uv.lock"}
    again = project.run(BIN / "python", "bootstrap.py", env=environment)
    assert "git commit" not in again.stdout


@pytest.mark.parametrize("settings", ["", "SECURE_SSL_REDIRECT = False"])
def test_overwriting_a_project_deletes_and_commits_nothing(
    site, make_broken_template, environment, tmp_path, settings
):
    """The report says that files were overwritten, or how to see which."""
    template = make_broken_template(bootstrap=with_shared_venv(site()))
    first = cookiecutter(tmp_path / "out", environment, template=template)
    assert "\nVerified" in first.stdout, first.out
    project = Site(tmp_path / "out" / "my-site")
    (project.path / "Procfile").write_text("web: mine\n")
    (project.path / "mine.py").touch()
    project.commit("Mine")
    with (template / TEMPLATE.name / "project" / "settings.py").open("a") as opened:
        opened.write(f"\n{settings}\n")

    second = cookiecutter(tmp_path / "out", environment, "--overwrite-if-exists", template=template)

    assert second.returncode == (1 if settings else 0)
    assert (
        "No project was created" not in second.stdout and "another repository" not in second.stdout
    )
    words = "It is kept; the template has overwritten files." if settings else "  git status\n"
    assert words in second.stdout, second.out
    assert (project.path / "mine.py").exists()
    assert project.run("git", "log", "--format=%s").stdout == "Mine\nStart my-site\n"
    assert "Procfile\n" in project.run("git", "diff", "--name-only").stdout


def test_commands_in_the_report_inside_another_repository(
    site, make_broken_template, environment, tmp_path
):
    template = make_broken_template(bootstrap=with_shared_venv(site()))
    (tmp_path / "out").mkdir()
    assert run(["git", "init", "-q", tmp_path / "out"], tmp_path).returncode == 0

    generated = cookiecutter(tmp_path / "out", environment, template=template)
    project = Site(tmp_path / "out" / "my-site")
    again = project.run(BIN / "python", "bootstrap.py", env=environment)

    for report in (generated.stdout, again.stdout):
        left = re.findall("^  (git .+)$", report, re.MULTILINE)
        assert left[-3:] == [
            "git init -b main", "git add --all", 'git commit -m "Start my-site"',
        ]  # fmt: skip
    for command in left[-3:]:
        assert project.run("bash", "-c", command, env=environment).returncode == 0
    assert "git init" not in project.run(BIN / "python", "bootstrap.py", env=environment).stdout


def test_project_is_only_rendered_with_skip_setup(tmp_path, environment):
    generated = cookiecutter(tmp_path / "out", environment | {"COOKIECUTTER_SKIP_SETUP": "1"})

    (line,) = generated.stdout.splitlines()
    assert "NOT installed, NOT checked" in line
    assert line.endswith("cd my-site, then python bootstrap.py")
    assert not {".env", ".git", ".venv", "uv.lock"} & set(os.listdir(tmp_path / "out" / "my-site"))


@pytest.mark.parametrize(
    ("temporary", "start", "is_compared"),
    [(".", "elsewhere", True), (".", "out", False), ("elsewhere", "elsewhere", False)],
)
def test_project_for_a_cruft_comparison_is_only_rendered(
    make_broken_template, tmp_path, environment, temporary, start, is_compared
):
    """It has _commit in its context and is in the temporary folder, but not in the current one."""
    template = make_broken_template()
    answers = template / "cookiecutter.json"
    answers.write_text(answers.read_text().replace("{", '{"_commit": "abc",', 1))
    for folder in ("elsewhere", "out"):
        (tmp_path / folder).mkdir()
    environment |= {"TMPDIR": str(tmp_path / temporary), "PWD": str(tmp_path / start)}
    environment |= {"UV_CACHE_DIR": str(tmp_path / "cache"), "UV_OFFLINE": "1"}  # to fail fast
    command = [BIN / "cookiecutter", template, "--no-input", "--output-dir", tmp_path / "out"]

    generated = run(command, tmp_path / start, environment)

    assert generated.returncode == 0, generated.out
    assert ("Rendered only, for cruft to compare" in generated.stdout) == is_compared
    assert (tmp_path / "out" / "my-site" / ".git").exists() != is_compared
