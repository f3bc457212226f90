"""Sets up this folder: packages, .env, deployment checks and local database.

Run `python bootstrap.py` in a new clone, and again at any time, with Python 3.10 or newer.
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
PYTHON_VERSION = ROOT / ".python-version"
PYTHONS = ["3.15", "3.14", "3.13", "3.12"]
NO_DEV = ["--no-default-groups"]  # as Heroku installs
ON_WINDOWS = os.name == "nt"
PATH = os.environ.get("PATH", os.defpath).split(os.pathsep)
BIN = "Scripts" if ON_WINDOWS else "bin"
VENV_PYTHON = ROOT / ".venv" / BIN / "python"
# Progress and colours need a terminal with room for a line. See https://no-color.org
TERMINAL = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
TERMINAL = TERMINAL and shutil.get_terminal_size().columns > 72
COLOURS = TERMINAL and not os.environ.get("NO_COLOR")
if ON_WINDOWS:
    os.system("")  # makes the console show colours
PLAIN, BOLD, DIM, RED, GREEN, YELLOW = 0, 1, 2, 31, 32, 33
CHILD = {"cwd": ROOT, "stdin": subprocess.DEVNULL, "encoding": "utf-8", "errors": "replace"}

# Variables with which a child process uses another project or Python, or changes uv.lock.
MISLEADING = (
    "DJANGO_SETTINGS_MODULE|VIRTUAL_ENV|FORCE_COLOR|CLICOLOR_FORCE|GIT_(DIR|WORK_TREE|INDEX_FILE)|"
    "PYTHON.*|UV_(?!CACHE_DIR|CONCURRENT|DEFAULT_INDEX|EXTRA_INDEX|FIND_LINKS|HTTP_|INSECURE_HOST|"
    "INDEX(?!_STRATEGY)|KEYRING|LINK_MODE|NATIVE_TLS|OFFLINE|PYTHON_(DOWNLOAD|INSTALL)|SYSTEM_).*"
)
# Settings with which uv downloads packages and Pythons; others could change uv.lock.
UV_TOML = re.compile(
    r"\[\[index\]|(extra-)?index-url|find-links|cache-dir|keyring-provider|native-tls|system-certs|"
    r"allow-insecure-host|offline|link-mode|\w+-proxy|python-(downloads|install)"
)


class Unsafe(Exception):
    """The deployment checks failed; the message is their output."""


class NotVerified(Exception):
    """The deployment checks could not run; the message says why."""


def set_up():
    """Set up this folder, and print a line for each step."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        check_git()
        environment = clean_environment()
        uv = find_uv(environment, Path(scratch))
        environment |= {"XDG_CONFIG_HOME": f"{scratch}/config", "UV_NO_SYSTEM_CONFIG": "1"}
        indexes = write_uv_toml(Path(scratch, "config", "uv")) + str(environment)
        version, python = find_python(uv, environment)
        # The checks must not see the dev packages, which production does not have.
        is_new = make_venv(uv, version, python, environment)
        with step("packages", "locking them") as line:
            install(uv, environment, line, *NO_DEV if is_new else ())
            lock = (ROOT / "uv.lock").read_text(encoding="utf-8")
            line.result = f"{lock.count('[[package]]') - 1} locked in uv.lock, installed in .venv"
        write_env()
        try:
            with ThreadPoolExecutor() as background:  # the checks need no database
                migrated = background.submit(migrate, environment)
                check([VENV_PYTHON] if is_new else without_dev(uv), environment)
                with step("database", "migrating") as line:
                    line.result = migrated.result()
        finally:
            if is_new:
                with step("dev") as line:
                    install(uv, environment, line)
                    line.result = "packages of the dev group installed"
        pin(version)
        for host in sorted(set(re.findall(r'registry = "\w+://([^/"]+)', lock))):
            if host in indexes:
                say(f"\nuv.lock names {host}, from your uv configuration. Heroku has to reach it.")


