"""Makes this folder a working site: packages, deployment checklist, .env, local database.

    python bootstrap.py

For a fresh clone, and again whenever it is useful. Any Python from 3.10 on can run it: what the
site itself runs on is found here, or fetched.
"""

import sys

if sys.version_info < (3, 10):
    sys.exit("bootstrap.py needs Python 3.10 or newer, and this is " + sys.version.split()[0] + ".")

import contextlib
import os
import re
import secrets
import shlex
import shutil
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parent
PYTHONS = ["3.14", "3.13", "3.12"]
ON_WINDOWS = os.name == "nt"
NO_DEV = ["--no-default-groups"]  # as Heroku installs
BIN = "Scripts" if ON_WINDOWS else "bin"
VENV_PYTHON = ROOT / ".venv" / BIN / "python"
# Progress and colours are for terminals that a line fits into; https://no-color.org has the switch.
TERMINAL = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
TERMINAL = TERMINAL and shutil.get_terminal_size().columns > 72
COLOURS = TERMINAL and not os.environ.get("NO_COLOR")
if ON_WINDOWS:
    os.system("")  # has the console show them, too
PLAIN, BOLD, DIM, RED, GREEN, YELLOW = 0, 1, 2, 31, 32, 33
CHILD = {"cwd": ROOT, "stdin": subprocess.DEVNULL, "encoding": "utf-8", "errors": "replace"}

# What would lead a child process elsewhere: to another project, interpreter or settings module.
# PYTHONDONTWRITEBYTECODE would have each Django command compile Django anew.
MISLEADING = {"DJANGO_SETTINGS_MODULE", "PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONPATH"}
MISLEADING |= {"UV_PROJECT", "UV_PROJECT_ENVIRONMENT", "UV_RUN_RECURSION_DEPTH", "VIRTUAL_ENV"}
MISLEADING |= {"FORCE_COLOR", "CLICOLOR_FORCE"}  # what they say is read


class Unsafe(Exception):
    """The deployment checklist has been run and has failed; the message is what it said."""


class NotVerified(Exception):
    """Something kept the checklist from being run; the message says what, in a sentence."""


def set_up():
    """Take each step and print its line. Raise Unsafe or NotVerified where that cannot be done."""
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
            environment = clean_environment()
            uv = find_uv(environment, Path(scratch))
            version, python = find_python(uv, environment)
            # The checks must not see the dev packages, which production does not have.
            is_new = not VENV_PYTHON.exists()
            with step("packages", "locking them") as line:
                install(uv, python, environment, line, *NO_DEV if is_new else ())
                count = (ROOT / "uv.lock").read_text(encoding="utf-8").count("[[package]]") - 1
                line.result = f"{count} locked in uv.lock, installed in .venv"
            write_env()
            with ThreadPoolExecutor() as beside:  # the checks need no database
                migrated = beside.submit(migrate, environment)
                check([VENV_PYTHON] if is_new else without_dev(uv, python), environment)
                with step("database", "migrating") as line:
                    line.result = migrated.result()
            if is_new:
                with step("dev") as line:
                    install(uv, python, environment, line)
                    line.result = "packages of the dev group installed"
            pin(version)
    except (Unsafe, NotVerified):
        raise
    except KeyboardInterrupt:
        raise NotVerified("it was interrupted") from None
    except Exception as error:  # a full disk, say: nothing of what is there may be lost over it
        raise NotVerified(f"{type(error).__name__}: {error}") from error


