"""The commands of docs/backups.md, run while gunicorn serves requests that write rows."""

import itertools
import os
import re
import shutil
import signal
import sqlite3
import threading
import time
from contextlib import closing, contextmanager

import pytest
from support.client import HTTPS, Client
from support.generated import QUICK_PASSWORDS, QUICK_STATIC_FILES, ROOT, release, run
from support.own_server import FAKE_PROGRAMS
from support.platforms import BLOCK

pytestmark = [pytest.mark.slow, pytest.mark.exotic]
needs_sqlite3 = pytest.mark.skipif(not shutil.which("sqlite3"), reason="sqlite3 is not installed")

PAGE = (ROOT / "docs" / "backups.md").read_text(encoding="utf-8")
MODEL = """from django.db import models


class Note(models.Model):
    number = models.IntegerField()
"""
FIELD = '    text = models.CharField(max_length=9, default="-")\n'
VIEWS = """from django.http import HttpResponse
from application.models import Note


def home(request):
    return HttpResponse(Note.objects.create(number=request.GET["number"]).number)
"""


def block(section, lead):
    """Return the code block below a heading whose introduction begins with `lead`."""
    text = PAGE.split(f"## {section}\n")[1].split("\n## ")[0]
    (found,) = (block for line, block in BLOCK.findall(text) if line.startswith(lead))
    return found


@pytest.fixture
def noted(make_deployed):
    """Return a Site that writes a row for each request, with its first migration."""
    site = make_deployed()
    site.add_settings(QUICK_STATIC_FILES, QUICK_PASSWORDS)
    (site.path / "application" / "models.py").write_text(MODEL)
    (site.path / "application" / "views.py").write_text(VIEWS)
    migrate(site, "notes")
    return site


def migrate(site, name):
    """Create a migration, with a database in memory."""
    environment = site.production(DATABASE_URL="sqlite://:memory:")
    made = site.manage("makemigrations", "application", "--name", name, env=environment)
    assert made.returncode == 0, made.out


@contextmanager
def writing(front, numbers):
    """Run four clients that send increasing numbers; yield the list of numbers in the responses."""
    stop, written = threading.Event(), []

    def write():
        while not stop.is_set():
            status, _, text = front.get(f"/?number={next(numbers)}", **HTTPS)
            assert status == 200
            written.append(int(text))

    clients = [threading.Thread(target=write) for _ in range(4)]
    for client in clients:
        client.start()
    try:
        yield written
    finally:
        stop.set()
        for client in clients:
            client.join()


def check(site, environment, serve, port, backup, restore):
    """Back up while clients write, and restore; check that the rows before the backup are back."""
    released = release(site, environment)
    assert released.returncode == 0, released.out
    gunicorn = [site.python.parent / "gunicorn", "project.wsgi", "--workers", "2"]
    server = serve(site, *gunicorn, env=environment | {"PORT": str(port)}, port=port)
    front, numbers = Client(port, "my-site.herokuapp.com"), itertools.count()
    with writing(front, numbers) as written:
        until = time.monotonic() + 30
        while len(written) < 100 and time.monotonic() < until:
            time.sleep(0.01)
        before = set(written)
        backup()
        during = len(written) - len(before)
    assert len(before) >= 100 and during
    os.killpg(server.pid, signal.SIGTERM)
    server.wait(30)
    assert rows(site, environment) == set(written)
    damaged = site.manage("shell", "-c", "Note.objects.all().delete()", env=environment)
    assert damaged.returncode == 0, damaged.out
    restore()
    restored = rows(site, environment)
    assert before <= restored < set(written)
    assert "[ ]" not in site.manage("showmigrations", env=environment).out


def rows(site, environment):
    """Return the numbers in the database."""
    command = "print(*Note.objects.values_list('number', flat=True))"
    printed = site.manage("shell", "--verbosity=0", "-c", command, env=environment)
    assert printed.returncode == 0, printed.out
    return set(map(int, printed.stdout.split()))


