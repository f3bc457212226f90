"""A deployed site: two dynos behind a router, a database, a fake tracker, and Ada, a superuser."""

import uuid
from contextlib import ExitStack, contextmanager

import pytest
from filelock import FileLock

from support.client import PASSWORD, Client
from support.fake_tracker import FakeTracker
from support.generated import BIN, listeners, unused_port, wait_until
from support.heroku import App, build
from support.router import https


class Deployed:
    """A released App with its dynos; `dynos` are the two that the router forwards requests to."""

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
        """Start a dyno, with some config vars changed; return it when both workers listen."""
        changes["HEROKU_BUILD_COMMIT"] = self.commit
        dyno = self.app.dyno(port or unused_port(), name, **changes)
        self.started.callback(lambda: dyno.process.poll() is None and dyno.stop())
        wait_until(lambda: listeners(dyno.port) == 2)
        return dyno

    @contextmanager
    def alone(self, **changes):
        """Start a dyno, with some config vars changed, and route all requests to it; yield it."""
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
        """Request /boom/ as Ada; return the request ID and the status of the response."""
        request_id = str(uuid.uuid4())
        return request_id, self.ada.get("/boom/", **{"X-Request-Id": request_id})[0]


@contextmanager
def on_heroku(app, error_tracker, postgres, folder):
    """Release an App, start two dynos behind a router, and yield it as Deployed."""
    database = postgres.database(f"live_{uuid.uuid4().hex}")
    with FakeTracker(error_tracker) as tracker:
        deployed = Deployed(app, tracker, database)
        with deployed.started:
            deployed.dynos = [deployed.start(name) for name in ("web.1", "web.2")]
            with https(folder, *(dyno.port for dyno in deployed.dynos)) as deployed.router:
                deployed.ada = Client(deployed.router.server_port, tls=True)
                assert deployed.ada.log_in("ada") == 302
                yield deployed


@pytest.fixture(scope="session")
def app(shared, site):
    """Return a function that returns the App for a tracker, built once for all tests."""

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
def deployed(app, postgres, tmp_path_factory):
    """Yield the deployed site for the default answers; each test undoes its changes to it."""
    with on_heroku(app(), "rollbar", postgres, tmp_path_factory.mktemp("router")) as deployed:
        yield deployed
