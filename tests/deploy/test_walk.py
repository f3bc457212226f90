"""The commands of README.md and of the generated README, from an empty folder to a deployed site.

They run unchanged, in an empty folder and with an empty home folder. Heroku is simulated as in
test_rehearsal.py, and its command line by heroku_cli.py.
"""

import json
import os
import re
import urllib.request
from pathlib import Path

import pytest
from pictures import ANSWERS, PICTURES, SLUG, terminal, words
from support.client import PASSWORD, Client
from support.fake_tracker import FakeTracker
from support.generated import (
    BIN,
    QUICK_STATIC_FILES,
    ROOT,
    Site,
    copy_template,
    listens,
    run,
    unused_port,
)
from support.heroku import build
from support.router import https
from support.terminal import in_terminal, plain

pytestmark = pytest.mark.slow

ADA = ["ada", "ada@example.com", PASSWORD, PASSWORD]


@pytest.fixture
def folder(tmp_path):
    """Return an empty folder in which the commands run."""
    path = tmp_path / "walk"
    path.mkdir()
    return path


@pytest.fixture
def newcomer(tmp_path):
    """Return the environment of a user with an empty home folder, uv, git and a name in it.

    A local repository with this working tree replaces the one on GitHub.
    """
    template, home = tmp_path / "template", tmp_path / "home"
    home.mkdir()
    copy_template(template)
    gitconfig = tmp_path / "gitconfig"
    gitconfig.write_text(
        "[user]\nname = Ada\nemail = ada@example.com\n"
        f'[url "{template}"]\ninsteadOf = https://github.com/org/template.git\n'
    )
    bin = tmp_path / "bin"
    bin.mkdir()
    for program in ("uv", "uvx"):
        (bin / program).symlink_to(BIN / program)
    (bin / "heroku").symlink_to(ROOT / "tests" / "support" / "heroku_cli.py")
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("PIP_", "PYENV_", "SSL_", "UV_INDEX", "UV_DEFAULT_INDEX"))
    }
    environment = inherited | {
        "GIT_CONFIG_GLOBAL": str(gitconfig),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PATH": f"{bin}:/usr/local/bin:/usr/bin:/bin",
        "PYENV_ROOT": os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv")),
        "SHELL": "/bin/bash",
        "TERM": "xterm-256color",
        "UV_CACHE_DIR": run([BIN / "uv", "cache", "dir"], ROOT).stdout.strip(),
    }
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "All"]):
        done = run(["git", *command], template, environment)
        assert done.returncode == 0, done.out
    return environment


def blocks(readme, heading):
    """Return the command blocks below a heading, each as a list of lines."""
    section = readme.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [block.splitlines() for block in re.findall("```\n(.+?)\n```", section, re.DOTALL)]


def paste(commands, folder, environment, answers=()):
    """Run commands in bash, type answers to their questions, and return the output."""
    lines = ["set -e", *commands]
    status, output = in_terminal(["bash", "-c", "\n".join(lines)], folder, environment, answers)
    assert status == 0, output
    return plain(output).replace("\r\n", "\n")


@pytest.mark.parametrize("tool", ["uvx", pytest.param("pipx run", marks=pytest.mark.exotic)])
def test_readme_commands_create_and_deploy_a_site(
    folder, newcomer, serve, postgres, tmp_path, tool
):
    readme = (ROOT / "README.md").read_text()
    start = re.search(f"`({tool} cookiecutter gh:org/template)`", readme)[1]
    newcomer["PATH"] += f":{BIN}" if tool != "uvx" else ""
    paste([f"{start.rpartition(' ')[0]} --version"], folder, newcomer)  # downloads cookiecutter
    output = paste([start], folder, newcomer, ANSWERS)
    if tool == "uvx":
        picture = words((PICTURES / "terminal.svg").read_text())
        assert picture == words(terminal(f"$ {start}\n{output}")), "make pictures"

    cd, activate, createsuperuser, runserver = re.findall(
        "^  (.+)$", output.partition("\nVerified.")[2], re.M
    )
    address = re.search("^Then open (.+)$", output, re.M)[1]
    created = paste([cd, activate, createsuperuser], folder, newcomer, ADA)
    assert "Superuser created successfully" in created
    site = Site(folder / SLUG)
    if listens(8000):  # another program uses this port
        address = f"http://127.0.0.1:{unused_port()}/"
        runserver += f" {address.split(':')[-1].strip('/')}"
    port = int(address.split(":")[-1].strip("/"))
    serve(site, "bash", "-c", f"{activate}; {runserver}", env=newcomer, port=port)
    assert "ready for the internet" in urllib.request.urlopen(address).read().decode()
    assert "passed" in paste([cd, activate, "pytest -k Home"], folder, newcomer)

    site.add_settings(QUICK_STATIC_FILES)
    site.commit("Quick")
    with FakeTracker("rollbar") as tracker:
        check_first_deploy(
            site, [cd, activate], newcomer, tracker, postgres.database(f"walk_{tool[:4]}"), tmp_path
        )


