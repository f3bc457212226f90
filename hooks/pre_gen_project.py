"""Rejects invalid answers: reports all of them at once, each with an example of a valid one."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

from slugify import slugify

ANSWERS = json.loads(r"""{{ cookiecutter | tojson }}""")
SLUG = r"[a-z][a-z0-9-]{1,28}[a-z0-9]"
# In pieces, because Jinja renders this file, too.
JINJA = ["{" + mark for mark in "%#{"] + [mark + "}" for mark in "}#%"]
# Control characters, line and paragraph separators, and surrogates.
UNPRINTABLE = {"Cc", "Zl", "Zp", "Cs"}


def name_problem(name):
    """Return what is wrong with a site's name, or None."""
    if not name.strip():
        return "is empty"
    if name != name.strip():
        return "begins or ends with a space"
    if len(name) > 80:
        return "is longer than 80 characters"
    if any(unicodedata.category(character) in UNPRINTABLE for character in name):
        return "has a control character in it"
    if any(delimiter in name for delimiter in JINJA):
        # An update renders the answers again, and would run the code between delimiters.
        return "has a delimiter of the template language in it: " + " ".join(JINJA)
    return None


def good_slug(typed):
    """Return a valid slug made from `typed`, by the rule of cookiecutter.json."""
    slug = slugify(typed)
    if len(slug) < 3 or not slug[0].isalpha() or slug in ANSWERS["_dependencies"]:
        slug = f"site-{slug}"
    return slug[:30].strip("-")


def slug_problem(slug):
    """Return what is wrong with the name of a folder and a Heroku app, or None."""
    if not re.fullmatch(SLUG, slug):
        return "needs 3 to 30 of a-z, 0-9 and -, with a letter first and no - last"
    if slug in ANSWERS["_dependencies"]:
        return "is the name of a package that the site depends on"
    return None


def workers_problem(workers):
    """Return what is wrong with a number of workers, or None."""
    if workers == "auto" or re.fullmatch("[1-9]|[1-5][0-9]|6[0-4]", workers):
        return None
    return "is neither a number from 1 to 64 nor auto"


def choice_problem(*choices):
    """Return a function that returns what is wrong with an answer, unless it is in `choices`."""
    return lambda answer: None if answer in choices else "is not one of " + ", ".join(choices)


QUESTIONS = {
    "project_name": (name_problem, "My Site"),
    "project_slug": (slug_problem, "my-site"),
    "workers": (workers_problem, "2"),
    "error_tracker": (choice_problem("rollbar", "sentry", "none"), "rollbar"),
    "hsts": (choice_problem("django", "proxy"), "django"),
}


def cookiecutter():
    """Return the command that starts cookiecutter in the user's shell, as a list.

    uvx adds its own folder to PATH while it runs, and `pipx run` uses a cache.
    """
    is_in_cache = any((folder / "CACHEDIR.TAG").exists() for folder in Path(sys.prefix).parents)
    own = Path(sys.prefix, "Scripts" if os.name == "nt" else "bin")
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    path = os.pathsep.join(it for it in folders if not (is_in_cache and Path(it) == own))
    if shutil.which("cookiecutter", path=path):
        return ["cookiecutter"]
    if is_in_cache and shutil.which("uvx", path=path):
        return ["uvx", "cookiecutter"]
    if "pipx" in sys.prefix and shutil.which("pipx", path=path):
        return ["pipx", "run", "cookiecutter"]
    return [sys.executable, "-m", "cookiecutter"]


def again(accepted):
    """Return the command that asks again, with the `accepted` answers filled in."""
    command = cookiecutter()
    command.append(ANSWERS["_template"])
    if ANSWERS.get("_checkout"):
        command += ["--checkout", ANSWERS["_checkout"]]
    if ANSWERS["_output_dir"] != os.environ.get("PWD"):
        command += ["--output-dir", ANSWERS["_output_dir"]]
    command += [f"{question}={answer}" for question, answer in accepted.items()]
    return subprocess.list2cmdline(command) if os.name == "nt" else shlex.join(command)


def main():
    """Print what is wrong with the answers; return the exit status, 1 if any is invalid."""
    accepted, rejected = {}, []
    for question, (problem, example) in QUESTIONS.items():
        answer = str(ANSWERS[question])
        wrong = problem(answer)
        if wrong:
            example = good_slug(answer) if question == "project_slug" else example
            rejected.append(f"  {question} {wrong}. Example: {example}")
        else:
            accepted[question] = answer
    if not rejected:
        return 0
    if "project_name" not in accepted:
        accepted.pop("project_slug", None)  # its default is made from the name
    sys.stdout.reconfigure(errors="replace")
    print("\nNo project was created, because of these answers:\n", *rejected, sep="\n")
    if "_output_dir" in ANSWERS:  # cruft, which has its own command, does not set it
        print(f"\nTo answer again:\n\n  {again(accepted)}\n")
    print("The error below is how cookiecutter stops.\n")
    return 1


sys.exit(main())
