"""A site that is live: two dynos behind a router, a database, a tracker, and Ada of the staff."""

import http.client
import socket
import ssl
import uuid
from contextlib import ExitStack, closing, contextmanager, suppress
from http.cookies import SimpleCookie
from urllib.parse import urlencode

import pytest
from filelock import FileLock

from support.fake_tracker import FakeTracker
from support.generated import BIN, listeners, unused_port, wait_until
from support.heroku import App, build
from support.router import https

HOST = "my-site.herokuapp.com"
HTTPS = {"X-Forwarded-Proto": "https"}
PASSWORD = "a-long-and-boring-passphrase"


def by_http(dyno, path="/", seconds=30, **headers):
    """Ask a dyno itself; return status, headers and content."""
    connection = http.client.HTTPConnection("127.0.0.1", dyno.port, timeout=seconds)
    with closing(connection):
        connection.request("GET", path, headers={"Host": HOST} | headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


def patience(dyno):
    """Ask for the home page by a new connection; return whether it came within a second."""
    try:
        return by_http(dyno, seconds=1, **HTTPS)[0] == 200
    except TimeoutError:
        return False


def head(request, *headers, host=f"Host: {HOST}", proto="X-Forwarded-Proto: https"):
    """Return the head of a request as bytes, and the empty line after it."""
    form = "Content-Type: application/x-www-form-urlencoded"
    lines = [f"{request} HTTP/1.1", host, proto, form, *headers]
    return "\r\n".join([*filter(None, lines), "", ""]).encode("latin-1")


def form(size):
    """Return the headers without which a form of so many bytes would not be read."""
    return f"Content-Length: {size}", "Cookie: csrftoken=" + "a" * 32, f"Origin: https://{HOST}"


def answer_to(dyno, *parts, seconds=30):
    """Send parts of a request; return the status of the answer, though it come before the end."""
    with socket.create_connection(("127.0.0.1", dyno.port), seconds) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            for part in parts:
                connection.sendall(part)
        return int(connection.makefile("rb").readline().split()[1])


class Person:
    """A client that keeps cookies and follows no redirect."""

    def __init__(self, router):
        self.router = router
        self.context = ssl.create_default_context(cafile=router.certificate)
        self.cookies = {}

    def ask(self, method, path, body=None, **headers):
        """Return status, headers and text of an answer."""
        address = f"localhost:{self.router.server_port}"
        connection = http.client.HTTPSConnection(address, context=self.context, timeout=40)
        headers = {"Host": HOST, "Referer": f"https://{HOST}/", "Cookie": self.cookie()} | headers
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        for header in answer.headers.get_all("Set-Cookie") or []:
            self.cookies |= {name: it.value for name, it in SimpleCookie(header).items()}
        return answer.status, answer.headers, text

    def get(self, path, **headers):
        return self.ask("GET", path, **headers)

    def post(self, path, form):
        """Send a form, with the token that an earlier page has set."""
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.ask(
            "POST", path, f"{form}&csrfmiddlewaretoken={self.cookies['csrftoken']}", **kind
        )

    def cookie(self):
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def log_in(self, name):
        """Fill in the form at the admin's door, and return the answer's status."""
        self.get("/admin/login/")
        form = {"username": name, "password": PASSWORD, "next": "/admin/"}
        return self.post("/admin/login/", urlencode(form))[0]


class Live:
    """An App with its release and its dynos; `dynos` are the two that the router sends to."""

    def __init__(self, app, tracker, database):
        self.app = app
        self.tracker = tracker
        self.commit = uuid.uuid4().hex
        self.started = ExitStack()
        app.config |= tracker.variables | {"DATABASE_URL": database}
        for command in (
            app.lines["release"],
            f"DJANGO_SUPERUSER_PASSWORD={PASSWORD} python manage.py createsuperuser --noinput"
            " --username=ada --email=ada@example.com",
        ):
            done = app.run(command)
            assert done.returncode == 0, done.out

    def start(self, name, port=None, **changes):
        """Start a dyno, with some variables changed; return it when both workers listen."""
        changes["HEROKU_BUILD_COMMIT"] = self.commit
        dyno = self.app.dyno(port or unused_port(), name, **changes)
        self.started.callback(lambda: dyno.process.poll() is None and dyno.stop())
        wait_until(lambda: listeners(dyno.port) == 2)
        return dyno

    @contextmanager
    def alone(self, **changes):
        """Start a dyno, with some variables changed; yield it while no other is sent requests."""
        dyno = self.start("web.3", **changes)
        others = self.router.ports[:]
        self.router.ports[:] = [dyno.port]
        try:
            yield dyno
        finally:
            self.router.ports[:] = others
            if dyno.process.poll() is None:
                dyno.stop()

    def boom(self):
        """Open /boom/ as Ada; return the request's id and the answer's status."""
        request_id = str(uuid.uuid4())
        return request_id, self.ada.get("/boom/", **{"X-Request-Id": request_id})[0]


@contextmanager
def on_heroku(app, error_tracker, postgres, folder):
    """Release an App, and start two dynos of it behind a router; yield it as Live."""
    database = postgres.database(f"live_{uuid.uuid4().hex}")
    with FakeTracker(error_tracker) as tracker:
        live = Live(app, tracker, database)
        with live.started:
            live.dynos = [live.start(name) for name in ("web.1", "web.2")]
            with https(folder, *(dyno.port for dyno in live.dynos)) as live.router:
                live.ada = Person(live.router)
                assert live.ada.log_in("ada") == 302
                yield live


@pytest.fixture(scope="session")
def app(shared, site):
    """Return a function that gives the App of a tracker, built once for all tests."""

    def built(error_tracker="rollbar"):
        generated = site(error_tracker)
        folder = shared / f"heroku-{error_tracker}" / "app"
        with FileLock(f"{folder.parent}.lock"):
            if not folder.exists():
                folder.parent.mkdir()
                build(generated.path, folder, generated.python.resolve(), BIN / "uv")
        return App(folder)

    return built


@pytest.fixture(scope="session")
def live(app, postgres, tmp_path_factory):
    """Return the site for the default answers, live; each test leaves it as it was."""
    with on_heroku(app(), "rollbar", postgres, tmp_path_factory.mktemp("router")) as live:
        yield live
