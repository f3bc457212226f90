"""Sets this folder up: packages, deployment checks, .env, local database. python bootstrap.py

Run it in a fresh clone, and again at any time, with Python 3.10 or newer; the site's is found or
downloaded.
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
PYTHONS = ["3.15", "3.14", "3.13", "3.12"]
NO_DEV = ["--no-default-groups"]  # as Heroku installs
ON_WINDOWS = os.name == "nt"
PATH = os.environ.get("PATH", os.defpath).split(os.pathsep)
BIN = "Scripts" if ON_WINDOWS else "bin"
VENV_PYTHON = ROOT / ".venv" / BIN / "python"
# Progress and colours are for terminals that a line fits into; https://no-color.org
TERMINAL = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
TERMINAL = TERMINAL and shutil.get_terminal_size().columns > 72
COLOURS = TERMINAL and not os.environ.get("NO_COLOR")
if ON_WINDOWS:
    os.system("")  # has the console show them, too
PLAIN, BOLD, DIM, RED, GREEN, YELLOW = 0, 1, 2, 31, 32, 33
CHILD = {"cwd": ROOT, "stdin": subprocess.DEVNULL, "encoding": "utf-8", "errors": "replace"}

# Variables that lead a child process to another project or interpreter, or change uv.lock.
MISLEADING = re.compile(
    "DJANGO_SETTINGS_MODULE|VIRTUAL_ENV|FORCE_COLOR|CLICOLOR_FORCE|GIT_(DIR|WORK_TREE|INDEX_FILE)|"
    "PYTHON.*|UV_(?!CACHE_DIR|CONCURRENT|DEFAULT_INDEX|EXTRA_INDEX|FIND_LINKS|HTTP_|INSECURE_HOST|"
    "INDEX(?!_STRATEGY)|KEYRING|LINK_MODE|NATIVE_TLS|OFFLINE|PYTHON_(DOWNLOAD|INSTALL)|SYSTEM_).*"
)
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
            count = lock.count("[[package]]") - 1
            line.result = f"{count} locked in uv.lock, installed in .venv"
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


def say(text="", end="\n"):
    """Print `text`, if anybody reads it: after `| head`, the work goes on."""
    try:
        print(text, end=end, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def paint(text, colour):
    """Return `text` in a colour, such as GREEN, where there is a terminal that shows it."""
    return f"\033[{colour}m{text}\033[0m" if COLOURS else text


@contextlib.contextmanager
def step(name, doing=""):
    """Print a step's name, then its `result` and seconds; in between, what it is `doing`."""
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
    except KeyboardInterrupt:
        line.result = "interrupted"
        raise
    finally:
        ended.set()
        if beside.is_alive():
            beside.join()
        draw(line.result, RED if line.result == "failed" else PLAIN, "\n")


def run(command, environment, problem=""):
    """Run `command` in this folder; return the finished process with its output as text.

    If the command fails and `problem` is set, raise NotVerified with both.
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
    """Return the environment without the site's variables and MISLEADING ones."""
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    hidden = re.compile("|".join([MISLEADING.pattern, *re.findall(r"(?m)^\w+(?==)", example)]))
    environment = {name: it for name, it in os.environ.items() if not hidden.fullmatch(name)}
    folders = [folder for folder in PATH if Path(folder).name != "shims"]
    for version in PYTHONS:  # uv would try out each of the others, too
        bin = "" if ON_WINDOWS else "/bin"
        folders += behind_shims(f"versions/{version}*{bin}", f"installs/python/{version}*{bin}")
    return environment | {"PATH": os.pathsep.join(folders)}


def find_uv(environment, scratch):
    """Return the path of a uv that works here, if need be of one that pip installs in `scratch`."""
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
    """Write a uv.toml into `folder` with what the user's own has of UV_TOML, and return that."""
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
    """Return version and path of the Python to use: that of .python-version, or the newest here.

    If there is none, uv downloads that of .python-version.
    """
    with step("Python", "looking for it") as line:
        pinned = ".".join((ROOT / ".python-version").read_text().strip().split(".")[:2])
        find = [uv, "python", "find", "--system", "--no-python-downloads"]
        versions = [f"@{version}" for version in dict.fromkeys([pinned, *PYTHONS])]
        for version in [*versions, f">={PYTHONS[0]}"]:
            found = run([*find, f"cpython{version}"], environment)
            if found.returncode == 0:
                python = found.stdout.strip()
                show = "import sys; print('%d.%d' % sys.version_info[:2])"
                version = run([python, "-c", show], environment).stdout.strip()
                line.result = f"{version}, found"
                return version, python
        line.doing = f"downloading {pinned}"
        download = [uv, "python", "install", pinned]
        run(download, environment, f"uv could not download Python {pinned}")
        line.result = f"{pinned}, downloaded by uv"
        return pinned, pinned


