"""Sets the new project up by its own bootstrap.py, then makes its first commit.

If a deployment check fails, generation fails: exit 1, and cookiecutter deletes the project. If the
checks cannot run, the project is kept, staged and marked NOT VERIFIED.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path.cwd()
# The folder that the user stands in, where the shell tells.
START = os.environ.get("PWD") or os.devnull
MESSAGE = f"Start {PROJECT.name}"
ERROR_TRACKER = "{{ cookiecutter.error_tracker }}"
UNDER_CRUFT = "{{ '_commit' in cookiecutter }}" == "True"
WHO_YOU_ARE = [
    'git config --global user.name "Your Name"',
    'git config --global user.email "you@example.com"',
]

sys.dont_write_bytecode = True
sys.path.insert(0, str(PROJECT))
sys.stdout.reconfigure(errors="replace")

import bootstrap  # noqa: E402

# With cookiecutter -f, the project may have been here before: then it is nobody's to delete.
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
    """Return why nothing is to be set up, or None.

    cruft renders a template again and again in a temporary folder, to compare: a .venv or a .git
    in there would end up in the comparison.
    """
    is_temporary = Path(tempfile.gettempdir()).resolve() in PROJECT.resolve().parents
    if UNDER_CRUFT and is_temporary and PROJECT.resolve().parent != Path(START).resolve():
        return "for cruft to compare."
    if os.environ.get("COOKIECUTTER_SKIP_SETUP", "0") not in ("", "0"):
        finish = ", then ".join([*bootstrap.cd_command(START), "python bootstrap.py"])
        asks = "as COOKIECUTTER_SKIP_SETUP asks"
        return f"{asks}: NOT installed, NOT checked. To finish: {finish}"
    return None


def stage_and_commit(verified):
    """Stage all files, and commit them where they are `verified`; return the commands left to type.

    A repository of somebody's, here or in a folder above, is left as it is. What the user's own
    list of ignored files names is staged too: without .python-version, say, Heroku builds nothing.
    What cruft writes is left, too: it does so when this hook has ended.
    """
    cruft = ["git add .cruft.json"] if UNDER_CRUFT else []
    with bootstrap.step("git") as line:
        try:
            left = bootstrap.commands_for_git()
            if not left:
                line.result = "the template's changes are yours to commit"
                return ["git status", "git add --all", 'git commit -m "Update from the template"']
            if bootstrap.git("--version").returncode != 0:
                line.result = "not installed: nothing is committed"
                return left
            if bootstrap.repository() not in (None, PROJECT.resolve()):
                line.result = "in another repository; Heroku needs one of its own"
                return left
            git("init", "--quiet")
            git("symbolic-ref", "HEAD", "refs/heads/main")  # before 2.28, init has no -b
            git("-c", f"core.excludesFile={os.devnull}", "add", "--all")
            line.result = "staged, not committed"
            left = [left[-1]]
            if verified:
                left = [*cruft, *left]
                git("commit", "--quiet", "-m", MESSAGE)
                line.result = "first commit on main"
                left = cruft and [*cruft, "git commit --amend --no-edit"]
        except KeyboardInterrupt:
            line.result += ": interrupted"
        except subprocess.CalledProcessError as error:
            if "user.email" in error.stderr:
                line.result = "staged, not committed: git does not know your name"
                left = [*WHO_YOU_ARE, *left]
            else:
                line.result += f":\n\n{error.stderr}{error.stdout}\n"
    return left


def main():
    """Set up and commit; return the exit status."""
    choose_error_tracking()
    reason = reason_to_render_only()
    if reason:
        bootstrap.say(f"Rendered only, {reason}")
        return 0
    bootstrap.say(f"\n{bootstrap.paint(PROJECT.name, bootstrap.BOLD)}")
    try:
        bootstrap.set_up()
    except bootstrap.Unsafe as error:
        so = (
            "It is kept; the template has overwritten files."
            if IS_OLD
            else "No project was created."
        )
        bootstrap.say_unsafe(error, f" {so} (The error below is how cookiecutter stops.)")
        return 1
    except bootstrap.NotVerified as error:
        bootstrap.say_not_verified(error, START, stage_and_commit(verified=False))
    else:
        bootstrap.say_next(START, stage_and_commit(verified=True))
    return 0


sys.exit(main())
