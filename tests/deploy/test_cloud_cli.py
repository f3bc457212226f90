"""The command-line tools of AWS and Azure, which must parse every command of their pages."""

import json
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock
from support.generated import BIN, ROOT, run
from support.platforms import blocks

pytestmark = [pytest.mark.slow, pytest.mark.exotic]

VERSIONS = {"awsebcli": "3.27.5", "azure-cli": "2.91.0"}


@pytest.fixture
def tool():
    """Return a function that installs a PyPI package once, and returns its bin folder."""

    def installed(package):
        folder = Path.home() / ".cache" / f"django-site-{package}-{VERSIONS[package]}"
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / "lock"):
            if not (folder / "installed").exists():
                python = folder / "venv" / "bin" / "python"
                install = ["pip", "install", "--quiet", "--python", python]
                for command in (
                    ["venv", "--quiet", "--clear", python.parent.parent],
                    [*install, f"{package}=={VERSIONS[package]}"],
                ):
                    done = run([BIN / "uv", *command], folder)
                    assert done.returncode == 0, done.out
                (folder / "installed").touch()
        return folder / "venv" / "bin"

    return installed


@pytest.fixture
def typed(fakes, tmp_path):
    """Return a function that runs all blocks of a page, and returns the calls of a program."""
    make, calls = fakes
    folder = tmp_path / "my-site"
    folder.mkdir()

    def run_blocks(page, program, *others, **options):
        path = make(program, *others, **options)
        for lead, block in blocks(page).items():
            if program in block and not lead.startswith("`."):
                done = run(["bash", "-ec", block], folder, {"PATH": path})
                assert done.returncode == 0, (lead, done.out)
        return [words for name, *words in calls() if name == program]

    return run_blocks


def eb(tool, commands):
    """Parse each command with `eb`, and return the exit statuses."""
    script = [tool("awsebcli") / "python", ROOT / "tests" / "support" / "parse_eb.py"]
    lines = "".join(json.dumps(words) + "\n" for words in commands)
    done = subprocess.run(script, input=lines, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [*map(int, done.stdout.split())]


def test_eb_parses_every_command(tool, typed, tell):
    commands = typed("aws", "eb", "aws", "chmod", "sed", "uv")

    assert len(commands) > 5
    assert dict(zip(map(str, commands), eb(tool, commands), strict=True)) == dict.fromkeys(
        map(str, commands), 0
    )
    assert eb(tool, [["create", "--wrong"], ["nonsense"]]) == [2, 2]
    tell("commands of eb that are parsed", len(commands))


def az(tool, words, folder):
    """Run a command of `az` without a login, and return its error message."""
    environment = {"PATH": f"{folder}/bin:/usr/bin:/bin", "AZURE_CONFIG_DIR": str(folder)}
    environment["AZURE_CORE_COLLECT_TELEMETRY"] = "false"
    return run([tool("azure-cli") / "az", *words], folder, environment).stderr


def test_az_parses_every_command(tool, typed, tmp_path, tell):
    commands = typed("azure", "az", "docker", "git", fails_at="show")

    assert len(commands) > 9
    login = "Please run 'az login' to setup account."
    errors = {str(words): az(tool, words, tmp_path) for words in commands}
    assert {words: text for words, text in errors.items() if login not in text} == {}
    assert login not in az(tool, ["group", "create", "--wrong"], tmp_path)
    tell("commands of az that are parsed", len(commands))