def say(text="", end="\n"):
    """Print `text`. Where nobody reads any more, as after `| head`, the work goes on."""
    try:
        print(text, end=end, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def paint(text, colour):
    """Return `text` in a colour, such as GREEN, where there is a terminal that shows it."""
    return f"\033[{colour}m{text}\033[0m" if COLOURS else text


@contextlib.contextmanager
def step(name, doing=""):
    """Print the line of a step: its name as it begins, its `result` and the seconds as it ends.

    Between the two, a terminal shows what it is `doing`, and the seconds as they pass.
    """
    say(f"  {name:<11}", end="")
    line = SimpleNamespace(doing=doing, result="failed")
    start, ended = time.monotonic(), threading.Event()

    def draw(text, colour, end=""):
        again = f"\r  {name:<11}" if TERMINAL else ""
        seconds = f"{time.monotonic() - start:6.1f} s"
        say(again + paint(f"{text:<52}", colour) + paint(seconds, DIM), end)

    def progress():
        while TERMINAL and not ended.wait(0.1):
            draw(line.doing[:50], DIM)

    beside = threading.Thread(target=progress, daemon=True)
    try:  # from here on, an interrupt finds its way to the end of the line
        beside.start()
        yield line
    finally:
        ended.set()
        if beside.is_alive():
            beside.join()
        draw(line.result, RED if line.result == "failed" else PLAIN, "\n")


def run(command, environment):
    """Run `command` in this folder; return the finished process with its output as text."""
    return subprocess.run(command, env=environment, capture_output=True, **CHILD)


def last_line(text):
    """Return the last line of a program's output: where it says what went wrong."""
    return (text.strip() or "it does not say why").splitlines()[-1].strip()


def variables(name):
    """Return the variables of a file such as .env.example, as a dict."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))


def clean_environment():
    """Return this process's environment without the site's variables and what would mislead.

    pyenv's shims answer for its active version alone, and for uv not at all in a folder that has
    a .python-version: in PATH, the versions that they stand for take their place.
    """
    hidden = variables(".env.example").keys() | MISLEADING
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    pyenv = Path(os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv"))
    folders = environment.get("PATH", os.defpath).split(os.pathsep)
    folders = [folder for folder in folders if Path(folder) != pyenv / "shims"]
    for version in PYTHONS:  # uv would try out each of the others, too
        for path in pyenv.glob(f"versions/{version}*"):
            folders.append(str(path if ON_WINDOWS else path / "bin"))
    environment["PATH"] = os.pathsep.join(folders)
    return environment


def find_uv(environment, scratch):
    """Return the path of a uv that works here, if need be of one that pip installs in `scratch`."""
    with step("uv") as line:
        on_path = shutil.which("uv", path=environment["PATH"])
        for uv in (os.environ.get("UV"), on_path, VENV_PYTHON.with_name("uv")):
            with contextlib.suppress(OSError):
                version = run([uv, "--version"], environment) if uv else None
                if version and version.returncode == 0:
                    line.result = version.stdout.split()[1]
                    return uv
        line.doing = "fetching it with pip"
        pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
        pip += ["--only-binary=:all:", "--target", scratch, "uv"]
        if run(pip, environment).returncode == 0:
            line.result = "fetched with pip, for this once"
            return shutil.which("uv", path=f"{scratch}/bin{os.pathsep}{scratch}/Scripts")
        raise NotVerified("uv is not installed, and pip cannot fetch it: see docs.astral.sh/uv")


def find_python(uv, environment):
    """Return the version and the path of the interpreter to use.

    The one of .python-version comes first, which Heroku runs, then the newest. Where this machine
    has none, the path is a version, which uv downloads.
    """
    with step("Python") as line:
        pinned = ".".join((ROOT / ".python-version").read_text().strip().split(".")[:2])
        find = [uv, "python", "find", "--system", "--no-python-downloads"]
        for version in dict.fromkeys([pinned, *PYTHONS]):
            found = run([*find, f"cpython@{version}"], environment)
            if found.returncode == 0:
                line.result = f"{version}, on this computer"
                return version, found.stdout.strip()
        line.result = f"{pinned}, which uv downloads"
        return pinned, pinned


def install(uv, python, environment, line, *options):
    """Lock the packages in uv.lock, if need be, and install them in .venv; `line` has progress."""
    said = "it does not say why"
    output = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    command = [uv, "sync", "--python", python, *options]
    with subprocess.Popen(command, env=environment, **output, **CHILD) as sync:
        for text in sync.stderr:
            if text.strip() and not text.startswith("hint:"):
                line.doing = said = text.strip().removeprefix("cause: ")
    if sync.returncode != 0:
        raise NotVerified(f"uv could not install the packages (is there a network?): {said}")


def without_dev(uv, python):
    """Return the command that runs Python in an environment of its own without dev packages."""
    return [uv, "run", "--quiet", "--isolated", "--locked", *NO_DEV, "--python", python, "python"]


def check(python, environment):
    """Run Django's deployment checks with the command `python`, as in production.

    .env cannot help: the settings do not read it where SECRET_KEY is set.
    """
    with step("checklist", "check --deploy, as in production") as line:
        command = [*python, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
        checks = run(command, environment | variables("tests/production.env"))
        if "SystemCheckError: " in checks.stderr:
            raise Unsafe((checks.stdout + checks.stderr).strip())
        if checks.returncode != 0:
            raise NotVerified(f"the deployment checks could not run: {last_line(checks.stderr)}")
        found = last_line(checks.stdout).removeprefix("System check identified ")
        line.result = f"check --deploy: {found.rstrip('.')}"


def pin(version):
    """Have .python-version name the interpreter that passed: it is the one that Heroku will run."""
    path = ROOT / ".python-version"
    pinned = path.read_text().strip()
    if pinned != version and not pinned.startswith(f"{version}."):
        with step("version") as line:
            path.write_text(f"{version}\n")
            line.result = f"{version} in .python-version now: no {pinned} here"


def write_env():
    """Write .env with a key of its own, for this user's eyes only, unless there is one."""
    with step(".env") as line:
        example = (ROOT / ".env.example").read_text(encoding="utf-8")
        key = secrets.token_urlsafe(50)
        text = re.sub(r"^SECRET_KEY=.*$", f"SECRET_KEY={key}", example, flags=re.MULTILINE)
        if (ROOT / ".env").exists():
            line.result = "kept as it is"
            return
        fresh = ROOT / ".venv" / "env"  # it comes into its place when it is whole
        fresh.touch(0o600)
        fresh.write_text(text, encoding="utf-8")
        fresh.rename(ROOT / ".env")
        line.result = "written, with a fresh SECRET_KEY"


def migrate(environment):
    """Migrate the local database, if it is SQLite: any other may be somebody else's, too.

    Return what was done. The checks are left to the checklist, which runs beside.
    """
    if not variables(".env").get("DATABASE_URL", "").startswith("sqlite:"):
        return "left alone: .env names one that is not SQLite"
    migrated = run([VENV_PYTHON, "manage.py", "migrate", "--noinput", "--skip-checks"], environment)
    if migrated.returncode != 0:
        raise NotVerified(f"migrate failed: {last_line(migrated.stderr)}")
    return "migrated"


def go_to(start):
    """Return, in a list, the command that leads from the folder `start` to this one, if any."""
    start = Path(start).resolve()
    if start == ROOT:
        return []
    path = str(ROOT.relative_to(start) if start in ROOT.parents else ROOT)
    return [f'cd "{path}"' if ON_WINDOWS else f"cd {shlex.quote(path)}"]


def python_command():
    """Return what starts a Python that can run this file, as typed in this folder."""
    for name in ("python", "python3", "py"):
        works = [name, "-c", "import sys; sys.exit(sys.version_info < (3, 10))"]
        with contextlib.suppress(OSError):
            if run(works, None).returncode == 0:
                return name
    return sys.executable


def activate():
    """Return what activates .venv in the shell that the user has."""
    if ON_WINDOWS and "MSYSTEM" not in os.environ:  # which Git Bash sets
        return r".venv\Scripts\activate"
    shell = Path(os.environ.get("SHELL", "sh")).name
    endings = {"bash": "", "zsh": "", "fish": ".fish", "csh": ".csh", "tcsh": ".csh"}
    return f"{'source' if shell in endings else '.'} .venv/{BIN}/activate{endings.get(shell, '')}"


def say_unsafe(error, so=""):
    """Print what the checklist has found, and what follows from it."""
    say(f"\n{error}\n\n{paint('UNSAFE', RED)}: the deployment checklist fails, as above.{so}")


def say_not_verified(reason, start, left=()):
    """Print why nothing is proven, what finishes the job, and what is `left` to do after it."""
    say(f"\n{paint('NOT VERIFIED', YELLOW)}: {reason}.\nWhat finishes the job:\n")
    for command in [*go_to(start), f"{python_command()} bootstrap.py", *left]:
        say(f"  {paint(command, BOLD)}")


def say_next(start, left=()):
    """Print what to type next, beginning with what is `left` to do."""
    commands = ["python manage.py createsuperuser", "python manage.py runserver"]
    say(f"\n{paint('Verified.', GREEN)} Next, a line at a time:\n")
    for command in [*go_to(start), *left, activate(), *commands]:
        say(f"  {paint(command, BOLD)}")
    say('\nHere: http://127.0.0.1:8000/\nLive: README.md, "Put it live"')


def main():
    """Set this folder up. Exit status: 0 verified, 1 unsafe, 2 not verified."""
    sys.stdout.reconfigure(errors="replace")
    try:
        set_up()
    except Unsafe as error:
        say_unsafe(error)
        return 1
    except NotVerified as error:
        say_not_verified(error, os.getcwd())
        return 2
    say_next(os.getcwd())
    return 0


if __name__ == "__main__":
    sys.exit(main())
