"""Sets up the new project with its own bootstrap.py, then makes its first commit.

If a deployment check fails, generation fails: exit 1, and cookiecutter deletes the project. If the
checks cannot run, the project is kept, staged and marked NOT VERIFIED.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path.cwd()
# The folder of the user's shell; cookiecutter runs this hook in the project.
START = os.environ.get("PWD") or os.devnull
ERROR_TRACKER = "{{ cookiecutter.error_tracker }}"
UNDER_CRUFT = "{{ '_commit' in cookiecutter }}" == "True"
SET_NAME = [
    'git config --global user.name "Your Name"',
    'git config --global user.email "you@example.com"',
]

sys.dont_write_bytecode = True
sys.path.insert(0, str(PROJECT))
sys.stdout.reconfigure(errors="replace")

import bootstrap  # noqa: E402

# With --overwrite-if-exists, the project may exist already. Then it must not be deleted.
IS_OLD = any(Path(name).exists() for name in (".git", ".env", ".venv", "uv.lock"))


def git(*arguments):
    """Run git in the project; raise CalledProcessError if it fails."""
    bootstrap.git(*arguments).check_returncode()


def choose_error_tracking():
    """Keep the module of the chosen error tracker, as error_tracking.py."""
    for module in Path("project").glob("*_error_tracking.py"):
        if module.name == f"{ERROR_TRACKER}_error_tracking.py":
            module.replace(module.with_name("error_tracking.py"))
        else:
            module.unlink()
    if ERROR_TRACKER == "none":
        Path("project/errors.py").unlink()


def reason_to_render_only():
    """Return why the project is not set up, or None.

    cruft renders the template in a temporary folder to compare it. A .venv or .git there would be
    compared, too.
    """
    is_temporary = Path(tempfile.gettempdir()).resolve() in bootstrap.ROOT.parents
    if UNDER_CRUFT and is_temporary and bootstrap.ROOT.parent != Path(START).resolve():
        return "for cruft to compare."
    if os.environ.get("COOKIECUTTER_SKIP_SETUP", "0") not in ("", "0"):
        finish = ", then ".join([*bootstrap.cd_command(START), "python bootstrap.py"])
        asks = "as COOKIECUTTER_SKIP_SETUP asks"
        return f"{asks}: NOT installed, NOT checked. To finish: {finish}"
    return None


def python_command():
    """Return the command that starts Python 3.10 or newer in the user's shell.

    Cookiecutter's own Python is not on the PATH there: uvx adds it while it runs.
    """
    own = Path(sys.prefix, bootstrap.BIN)
    path = os.pathsep.join(folder for folder in bootstrap.PATH if Path(folder) != own)
    for name in ("python", "python3", "py"):
        program = shutil.which(name, path=path)
        is_new_enough = [program, "-c", "import sys; sys.exit(sys.version_info < (3, 10))"]
        if program and bootstrap.run(is_new_enough, None).returncode == 0:
            return name
    return sys.executable


def stage_and_commit(is_verified):
    """Stage all files, and commit them if `is_verified`; return the git commands to type.

    A repository that exists, here or in a folder above, is not changed. The user's own list of
    ignored files is not used: without .python-version, for example, Heroku does not build.
    """
    # cruft writes its file after this hook.
    cruft = ["git add .cruft.json"] if UNDER_CRUFT else []
    left = bootstrap.commands_for_git()
    try:
        with bootstrap.step("git") as line:
            if not left:
                line.result = "the template's changes are yours to commit"
                left = ["git status", "git add --all", 'git commit -m "Update from the template"']
            elif bootstrap.git("--version").returncode != 0:
                line.result = "not installed: nothing is committed"
            elif "git init -b main" in left and bootstrap.git("rev-parse").returncode == 0:
                line.result = "in another repository; Heroku needs one of its own"
            else:
                git("init", "--quiet")
                git("symbolic-ref", "HEAD", "refs/heads/main")  # git 2.27 has no init -b
                git("-c", f"core.excludesFile={os.devnull}", "add", "--all")
                line.result = "staged, not committed"
                left = left[-2:]  # with git add, because bootstrap.py will write uv.lock
                if is_verified:
                    left = [*cruft, left[-1]]
                    git("commit", "--quiet", "-m", f"Start {PROJECT.name}")
                    left = cruft and [*cruft, "git commit --amend --no-edit"]
                    line.result = "first commit on main"
    except KeyboardInterrupt:
        pass  # the step has printed it
    except subprocess.CalledProcessError as error:
        if "user.email" in error.stderr:
            bootstrap.say("\ngit does not know your name.")
            left = [*SET_NAME, *left]
        else:
            bootstrap.say(f"\ngit failed:\n\n{error.stderr}{error.stdout}", end="")
    return left


def main():
    """Set up and commit; return the exit status."""
    choose_error_tracking()
    reason = reason_to_render_only()
    if reason:
        bootstrap.say(f"Rendered only, {reason}")
        return 0
    bootstrap.say(f"\n{bootstrap.paint(PROJECT.name, bootstrap.BOLD)}")
    kept = "No project was created."
    if IS_OLD:
        kept = "It is kept; the template has overwritten files."
    unsafe = f" {kept} (The error below is how cookiecutter stops.)"
    status = bootstrap.main(START, python_command(), stage_and_commit, unsafe)
    return 1 if status == 1 else 0  # a project that is not verified is kept


sys.exit(main())
