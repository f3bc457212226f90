"""The container of docs/platforms/container.md: build, release, web process, SIGTERM."""

import subprocess
import time
from contextlib import contextmanager

import pytest
from support.client import HOST, Client
from support.containers import BUILDAH, DOCKER, Buildah, Docker, wait_for
from support.generated import TEMPLATE, procfile, run, unused_port
from support.platforms import block, blocks, clone
from support.router import https

pytestmark = [
    pytest.mark.slow,
    pytest.mark.exotic,
    pytest.mark.skipif(not DOCKER and not BUILDAH, reason="neither Docker nor Buildah can run"),
]

DEFAULT = (TEMPLATE / ".python-version").read_text().strip()


def version(source):
    """Return a site's version of Python."""
    return (source.path / ".python-version").read_text().strip()


@pytest.fixture
def image(site, tmp_path):
    """Yield a Docker or a Buildah; its `source` is a clone of a Site with the page's files.

    Both FROM lines have the site's version of Python, as the page says.
    """
    source = clone(site(), tmp_path / "my-site")
    (source.path / ".env").write_text("SECRET_KEY=not-for-the-image\n")
    for lead, text in blocks("container").items():
        if lead.startswith("`"):
            text = text.replace(f"python:{DEFAULT}-", f"python:{version(source)}-")
            (source.path / lead.split("`")[1]).write_text(text)
    tag = f"my-site-{tmp_path.parent.name}"
    image = Docker(tag) if DOCKER else Buildah(tag, tmp_path / "storage")
    image.source = source
    yield image
    image.clean_up()


def test_dockerfile_and_release_match_the_procfile(site):
    lines = procfile(site().path)
    command = block("container", "`Dockerfile`").split("CMD [")[1]
    assert command == ", ".join(f'"{word}"' for word in lines["web"].split()) + "]\n"
    release = block("container", "Locally, the release command")
    assert f"bash -c '{lines['release']}'" in release
    assert block("container", "`Dockerfile`").count(f"python:{DEFAULT}-slim") == 2


@contextmanager
def started_container(image, environment, log):
    """Start the image's default command; yield its process, and stop it if it still runs."""
    with log.open("w") as opened:
        command = image.command(environment)
        process = subprocess.Popen(command, stdout=opened, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        if process.poll() is None:
            image.terminate(process, log.read_text())
            process.wait(30)


def test_container_is_built_released_served_and_stopped(image, postgres, tmp_path, tell):
    started = time.monotonic()
    image.build(image.source.path)
    tell("container: build", f"{time.monotonic() - started:.0f} s")
    size, base = (f"{size / 1e6:.0f} MB" for size in image.size())
    tell("container: image", f"{size}, {base} of it the base image")
    port = unused_port()
    database = postgres.database("container")
    environment = image.source.production(DATABASE_URL=database, ALLOWED_HOSTS=HOST, PORT=str(port))
    environment["PYTHONWARNINGS"] = "error,ignore::ResourceWarning"

    def execute(*command, **changes):
        return run(image.command(environment | changes, *command), tmp_path)

    release = ["bash", "-c", procfile(image.source.path)["release"]]
    unsafe = execute(*release, DEBUG="on")
    assert unsafe.returncode == 1 and "Applying" not in unsafe.out, unsafe.out
    released = execute(*release)
    assert "Applying identity.0001_initial... OK" in released.out, released.out
    assert "Read-only" in (output := execute("touch", "/app/new").out) or "denied" in output
    assert execute("id", "-u").stdout.strip() == "1001"
    excluded = [".env", ".git", ".venv/bin/pytest", ".venv/bin/uv"]
    assert execute("ls", *excluded).out.count("No such file") == len(excluded)
    assert execute("bash", "-c", "ls project/__pycache__/settings.*.pyc").returncode == 0

    log = tmp_path / "log"
    with started_container(image, environment, log) as process:
        seconds = wait_for(process, port, log)
        tell("container: start to first connection", f"{seconds:.1f} s")
        client = Client(port)
        assert client.get("/healthz", Host="10.0.0.1")[0] == 200
        assert client.get()[0] == 301
        with https(tmp_path, port) as router:
            status, headers, page = Client(router.server_port, tls=True).get("/")
        assert status == 200 and "<h1>My Site</h1>" in page
        assert "/static/site." in page and headers["Strict-Transport-Security"]
        stopped = time.monotonic()
        image.terminate(process, log.read_text())
        process.wait(10)
        tell("container: SIGTERM to end", f"{time.monotonic() - stopped:.1f} s")
    assert "Shutting down" in log.read_text()