def make_venv(uv, version, python, environment):
    """Make .venv, unless it has this Python and can be moved; return whether it is new."""
    config = VENV_PYTHON.parent.parent / "pyvenv.cfg"
    text = config.read_text(encoding="utf-8") if config.is_file() and VENV_PYTHON.exists() else ""
    if "relocatable = true" in text and f"version_info = {version}." in text:
        return False
    command = [uv, "venv", "--relocatable", "--clear", "--python", python, ".venv"]
    run(command, environment, "uv could not make .venv")
    return True


def install(uv, environment, line, *options):
    """Lock the packages, if need be, and install them in .venv."""
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
    """Return the command that runs Python in an environment of its own without dev packages."""
    options = ["--quiet", "--isolated", "--locked", *NO_DEV, "--python", VENV_PYTHON]
    return [uv, "run", *options, "python"]


def run_checks():
    """Run the deployment checks with production.env and no database, in the site's own Python."""
    import django
    from django.core.management import call_command

    from project.environment import read_file

    os.environ |= read_file(ROOT / "tests" / "production.env")
    os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
    django.setup()
    call_command("check", deploy=True, fail_level="WARNING", databases=[])


def check(python, environment):
    """Have the command `python` run the deployment checks."""
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
    """Migrate the local database, if it is SQLite, and return what was done."""
    show = "from project.environment import read_file; print(read_file('.env')['DATABASE_URL'])"
    url = run([VENV_PYTHON, "-c", show], environment)
    if url.returncode == 0 and not url.stdout.startswith("sqlite:"):
        return "not migrated: .env names one that is not SQLite"  # it may hold other data
    command = [VENV_PYTHON, "manage.py", "migrate", "--noinput", "--skip-checks"]
    run(command, environment, "migrate failed")
    return "migrated"


def pin(version):
    """Write the Python that passed into .python-version, for Heroku."""
    path = ROOT / ".python-version"
    pinned = path.read_text().strip()
    if pinned != version and not pinned.startswith(f"{version}."):
        with step("version") as line:
            path.write_text(f"{version}\n")
            line.result = f"this site uses Python {version}; so will Heroku"


def write_env():
    """Write .env with a fresh key, readable by this user only, unless there is one."""
    with step(".env") as line:
        line.result = "kept as it is"
        if (ROOT / ".env").exists():
            return
        example = (ROOT / ".env.example").read_text(encoding="utf-8")
        text = re.sub("(?m)^SECRET_KEY=.*$", f"SECRET_KEY={secrets.token_urlsafe(50)}", example)
        fresh = ROOT / ".venv" / "env"  # moved when it is complete
        fresh.touch(0o600)
        fresh.write_text(text, encoding="utf-8")
        fresh.rename(ROOT / ".env")
        line.result = "written, with a fresh SECRET_KEY"


def repository():
    """Return the folder of the git repository that this folder is in, or None."""
    top = git("rev-parse", "--show-toplevel")
    return Path(top.stdout.strip()) if top.returncode == 0 else None


def commands_for_git():
    """Return the commands that are left to commit the project in a repository of its own."""
    commands = ["git add --all", f'git commit -m "Start {ROOT.name}"']
    if repository() != ROOT:
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
    """Return what activates .venv in the shell that the user has."""
    if ON_WINDOWS and "MSYSTEM" not in os.environ:  # which Git Bash sets
        return r".venv\Scripts\activate"
    shell = Path(os.environ.get("SHELL", "sh")).name
    if shell in ("bash", "zsh", "fish"):
        return f"source .venv/{BIN}/activate" + (".fish" if shell == "fish" else "")
    if shell.endswith("csh"):
        return f'setenv PATH "$cwd/.venv/{BIN}:$PATH"'
    return f'export PATH="$PWD/.venv/{BIN}:$PATH"'


def say_commands(heading, *commands):
    """Print a heading, and commands to type."""
    say(f"\n{heading}\n")
    for command in commands:
        say(f"  {paint(command, BOLD)}")


def main(start=".", python="python", commit=lambda is_verified: commands_for_git(), unsafe=""):
    """Set up this folder; print the result, and the commands to type next in the folder `start`.

    `python` starts this file; `commit` returns the git commands that are left; `unsafe` is added if
    a deployment check failed. Return the exit status: 0 verified, 1 unsafe, 2 not verified.
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
        say_commands(heading, *cd_command(start), f"{python} bootstrap.py", *git_commands)
        return 2
    heading = f"{paint('Verified.', GREEN)} Next, run one line at a time:"
    commands = ["python manage.py createsuperuser", "python manage.py runserver"]
    say_commands(heading, *cd_command(start), *git_commands, activate(), *commands)
    say('\nThen open http://127.0.0.1:8000/\nTo deploy: README.md, "Deploy it"')
    return 0


if __name__ == "__main__":
    sys.exit(main())