def typed(folder, lines, path, **environment):
    """Run lines in bash, and check that all succeed."""
    done = run(["bash", "-ec", lines], folder, environment | {"PATH": f"{path}:/usr/bin:/bin"})
    assert done.returncode == 0, done.out


def programs(folder, **texts):
    """Create a folder with fakes of programs that need root; return it."""
    folder.mkdir()
    for name, text in texts.items():
        (folder / name).write_text(f"#!/bin/bash\n{text}\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.mark.parametrize(
    "backup, restore",
    [
        ("A backup, while", "The restore, which"),
        ("A backup of the server's own", "The restore of the server's own"),
    ],
)
def test_restored_postgres_has_the_rows_of_the_backup(
    noted, postgres, serve, free_port, tmp_path, backup, restore
):
    name = "my-site" if "own" in backup else "backups"
    environment = noted.production(DATABASE_URL=postgres.database(name))
    bin = programs(tmp_path / "bin", systemctl="", runuser=FAKE_PROGRAMS["runuser"])
    # On the page, a database on the server is reached by its Unix socket. Here, variables name it.
    own = {
        "PGHOST": "127.0.0.1",
        "PGPORT": str(postgres.port),
        "PGUSER": "postgres",
        "PGPASSWORD": postgres.PASSWORD,
    }
    found = own if "own" in backup else {"DATABASE_URL": environment["DATABASE_URL"]}

    def command(lead):
        lines = block("Postgres elsewhere", lead).replace("/root/", f"{tmp_path}/")
        typed(tmp_path, lines, f"{bin}:{postgres.server.bin_path}", **found)

    check(
        noted, environment, serve, free_port, lambda: command(backup), lambda: command(restore)
    )  # fmt: skip


def leave_a_wal(database):
    """Leave writes in the -wal file, as a crash does; closing a connection would empty it."""
    wal = database.with_name(f"{database.name}-wal")
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("DROP TABLE django_session")
        connection.execute("CREATE TABLE later (number)")
        left = wal.read_bytes()
    wal.write_bytes(left)


@needs_sqlite3
def test_restored_sqlite_has_the_rows_of_the_backup(noted, serve, free_port, tmp_path):
    for name in ("data", "backup"):
        (tmp_path / name).mkdir()
    bin = programs(tmp_path / "bin", systemctl="")
    owner = {"--owner my-site --group my-site ": ""}
    places = {"/var/lib/my-site": f"{tmp_path}/data", "/root": f"{tmp_path}/backup"} | owner
    noted.add_settings('SILENCED_SYSTEM_CHECKS.append("deploy.E002")')
    environment = noted.production(DATABASE_URL=f"sqlite:///{tmp_path}/data/db.sqlite3")

    def command(lead):
        lines = block("SQLite", lead)
        for old, new in places.items():
            lines = lines.replace(old, new)
        typed(tmp_path, lines, bin)

    def restore():
        leave_a_wal(tmp_path / "data" / "db.sqlite3")
        (backup,) = (tmp_path / "backup").iterdir()
        backup.rename(tmp_path / "backup" / "my-site.sqlite3")
        command("The restore")

    check(noted, environment, serve, free_port, lambda: command("A backup"), restore)


def test_migration_is_unapplied_before_its_code_is_removed(noted, postgres):
    environment = noted.production(DATABASE_URL=postgres.database("back"))
    assert release(noted, environment).returncode == 0
    models = noted.path / "application" / "models.py"
    models.write_text(MODEL + FIELD)
    migrate(noted, "text")
    assert release(noted, environment).returncode == 0

    lines = re.findall("^python (.+)$", block("Roll back across a migration", "Save"), re.M)
    for line in lines:
        line = line.replace("shop", "application").replace("0007", "0001")
        done = noted.manage(*line.split()[1:], env=environment)
        assert done.returncode == 0, done.out
    assert "Unapplying application.0002_text... OK" in done.out
    models.write_text(MODEL)
    (noted.path / "application" / "migrations" / "0002_text.py").unlink()
    created = "Note.objects.create(number=1)"
    assert noted.manage("shell", "-c", created, env=environment).returncode == 0