def check_first_deploy(site, enter_site, environment, tracker, database, tmp_path):
    """Run the six commands of the first push, and check the deployed site."""
    state = tmp_path / "heroku.json"
    tracker.key = "my-own-token"
    endpoint = {"ROLLBAR_ENDPOINT": tracker.variables["ROLLBAR_ENDPOINT"]}
    places = {"repository": str(tmp_path / "heroku.git"), "app": str(tmp_path / "app")}
    state.write_text(json.dumps(places | {"calls": [], "config": endpoint, "database": database}))
    environment = environment | {"HEROKU_STATE": str(state)}
    *first, push, createsuperuser, opens = blocks(site.path / "README.md", "Deploy it")[0]
    first = [command.replace("your-token", tracker.key) for command in first]
    folder = site.path.parent

    paste([*enter_site, *first, push], folder, environment)
    app = build(places["repository"], Path(places["app"]), site.python.resolve(), BIN / "uv")
    app.config = json.loads(state.read_text())["config"]
    released = app.run(app.lines["release"])
    assert released.returncode == 0, released.out
    paste([*enter_site, createsuperuser, opens], folder, environment, ADA)

    assert [call.split()[0] for call in json.loads(state.read_text())["calls"]] == [
        "create", "addons:create", "config:set", "run", "open",
    ]  # fmt: skip
    dyno = app.dyno(unused_port())
    try:
        with https(tmp_path, dyno.port) as router:
            ada = Client(router.server_port, tls=True)
            assert "This site is new" in ada.get("/", Host="tea-shop-1234.herokuapp.com")[2]
            assert ada.log_in("ada") == 302
            assert ada.get("/boom/")[0] == 500
        tracker.wait_for(1)
    finally:
        dyno.stop()
    assert len(tracker.items) == 1, dyno.text()


@pytest.mark.exotic
@pytest.mark.parametrize("tool", ["uvx", "pipx run"])
def test_printed_commands_work_in_the_users_shell(folder, newcomer, tool):
    """Run the command to answer again, and the next steps before and after the folder moves."""
    start = re.search(f"`({tool} cookiecutter gh:org/template)`", (ROOT / "README.md").read_text())
    newcomer["PATH"] += f":{BIN}" if tool != "uvx" else ""
    rejected = ["bash", "-c", f"{start[1]} --no-input project_slug=No!"]

    status, output = in_terminal(rejected, folder, newcomer, ())
    again = re.search(r"To answer again:\s+(.+?)\s*$", plain(output), re.MULTILINE)[1]
    verified = paste([f"{again} --no-input"], folder, newcomer)
    printed = re.findall("^  (.+)$", verified.partition("\nVerified.")[2], re.MULTILINE)
    paste([*printed[:2], "python manage.py check"], folder, newcomer)
    (folder / "my-site").rename(folder / "moved")
    moved = paste(["cd moved", printed[1], "python bootstrap.py"], folder, newcomer)

    assert status == 1 and "Example: site-no" in plain(output)
    if tool == "uvx":
        assert again.startswith("uvx cookiecutter ")
    assert "\nVerified." in moved


@pytest.mark.exotic
@pytest.mark.parametrize("tool", ["pipx", "pip"])
def test_other_commands_that_create_a_site(folder, newcomer, tmp_path, tool):
    readme = ROOT / "README.md"
    commands = {
        "pipx": re.findall("`(pipx run .+?)`", readme.read_text()),
        "pip": blocks(readme, "Create a site")[0],
    }[tool]
    newcomer |= {"COOKIECUTTER_SKIP_SETUP": "1"}
    newcomer["PATH"] += f":{BIN}" if tool == "pipx" else ""

    paste(commands, folder, newcomer, ANSWERS)

    assert (folder / SLUG / "Procfile").exists()
