"""The .env file: the formats that are read, and the errors for an invalid or missing file."""

import pytest
from support.generated import BIN

pytestmark = pytest.mark.slow

MARK = "s3cr3t"


def test_error_has_the_numbers_of_invalid_lines(site, make_copy):
    changed = make_copy(site())
    env = changed.path / ".env"
    lines = len(env.read_text().splitlines())
    with env.open("a") as opened:
        opened.write(f"PASSWORD = {MARK}\n{MARK}\n# a comment\n\n")

    failed = changed.run(changed.python, "manage.py", "check", env={})

    words = f".env has lines that are not NAME=value: {lines + 1}, {lines + 2}.\n"
    assert words in failed.stderr
    assert MARK not in failed.out and "Traceback" not in failed.out


LINES = (
    "SECRET_KEY={}abc{}\nDEBUG=True\nALLOWED_HOSTS=localhost\nDATABASE_URL=sqlite:///db.sqlite3\n"
)


@pytest.mark.parametrize(
    "content",
    [
        LINES.format("", "").encode(),
        LINES.format("", "").encode("utf-8-sig"),
        LINES.format("", "").encode("utf-16"),
        LINES.format("", "").replace("\n", "\r\n").encode(),
        LINES.format('"', '"').encode(),
        LINES.format("'", "'").replace("DEBUG", "export DEBUG").encode(),
        ("# Café\n\n  " + LINES.format("", "  ")).encode(),
    ],
    ids=["plain", "byte-order mark", "UTF-16", "Windows", "quotes", "export", "spaces"],
)
def test_env_file_formats(site, make_copy, content):
    """The settings and bootstrap.py read each format in the same way."""
    own = make_copy(site())
    (own.path / ".env").write_bytes(content)
    migrate = "import bootstrap; print(bootstrap.migrate(bootstrap.clean_environment()))"

    shown = own.shell("from django.conf import settings; print(settings.SECRET_KEY)", env={})
    migrated = own.run(own.python, "-c", migrate)

    assert shown.stdout == "abc\n", shown.out
    assert migrated.stdout == "migrated\n", migrated.out


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"\xe9=1\n", "is not text in UTF-8"), (b"SECRET KEY\n", "has lines that are not NAME=value: 1")],
)  # fmt: skip
def test_invalid_env_file_is_an_error(site, make_copy, environment, content, words):
    own = make_copy(site())
    (own.path / ".env").write_bytes(content)

    failed = own.run(own.python, "manage.py", "check", env={})
    again = own.run(BIN / "python", "bootstrap.py", env=environment)

    assert f"The site cannot start: .env {words}" in failed.stderr
    assert again.returncode == 2 and words in again.stdout
    assert "Traceback" not in failed.out + again.out


def test_error_without_env_file_names_bootstrap(site, make_copy):
    own = make_copy(site())
    (own.path / ".env").unlink()

    failed = own.run(own.python, "manage.py", "check", env={})

    assert failed.stderr.startswith("There is no .env: locally, python bootstrap.py writes it.")
    assert "Example" not in failed.stderr