def say(text, end="\n"):
    """Print `text`; after `| head` has closed the pipe, print nothing and continue."""
    try:
        print(text, end=end, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def paint(text, colour):
    """Return `text` in a colour, such as GREEN, if the terminal shows colours."""
    return f"\033[{colour}m{text}\033[0m" if COLOURS else text


@contextlib.contextmanager
def step(name, doing=""):
    """Print a step: its name, what it is `doing` while it runs, then its `result` and duration."""
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

    thread = threading.Thread(target=progress, daemon=True)
    try:  # an interrupt of start() must end the thread, too
        thread.start()
        yield line
    except KeyboardInterrupt:
        line.result = "interrupted"
        raise
    finally:
        ended.set()
        if thread.is_alive():
            thread.join()
        draw(line.result, RED if line.result == "failed" else PLAIN, "\n")


def run(command, environment, problem=""):
    """Run `command` in this folder; return the finished process with its output as text.

    If it fails and `problem` is given, raise NotVerified with `problem` and the last lines.
    """
    try:
        done = subprocess.run(command, env=environment, capture_output=True, **CHILD)
    except OSError as error:  # not installed, or not executable
        done = subprocess.CompletedProcess(command, 127, "", str(error))
    if problem and done.returncode != 0:
        raise NotVerified(f"{problem}:\n\n{last_lines(done.stderr)}")
    return done


def last_lines(text):
    """Return the last five lines of a program's output."""
    return "\n".join(text.strip().splitlines()[-5:]) or "it does not say why"


def git(*arguments):
    """Run git in this folder; return the finished process."""
    return run(["git", *arguments], clean_environment())


def check_git():
    """Raise NotVerified if an update left conflicts, or if git tracks .env."""
    names = git("grep", "-lE", "^(<{7}|>{7}) ").stdout.splitlines()
    names += [path.relative_to(ROOT).as_posix() for path in ROOT.glob("[!.]*/**/*.rej")]
    names += [path.name for path in ROOT.glob("*.rej")]
    if names:
        raise NotVerified(f"an update left conflicts in {', '.join(names)}.")
    if git("ls-files", ".env").stdout:
        raise NotVerified("git tracks .env, which has the SECRET_KEY: git rm --cached .env")


def behind_shims(*patterns):
    """Return the folders where pyenv, asdf and mise install programs: a shim may not work here."""
    homes = [Path(folder).parent for folder in PATH if Path(folder).name == "shims"]
    homes.append(Path(os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")))
    return [str(it) for home in homes for pattern in patterns for it in sorted(home.glob(pattern))]


def clean_environment():
    """Return the environment without the variables of the site and those in MISLEADING."""
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    hidden = "|".join([MISLEADING, *re.findall(r"(?m)^\w+(?==)", example)])
    environment = {name: it for name, it in os.environ.items() if not re.fullmatch(hidden, name)}
    folders = [folder for folder in PATH if Path(folder).name != "shims"]
    for version in PYTHONS:  # not all of them: uv runs each to ask its version
        bin = "" if ON_WINDOWS else "/bin"
        folders += behind_shims(f"versions/{version}*{bin}", f"installs/python/{version}*{bin}")
    return environment | {"PATH": os.pathsep.join(folders)}


def find_uv(environment, scratch):
    """Return the path of a uv that works; if there is none, pip installs one in `scratch`."""
    with step("uv") as line:
        folders = PATH + behind_shims("versions/*/bin", "installs/uv/*", "installs/uv/*/*")
        found = [shutil.which("uv", path=folder) for folder in [*folders, VENV_PYTHON.parent]]
        for uv in filter(None, [os.environ.get("UV"), *found]):
            version = run([uv, "--version"], environment)
            if version.returncode == 0:
                line.result = version.stdout.split()[1]
                # The one in .venv is copied, because .venv may be replaced.
                return shutil.copy(uv, scratch) if ROOT in Path(uv).parents else uv
        line.doing = "fetching it with pip"
        pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
        pip += ["--only-binary=:all:", "--target", scratch, "uv"]
        run(pip, environment, "uv is not installed (see https://docs.astral.sh/uv), and pip failed")
        line.result = "fetched with pip, for this run"
        return shutil.which("uv", path=f"{scratch}/bin{os.pathsep}{scratch}/Scripts")


def write_uv_toml(folder):
    """Write the settings of the user's uv.toml that are in UV_TOML into `folder`; return them."""
    home = Path(os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config"))
    path = Path(os.environ.get("UV_CONFIG_FILE") or home / "uv" / "uv.toml")
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    top, *tables = re.split(r"(?m)^(?=\[)", text)
    statements = [*re.split(r"(?m)^(?=[a-z])", top), *tables]
    kept = "".join(statement for statement in statements if UV_TOML.match(statement))
    folder.mkdir(parents=True)
    (folder / "uv.toml").write_text(kept, encoding="utf-8")
    return kept


def find_python(uv, environment):
    """Return version and path of the Python to use.

    It is the one that .python-version names or the newest here. If there is none, uv downloads it.
    """
    with step("Python", "looking for it") as line:
        pinned = re.search(r"3\.\d+", PYTHON_VERSION.read_text())[0]
        find = [uv, "python", "find", "--system", "--no-python-downloads"]
        for request in [*(f"@{version}" for version in [pinned, *PYTHONS]), f">={PYTHONS[0]}"]:
            python = run([*find, f"cpython{request}"], environment).stdout.strip()
            if python:
                version = re.search(r"3\.\d+", run([python, "--version"], environment).stdout)[0]
                line.result = f"{version}, found"
                return version, python
        line.doing = f"downloading {pinned}"
        download = [uv, "python", "install", pinned]
        run(download, environment, f"uv could not download Python {pinned}")
        line.result = f"{pinned}, downloaded by uv"
        return pinned, pinned


def make_venv(uv, version, python, environment):
    """Create .venv, unless it has this Python and can be moved; return whether it is new."""
    config = ROOT / ".venv" / "pyvenv.cfg"
    can_be_moved = config.is_file() and "relocatable = true" in config.read_text(encoding="utf-8")
    its_version = run([VENV_PYTHON, "--version"], environment).stdout
    if can_be_moved and its_version.startswith(f"Python {version}."):
        return False
    command = [uv, "venv", "--relocatable", "--clear", "--python", python, ".venv"]
    run(command, environment, "uv could not make .venv")
    return True


def install(uv, environment, line, *options):
    """Update uv.lock if needed, and install the packages in .venv."""
    said = "it does not say why"
    output = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    command = [uv, "sync", "--python", VENV_PYTHON, *options]
    with subprocess.Popen(command, env=environment, **output, **CHILD) as sync:
        for text in sync.stderr:
            if text.strip() and not text.startswith("hint:"):
                line.doing = said = text.strip().removeprefix("cause: ")
    if sync.returncode != 0:
        raise NotVerified(f"uv could not install the packages (is there a network?): {said}")


def without_dev(uv):
    """Return the command for Python in a temporary environment without the dev packages."""
    options = ["--quiet", "--isolated", "--locked", *NO_DEV, "--python", VENV_PYTHON]
    return [uv, "run", *options, "python"]


def run_checks():
    """Run the deployment checks with production.env and no database. Needs the site's packages."""
    import django
    from django.core.management import call_command

    from project.environment import read_file

    os.environ |= read_file(ROOT / "tests" / "production.env")
    os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
    django.setup()
    call_command("check", deploy=True, fail_level="WARNING", databases=[])


def check(python, environment):
    """Run the deployment checks with the command `python`."""
    with step("checks", "check --deploy, as in production") as line:
        checks = run([*python, "-c", "import bootstrap; bootstrap.run_checks()"], environment)
        _, has_failed, failures = checks.stderr.partition("SystemCheckError: ")
        if has_failed:
            raise Unsafe(failures.strip())
        if checks.returncode != 0:
            raise NotVerified(f"the site does not start:\n\n{last_lines(checks.stderr)}")
        _, _, found = checks.stdout.rpartition("System check identified ")
        line.result = f"check --deploy: {found.strip().rstrip('.')}"


def migrate(environment):
    """Migrate the local database if it is SQLite; return what was done."""
    show = "from project.environment import read_file; print(read_file('.env')['DATABASE_URL'])"
    url = run([VENV_PYTHON, "-c", show], environment)
    if url.returncode == 0 and not url.stdout.startswith("sqlite:"):
        return "not migrated: .env names one that is not SQLite"  # it may hold other data
    command = [VENV_PYTHON, "manage.py", "migrate", "--noinput", "--skip-checks"]
    run(command, environment, "migrate failed")
    return "migrated"


def pin(version):
    """Write the Python that was checked into .python-version, so that Heroku uses it."""
    if not f"{PYTHON_VERSION.read_text().strip()}.".startswith(f"{version}."):
        with step("version") as line:
            PYTHON_VERSION.write_text(f"{version}\n")
            line.result = f"this site uses Python {version}; so will Heroku"


def write_env():
    """Write .env with a new key, readable by this user only, unless it exists."""
    with step(".env") as line:
        line.result = "kept as it is"
        if (ROOT / ".env").exists():
            return
        example = (ROOT / ".env.example").read_text(encoding="utf-8")
        text = re.sub("(?m)^SECRET_KEY=.*$", f"SECRET_KEY={secrets.token_urlsafe(50)}", example)
        fresh = ROOT / ".venv" / "env"  # renamed when complete
        fresh.touch(0o600)
        fresh.write_text(text, encoding="utf-8")
        fresh.rename(ROOT / ".env")
        line.result = "written, with a fresh SECRET_KEY"


def commands_for_git():
    """Return the git commands that are left to commit the project in its own repository."""
    commands = ["git add --all", f'git commit -m "Start {ROOT.name}"']
    if Path(git("rev-parse", "--show-toplevel").stdout.strip()) != ROOT:
        return ["git init -b main", *commands]
    return commands if git("rev-parse", "--verify", "HEAD").returncode != 0 else []


def cd_command(start):
    """Return, in a list, the cd command from the folder `start` to this one, if it needs one."""
    start = Path(start).resolve()
    if start == ROOT:
        return []
    path = str(ROOT.relative_to(start) if start in ROOT.parents else ROOT)
    return [f'cd "{path}"' if ON_WINDOWS else f"cd {shlex.quote(path)}"]


def activate():
    """Return the command that activates .venv in the user's shell."""
    if ON_WINDOWS and "MSYSTEM" not in os.environ:  # which Git Bash sets
        return r".venv\Scripts\activate"
    shell = Path(os.environ.get("SHELL", "sh")).name
    if shell in ("bash", "zsh", "fish"):
        return f"source .venv/{BIN}/activate" + (".fish" if shell == "fish" else "")
    if shell.endswith("csh"):
        return f'setenv PATH "$cwd/.venv/{BIN}:$PATH"'
    return f'export PATH="$PWD/.venv/{BIN}:$PATH"'


def main(start=".", python="", commit=lambda is_verified: commands_for_git(), unsafe=""):
    """Set up this folder; print the result, and the commands to type next in the folder `start`.

    `python` is the command to run this file with; `commit` returns the git commands that are left;
    `unsafe` is printed if a check failed. Return 0 if verified, 1 if unsafe, 2 if not verified.
    """
    sys.stdout.reconfigure(errors="replace")
    problem = None
    try:
        set_up()
    except Unsafe as error:
        say(f"\n{error}\n\n{paint('UNSAFE', RED)}: the deployment checks above failed.{unsafe}")
        return 1
    except KeyboardInterrupt:
        problem = "it was interrupted."
    except NotVerified as error:
        problem = str(error)
    except Exception as error:  # such as a full disk: the project must be kept
        problem = f"{type(error).__name__}: {error}"
    git_commands = commit(not problem)
    if problem:
        heading = f"{paint('NOT VERIFIED', YELLOW)}: {problem}\n\nTo finish:"
        commands = [f"{python or Path(sys.executable).name} bootstrap.py", *git_commands]
    else:
        heading = f"{paint('Verified.', GREEN)} Next, run one line at a time:"
        commands = [*git_commands, activate()]
        commands += ["python manage.py createsuperuser", "python manage.py runserver"]
    say(f"\n{heading}\n")
    for command in [*cd_command(start), *commands]:
        say(f"  {paint(command, BOLD)}")
    if problem:
        return 2
    say('\nThen open http://127.0.0.1:8000/\nTo deploy: README.md, "Deploy it"')
    return 0


if __name__ == "__main__":
    sys.exit(main())
