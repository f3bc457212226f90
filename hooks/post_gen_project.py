"""Sets the new project up by its own bootstrap.py, then makes its first commit.

An unsafe project does not come out: exit 1, and cookiecutter deletes it. Whatever could not be
judged is kept, staged and called NOT VERIFIED.
"""

import os
import sys
import tempfile
from pathlib import Path

PROJECT = Path.cwd()
# The folder that the user stands in, where the shell tells.
START = os.environ.get("PWD") or os.devnull
MESSAGE = f"Start {PROJECT.name}"
UNDER_CRUFT = "{{ '_commit' in cookiecutter }}" == "True"
WHO_YOU_ARE = [
    'git config --global user.name "Your Name"',
    'git config --global user.email "you@example.com"',
]

sys.dont_write_bytecode = True
sys.path.insert(0, str(PROJECT))
sys.stdout.reconfigure(errors="replace")

import bootstrap  # noqa: E402

# An inherited GIT_DIR, as in a git hook, would have the commit made in another repository.
GIT_ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if name not in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE")
}


class GitFailed(Exception):
    """git did not do what it should; the message is what it said."""


def git(*arguments):
    """Run git in the project and return what it prints; raise GitFailed where it fails."""
    finished = bootstrap.run(["git", *arguments], GIT_ENVIRONMENT)
    if finished.returncode != 0:
        raise GitFailed((finished.stderr + finished.stdout).strip())
    return finished.stdout


def reason_to_render_only():
    """Return why nothing is to be set up, or None.

    cruft renders a template again and again in a temporary folder, to compare: a .venv or a .git
    in there would end up in the comparison.
    """
    is_temporary = Path(tempfile.gettempdir()).resolve() in PROJECT.resolve().parents
    if UNDER_CRUFT and is_temporary and PROJECT.resolve().parent != Path(START).resolve():
        return "for cruft to compare."
    if os.environ.get("COOKIECUTTER_SKIP_SETUP", "0") not in ("", "0"):
        finish = ", then ".join([*bootstrap.go_to(START), "python bootstrap.py"])
        asks = "as COOKIECUTTER_SKIP_SETUP asks"
        return f"{asks}: NOT installed, NOT checked. To finish: {finish}"
    return None


def inside_repository():
    """Return whether a folder above is a git repository, which the project's files belong to."""
    try:
        return git("rev-parse", "--is-inside-work-tree").strip() == "true"
    except GitFailed:
        return False


def put_under_git(verified):
    """Stage all files, and commit them where they are `verified`; return the commands left to type.

    What the user's own list of ignored files names is staged too: without .python-version, say,
    Heroku builds nothing. What cruft writes is left, too: it does so when this hook has ended.
    """
    commit = f'git commit -m "{MESSAGE}"'
    cruft = ["git add .cruft.json"] if UNDER_CRUFT else []
    left = ["git init -b main", "git add --all", commit]
    with bootstrap.step("git") as line:
        try:
            if inside_repository():
                line.result = "in another repository; Heroku wants one of its own"
                return []
            git("init", "--quiet", "-b", "main")
            left = left[1:]
            git("-c", f"core.excludesFile={os.devnull}", "add", "--all")
            line.result = "staged, not committed"
            if verified:
                left = [*cruft, commit]
                git("commit", "--quiet", "-m", MESSAGE)
                line.result = "first commit on main"
                left = cruft and [*cruft, "git commit --amend --no-edit"]
        except OSError:  # also one that may not be executed
            line.result = "not installed: nothing is committed"
        except KeyboardInterrupt:
            line.result += ": interrupted"
        except GitFailed as error:
            if "user.email" in str(error):
                line.result = "staged, not committed: it does not know your name"
                left = [*WHO_YOU_ARE, *left]
            else:
                line.result += f", for it says:\n\n{error}\n\n"
    return left


def main():
    """Set up and commit; return the exit status."""
    reason = reason_to_render_only()
    if reason:
        bootstrap.say(f"Rendered only, {reason}")
        return 0
    bootstrap.say(f"\n{bootstrap.paint(PROJECT.name, bootstrap.BOLD)}")
    try:
        bootstrap.set_up()
    except bootstrap.Unsafe as error:
        bootstrap.say_unsafe(
            error, " No project is made. (What follows is cookiecutter's way to stop.)"
        )
        return 1
    except bootstrap.NotVerified as error:
        bootstrap.say_not_verified(error, START, put_under_git(verified=False))
    else:
        bootstrap.say_next(START, put_under_git(verified=True))
    return 0


sys.exit(main())
