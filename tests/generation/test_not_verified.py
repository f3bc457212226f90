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
    """Assert that all files are there and staged, none committed, and that the report says so."""
    project = Site(output / "my-site")
    assert generated.returncode == 0, generated.out
    assert "NOT VERIFIED: " in generated.stdout and reason in generated.stdout
    assert re.search(r"^  \S*python\S* bootstrap\.py$", generated.stdout, re.MULTILINE)
    assert "\nVerified" not in generated.stdout and "Traceback" not in generated.out
    assert project.files() >= set(FILES)
    assert project.run("git", "rev-parse", "--verify", "HEAD").returncode != 0
    return project


@pytest.mark.exotic
def test_no_network(tmp_path, environment):
    """No name is found, and nothing of what is needed has been fetched before."""
    away = {
        "UV_CACHE_DIR": str(tmp_path / "cache"),
        "UV_DEFAULT_INDEX": "https://no.invalid/simple",
    }

    generated = cookiecutter(tmp_path / "out", environment | away | {"UV_HTTP_RETRIES": "0"})

    reason = "could not install the packages (is there a network?): failed to lookup address"
    project = check_kept_but_not_verified(generated, tmp_path / "out", reason)
    finished = project.run(BIN / "python", "bootstrap.py", env=environment)
    assert finished.returncode == 0 and "\nVerified" in finished.stdout, finished.out


def test_no_uv(tmp_path, environment):
    """Neither installed nor to be had: PATH has git alone."""
    environment |= {"PATH": str(only(tmp_path, "git")), "PIP_NO_INDEX": "1", "UV": ""}
    environment |= {
        "PYENV_ROOT": str(tmp_path),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_FIND_LINKS": "",
    }

    generated = cookiecutter(tmp_path / "out", environment)

    check_kept_but_not_verified(generated, tmp_path / "out", "uv is not installed")


def test_no_interpreter(tmp_path, environment):
    environment |= {"PATH": str(only(tmp_path, "git")), "PYENV_ROOT": str(tmp_path)}
    environment |= {"UV_PYTHON_INSTALL_DIR": str(tmp_path), "UV_PYTHON_DOWNLOADS": "never"}

    generated = cookiecutter(tmp_path / "out", environment)

    check_kept_but_not_verified(generated, tmp_path / "out", "3.14")


def test_no_room_on_the_disk(tmp_path, environment):
    """No file may grow past a megabyte, as on a disk that is full."""
    environment |= {"UV_CACHE_DIR": str(tmp_path / "cache")}

    command = f"ulimit -f 1024; exec {BIN}/cookiecutter {ROOT} --no-input"
    (tmp_path / "out").mkdir()
    generated = run(["bash", "-c", command], tmp_path / "out", environment)

    check_kept_but_not_verified(generated, tmp_path / "out", "could not install")


def test_interrupted(tmp_path, environment):
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
        # A run in the background, as CI may be, ignores the signal, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    with process:
        said = ""
        while "packages" not in said and (part := process.stdout.read(1)):
            said += part
        assert "packages" in said, said
        time.sleep(0.2)
        os.killpg(process.pid, signal.SIGINT)
        said += process.stdout.read()

    # cookiecutter, which gets the signal too, says "Aborted!" and 1; what is asked of the hook
    # is that it keeps the project and says what finishes the job.
    assert "NOT VERIFIED: it was interrupted" in said and "bootstrap.py" in said
    assert Site(tmp_path / "out" / "my-site").files() >= set(FILES)


def test_nobody_reads_the_report(site, make_broken_template, tmp_path, environment):
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
def test_a_site_that_does_not_start_is_kept(
    site, make_broken_template, environment, tmp_path, settings, words
):
    """Unsafe is what the checks report; the last lines of anything else tell why."""
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
def test_conflicts_of_an_update_are_named(site, make_copy, environment, name):
    own = make_copy(site())
    with (own.path / name).open("a") as file:
        file.write("<<<<<<< ours\nA = 1\n=======\nA = 2\n>>>>>>> theirs\n")
    (own.path / "project" / "urls.py.rej").touch()
    (own.path / "Procfile.rej").touch()

    again = own.run(BIN / "python", "bootstrap.py", env=environment)

    assert again.returncode == 2
    reason = f"NOT VERIFIED: an update left conflicts in {name}, project/urls.py.rej, Procfile.rej"
    assert reason in again.stdout, again.out


