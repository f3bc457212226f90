"""The steps of docs/bring-your-own-app.md, which move an old site into a generated one."""

import os
import re
import textwrap

import pytest
from support.client import PASSWORD, Client
from support.generated import BIN, QUICK_STATIC_FILES, run
from support.heroku import build
from support.mover import NO_OBJECT_STORAGE, PRINT_DATA, SHELL, Mover, commands, steps
from support.router import https

pytestmark = pytest.mark.slow


@pytest.fixture
def mover(site, make_copy, local_environment):
    return Mover(make_copy(site()), local_environment)


def test_old_site_works_in_production_after_the_steps_of_the_page(
    mover, postgres, free_port, tmp_path
):
    mover.site.add_settings(QUICK_STATIC_FILES)
    mover.make_old_site()
    old_data = mover.write_data()
    assert old_data.count("\n") == 6
    mover.move()
    export, convert, load = steps()[11:14]
    for step in (export, convert):
        mover.follow(step)
    failed = run(["bash", "-c", *commands(load)], mover.site.path, mover.environment)
    assert "UNIQUE constraint failed" in failed.out  # the step describes this error and its fix
    (lines,) = re.findall("```python\n(.+?)```", load, re.DOTALL)
    receiver = "created, **kwargs):\n"
    mover.site.replace(
        "accounts/models.py", receiver, f"{receiver}{textwrap.indent(lines, '    ')}"
    )

    output = mover.follow(load)
    mover.site.add_settings(NO_OBJECT_STORAGE)
    mover.replace([mover.site.path / "project/settings.py"], "\nenv.refuse_problems()", "")
    mover.site.add_settings("env.refuse_problems()")
    output += "".join(mover.follow(step) for step in steps()[14:17])

    assert re.search(r"^blog/tests.py \.\.\. ", output, re.MULTILINE), output
    assert "check --deploy: no issues (1 silenced)" in output
    assert mover.site.run("git", "status", "--porcelain").stdout == ""
    assert mover.type(*SHELL, PRINT_DATA) == old_data

    # In production.
    folder = tmp_path / "heroku"
    folder.mkdir()
    app = build(mover.site.path, folder / "app", mover.site.python.resolve(), BIN / "uv")
    app.config |= mover.site.production(DATABASE_URL=postgres.database(f"own{free_port}"))
    released = app.run(app.lines["release"])
    assert released.returncode == 0, released.out
    (folder / "heroku").write_text(
        '#!/bin/sh\n[ "$*" = "config:get DATABASE_URL" ] && echo "$PRODUCTION"\n'
    )
    (folder / "heroku").chmod(0o755)
    mover.environment["PATH"] += f"{os.pathsep}{folder}"
    mover.environment["PRODUCTION"] = app.config["DATABASE_URL"]
    mover.type("bash", "-c", commands(steps()[17])[0])
    dyno = app.dyno(free_port)
    try:
        with https(tmp_path, free_port) as router:
            check_site(Client(router.server_port, tls=True), Client(router.server_port, tls=True))
    finally:
        dyno.stop()
    assert "Traceback" not in dyno.text()


def check_site(client, ada):
    """Check the pages and the sign-up with one client, and write a post as Ada."""
    assert "Guten Tag" in client.get("/")[2]
    status, headers, page = client.get("/blog/")
    assert status == 200 and "&quot;auth.user&quot;" in page and "<title>Blog" in page
    nonce = re.search("style-src [^;]*'nonce-(.+?)'", headers["Content-Security-Policy"])[1]
    assert f'<style nonce="{nonce}">' in page
    for name in ("blog/blog", "css/style"):
        style = re.search(rf'href="(/static/{name}\..+?\.css)"', page)[1]
        assert client.get(style)[1]["Cache-Control"].endswith("immutable")
    status, headers, page = client.get("/blog/2/")
    assert status == 200 and "by ada" in page and "<h1>Café</h1>" in page
    nonce = re.search("script-src [^;]*'nonce-(.+?)'", headers["Content-Security-Policy"])[1]
    assert f'<script nonce="{nonce}">' in page
    assert "Café" not in client.get("/blog/by/grace/")[2]
    assert "Page not found" in client.get("/nothing/")[2]
    login = client.get("/blog/new/")[1]["Location"]
    assert login == "/accounts/login/?next=/blog/new/"
    assert "Willkommen zurück" in client.get(login)[2]
    assert client.get("/boom/")[1]["Location"] == "/admin/login/?next=/boom/"

    client.get("/accounts/sign-up/")
    form = {"username": "new", "email": "n@example.com"}
    form |= {"password1": PASSWORD, "password2": PASSWORD}
    assert client.post("/accounts/sign-up/", form)[1]["Location"] == "/accounts/profile/"
    assert "Profil von new" in client.get("/accounts/profile/")[2]

    ada.get(login)
    form = {"username": "ada", "password": PASSWORD}
    assert ada.post("/accounts/login/", form)[1]["Location"] == "/blog/"
    assert ada.post("/blog/new/", {"title": "Fourth", "body": "Hello"})[1]["Location"] == "/blog/4/"
    assert "by ada" in client.get("/blog/4/")[2]


@pytest.mark.exotic
@pytest.mark.parametrize(
    ("skipped", "errors"),
    [
        ("settings.AUTH_USER|makemigr", {"bootstrap.py": ["E301", "'settings.AUTH_USER_MODEL'"]}),
        (
            "In the other Python files|block main",
            {
                "bootstrap.py": ["E020", "blog.views uses User", "accounts.forms uses"],
                "-m pytest blog tests/test_site.py": ["swapped for", "a block called content"],
            },
        ),
        ("makemigrations", {"bootstrap.py": ["E014", "blog", "manage.py makemigrations"]}),
        ("static files", {"bootstrap.py": ["E019", "templates/base.html", "css/style.css"]}),
    ],
)
def test_skipped_steps_are_reported(mover, skipped, errors):
    mover.make_old_site()
    if skipped == "static files":
        (mover.old / "static" / "css" / "style.css").unlink()
        skipped = None
    mover.move(skipped)

    for command, words in errors.items():
        failed = run(["python", *command.split()], mover.site.path, mover.environment)
        assert failed.returncode == 1
        for word in words:
            assert word in failed.out


def test_unsupported_email_settings_are_reported(site, make_copy, local_environment):
    own = make_copy(site())
    own.add_settings('EMAIL_HOST = "mail.example.com"')

    failed = own.manage("check", env=local_environment)

    assert "`EMAIL_…`: production uses the environment variable `EMAIL_URL` instead" in steps()[3]
    assert failed.returncode != 0 and failed.stderr.rstrip().endswith(": EMAIL_HOST.")
