"""The first deploy, simulated: build, release, and the responses of two dynos behind a router.

The build has only committed files, a real Postgres, and the variables of Heroku's buildpack.
Faults are in test_faults.py, attacks in tests/attacks/.
"""

import re

import pytest
from support.client import HOST, HTTPS, Client
from support.deployed import on_heroku
from support.heroku import build_errors

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("requirements.txt", "django\n", "lock file"),
        ("poetry.lock", "", "lock file"),
        ("uv.lock", None, "lock file"),
        ("runtime.txt", "python-3.13\n", "runtime.txt"),
        (".python-version", None, ".python-version"),
        (".python-version", "3.13\n3.12\n", "one version"),
        (".python-version", ">=3.13\n", "one version"),
        (".python-version", "# none\n", "one version"),
        (".venv/pyvenv.cfg", "", "virtual environment"),
        (".heroku/python", "", "buildpack"),
    ],
)
def test_buildpack_rejects_wrong_files(tmp_path, name, text, word):
    for path, content in (("uv.lock", ""), (".python-version", "3.13\n"), (name, text)):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(content or "")
    if text is None:
        (tmp_path / name).unlink()

    (error,) = build_errors(tmp_path)

    assert word in error


@pytest.mark.parametrize("error_tracker", ["rollbar", "sentry"])
def test_build_adds_only_packages_and_static_files(app, error_tracker):
    built = app(error_tracker)

    changed = built.run("git status --porcelain --ignored")
    programs = {path.name for path in (built.folder / ".venv" / "bin").iterdir()}

    left = {line for line in changed.out.splitlines() if "__pycache__" not in line}
    assert left == {"!! .venv/", "!! staticfiles/"}
    assert "gunicorn" in programs and not programs & {"pytest", "ruff", "uv"}


def test_release_migrates_once_and_changes_nothing_if_it_fails(app, postgres):
    release = app().lines["release"]
    database = {"DATABASE_URL": postgres.database("releases")}
    count = "from django.db import connection; print(len(connection.introspection.table_names()), 'tables')"

    failed = [
        app().run(release, **database | broken)
        for broken in (
            {"ALLOWED_HOSTS": "*"},
            {"SECURE_HSTS_SECONDS": "an hour"},
        )
    ]
    unchanged = app().run(f'python manage.py shell --no-imports -c "{count}"', **database)
    first, second = (app().run(release, **database) for _ in range(2))

    assert all(done.returncode != 0 and "Traceback" not in done.out for done in failed)
    assert unchanged.stdout == "0 tables\n"
    assert first.returncode == second.returncode == 0, first.out + second.out
    assert "Applying identity.0001_initial... OK" in first.stdout
    assert "No migrations to apply." in second.stdout


def test_session_is_valid_on_both_dynos(deployed):
    one, other = (dyno.port for dyno in deployed.dynos)
    client = Client(deployed.router.server_port, tls=True)
    deployed.router.take_out(other)
    try:
        assert client.log_in("ada") == 302
        deployed.router.put_in(other)
        deployed.router.take_out(one)
        status, _, page = client.get("/admin/")
    finally:
        deployed.router.ports[:] = [one, other]

    assert status == 200 and "Site administration" in page


def test_responses_to_a_client(deployed):
    status, headers, _ = Client(deployed.dynos[0].port).get(
        "/page/", **{"X-Forwarded-Proto": "http"}
    )
    assert (status, headers["Location"]) == (301, f"https://{HOST}/page/")

    client = Client(deployed.router.server_port, tls=True)
    status, headers, page = client.get("/")
    assert status == 200 and "<h1>My Site</h1>" in page
    assert headers["Strict-Transport-Security"] == "max-age=3600; includeSubDomains; preload"

    for path, host, status, words in (
        ("/nothing/", HOST, 404, "Page not found"),
        ("/errors/500/", HOST, 404, "Page not found"),
        ("/", "example.org", 400, "Bad request"),
        ("/healthz", "10.0.0.1", 200, "ok"),
        ("/readyz", "10.0.0.1", 200, "ok"),
    ):
        response = client.get(path, Host=host)
        assert response[0] == status and words in response[2]


def test_static_files_are_hashed_immutable_and_compressed(deployed):
    client = Client(deployed.router.server_port, tls=True)
    pages = client.get("/")[2] + client.get("/admin/login/")[2]
    links = re.findall(r'(?:href|src)="(/static/.+?)"', pages)

    assert len(links) > 5
    for link in links:
        assert re.search(r"\.[0-9a-f]{12}\.", link)
        sizes = {}
        for encoding in ("br", "gzip", "identity"):
            accept = HTTPS | {"Accept-Encoding": encoding}
            status, headers, _ = Client(deployed.dynos[0].port).get(link, **accept)
            assert status == 200
            assert headers["Cache-Control"] == "max-age=315360000, public, immutable"
            assert "default-src 'none'" in headers["Content-Security-Policy"]
            assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
            assert "Access-Control-Allow-Origin" not in headers
            sizes[headers.get("Content-Encoding", "identity")] = int(headers["Content-Length"])
        if sizes["identity"] > 500:
            assert sizes["br"] < sizes["gzip"] < sizes["identity"]
    assert client.get("/static/site.css")[0] == 200  # 500.html links it


def check_boom(deployed):
    """Check that /boom/ reports one error for staff, and redirects others to the login."""
    deployed.tracker.items.clear()
    with deployed.alone() as dyno:
        client = Client(deployed.router.server_port, tls=True)
        assert client.get("/boom/")[1]["Location"] == "/admin/login/?next=/boom/"
        request_id, status = deployed.boom()
        deployed.tracker.wait_for(1)

    assert status == 500
    (text,) = deployed.tracker.texts(deployed.app.folder / ".venv" / "bin" / "python")
    assert "Boom!" in text and request_id in text and deployed.commit in text
    log = dyno.text()
    assert log.count("Traceback (most recent call last)") == log.count("RuntimeError: Boom!") == 1
    assert f"ERROR django.request [{request_id}] Internal Server Error: /boom/" in log
    assert re.search(rf"^GET /boom/ 500 \d+ms request_id={request_id}$", log, re.MULTILINE)


def test_boom_is_reported_to_rollbar(deployed):
    check_boom(deployed)


def test_boom_is_reported_to_sentry(app, postgres, tmp_path):
    with on_heroku(app("sentry"), "sentry", postgres, tmp_path) as deployed:
        check_boom(deployed)
