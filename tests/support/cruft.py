"""Runs cruft and git as users do."""

from support.generated import BIN, Site

CRUFT = BIN / "cruft"


def commit(terminal, repository, message):
    terminal(repository, "git", "add", "--all")
    terminal(repository, "git", "commit", "-q", "--allow-empty", "-m", message)


def edit(folder, edits):
    """Replace text in files of `folder`."""
    for file, old, new in edits:
        path = folder / file
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        assert old in text, f"{file} has no {old}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")


def rendered(terminal, template, folder, *arguments):
    """Generate a site with cruft in `folder`, without setup, commit it, and return it."""
    folder.mkdir()
    command = [CRUFT, "create", "--no-input", template, *arguments]
    terminal(folder, *command, COOKIECUTTER_SKIP_SETUP="1")
    site = Site(folder / "my-site")
    terminal(site.path, "git", "init", "-q", "-b", "main")
    commit(terminal, site.path, "Start my-site")
    return site


def contents(site):
    """Return the text of each file that git tracks, by path, except .cruft.json and uv.lock."""
    made = {".cruft.json", "uv.lock"}
    return {path: (site.path / path).read_text(encoding="utf-8") for path in site.files() - made}


def status(site):
    return set(
        site.run("git", "status", "--porcelain", "--untracked-files=all").stdout.splitlines()
    )


def differs(site, terminal):
    """Return the files that `cruft diff` lists as different from the template's."""
    lines = terminal(site.path, CRUFT, "diff").splitlines()
    assert lines.pop(0) == "Rendered only, for cruft to compare."
    return {line.split("upstream-template-new/")[1] for line in lines if line.startswith("diff ")}