def test_a_tracked_env_is_named(site, make_copy, environment):
    own = make_copy(site())
    assert own.run("git", "add", "--force", ".env").returncode == 0

    again = own.run(BIN / "python", "bootstrap.py", env=environment)

    assert again.returncode == 2 and "git rm --cached .env" in again.stdout


RARELY = ["find_uv", "find_python", "make_venv", "write_env", "check", "migrate", "pin"]


@pytest.mark.parametrize(
    "step", ["install", *(pytest.param(step, marks=pytest.mark.exotic) for step in RARELY)]
)
def test_interrupted_in_each_step(site, make_broken_template, environment, tmp_path, step):
    """Kept and staged, with the commands that are left, which then work."""
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
def test_generation_over_an_existing_project(
    site, make_broken_template, environment, tmp_path, settings
):
    """What was overwritten is said, nothing is committed, and nothing is deleted."""
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


def test_inside_another_repository(site, make_broken_template, environment, tmp_path):
    template = make_broken_template(bootstrap=with_shared_venv(site()))
    (tmp_path / "out").mkdir()
    assert run(["git", "init", "-q", tmp_path / "out"], tmp_path).returncode == 0

    generated = cookiecutter(tmp_path / "out", environment, template=template)
    project = Site(tmp_path / "out" / "my-site")
    again = project.run(BIN / "python", "bootstrap.py", env=environment)

    for said in (generated.stdout, again.stdout):
        left = re.findall("^  (git .+)$", said, re.MULTILINE)
        assert left[-3:] == [
            "git init -b main", "git add --all", 'git commit -m "Start my-site"',
        ]  # fmt: skip
    for command in left[-3:]:
        assert project.run("bash", "-c", command, env=environment).returncode == 0
    assert "git init" not in project.run(BIN / "python", "bootstrap.py", env=environment).stdout


def test_rendered_only(tmp_path, environment):
    generated = cookiecutter(tmp_path / "out", environment | {"COOKIECUTTER_SKIP_SETUP": "1"})

    (line,) = generated.stdout.splitlines()
    assert "NOT installed, NOT checked" in line
    assert line.endswith("cd my-site, then python bootstrap.py")
    assert not {".env", ".git", ".venv", "uv.lock"} & set(os.listdir(tmp_path / "out" / "my-site"))


@pytest.mark.parametrize(
    ("temporary", "start", "is_compared"),
    [(".", "elsewhere", True), (".", "out", False), ("elsewhere", "elsewhere", False)],
)
def test_cruft_has_its_comparisons_rendered_only(
    make_broken_template, tmp_path, environment, temporary, start, is_compared
):
    """They have _commit in the context, and are where nobody stands in the temporary folder."""
    template = make_broken_template()
    answers = template / "cookiecutter.json"
    answers.write_text(answers.read_text().replace("{", '{"_commit": "abc",', 1))
    for folder in ("elsewhere", "out"):
        (tmp_path / folder).mkdir()
    environment |= {"TMPDIR": str(tmp_path / temporary), "PWD": str(tmp_path / start)}
    environment |= {"UV_CACHE_DIR": str(tmp_path / "cache"), "UV_OFFLINE": "1"}  # to be quick
    command = [BIN / "cookiecutter", template, "--no-input", "--output-dir", tmp_path / "out"]

    generated = run(command, tmp_path / start, environment)

    assert generated.returncode == 0, generated.out
    assert ("Rendered only, for cruft to compare" in generated.stdout) == is_compared
    assert (tmp_path / "out" / "my-site" / ".git").exists() != is_compared
