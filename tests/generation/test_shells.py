"""Generation with the environment variables, uv configuration and version managers of users.

A project that is verified must also build from a clone in a clean environment: without the
shell's variables and without the user's configuration.
"""

import os
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urljoin

import pytest
from support.generated import BIN, TEMPLATE, Site, cookiecutter, only, run

pytestmark = [pytest.mark.slow, pytest.mark.exotic]

PYENV = Path(os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv"))
OLD = "2026-11-01T00:00:00Z"
# Like the shims of pyenv, asdf and mise, it fails if a file pins a version without the program.
SHIM = """#!/bin/sh
if [ -e .python-version ] || [ -e .tool-versions ]; then echo "uv: command not found"; exit 127; fi
exec {program} "$@"
"""

# Environment variables that must not change the result.
HARMLESS = {
    "nothing": {},
    "optimized Python": {"PYTHONOPTIMIZE": "2"},
    "safe path": {"PYTHONSAFEPATH": "1"},
    "warnings are errors": {"PYTHONWARNINGS": "error::SyntaxWarning"},
    "another site's path": {
        "PYTHONPATH": "{tmp}/other",
        "DJANGO_SETTINGS_MODULE": "other.settings",
    },
    "another site's variables": {"SECRET_KEY": "x", "DEBUG": "True", "DATABASE_URL": "x"},
    "another .venv": {"VIRTUAL_ENV": "{tmp}/venv", "CONDA_PREFIX": "{tmp}/conda"},
    "frozen": {"UV_FROZEN": "1"},
    "locked": {"UV_LOCKED": "1"},
    "no dev": {"UV_NO_DEV": "1", "UV_NO_DEFAULT_GROUPS": "1"},
    "no sync": {"UV_NO_SYNC": "1", "UV_ISOLATED": "1"},
    "another Python for uv": {"UV_PYTHON": "3.11", "UV_MANAGED_PYTHON": "1"},
    "another project for uv": {"UV_PROJECT": "{tmp}", "UV_PROJECT_ENVIRONMENT": "{tmp}/venv"},
    "old packages": {"UV_EXCLUDE_NEWER": OLD},
    "prereleases": {"UV_PRERELEASE": "allow", "UV_INDEX_STRATEGY": "unsafe-best-match"},
    "lowest versions": {"UV_RESOLUTION": "lowest-direct", "UV_FORK_STRATEGY": "fewest"},
    "constraints": {"UV_CONSTRAINT": "{tmp}/constraints.txt"},
    "a repository's variables": {"GIT_DIR": "{tmp}/other/.git", "GIT_WORK_TREE": "{tmp}/other"},
    "ASCII": {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
    "a folder with a space": {"TMPDIR": "{tmp}/a b"},
}
# A user's uv.toml.
CONFIGURED = {
    "exclude-newer": f'exclude-newer = "{OLD}"\n',
    "prerelease": 'prerelease = "allow"\nresolution = "lowest"\n',
    "constraints": 'constraint-dependencies = [\n    "idna<3",\n]\noverride-dependencies = ["idna"]\n',
    "pip": '[pip]\nindex-url = "http://127.0.0.1:9/simple"\n',
    "nothing of uv's": "",
    "index and more": 'exclude-newer = "2026-11-01"\n\n[[index]]\nurl = "{mirror}"\ndefault = true\n',
}


@pytest.fixture
def shell(tmp_path, environment):
    """Return the environment of a shell, and create the folders that HARMLESS names."""
    for name in ("other", "venv", "conda", "a b", "home"):
        (tmp_path / name).mkdir()
    (tmp_path / "constraints.txt").write_text("idna<3\n")
    (tmp_path / "other" / "project.py").write_text("raise SystemExit('the wrong project')\n")
    return environment


def check_verified(generated, folder, tmp_path):
    """Assert that a site is verified, and that a clone of it builds and passes the checks."""
    assert generated.returncode == 0 and "\nVerified" in generated.stdout, generated.out
    site = Site(folder / "my-site")
    clone = tmp_path / "clone"
    assert site.run("git", "clone", "--quiet", ".", clone).returncode == 0
    clean = {name: it for name, it in os.environ.items() if name.startswith("SSL_CERT_")}
    clean |= {"PATH": f"{BIN}:/usr/bin:/bin", "HOME": str(tmp_path / "home")}
    clean["UV_CACHE_DIR"] = run([BIN / "uv", "cache", "dir"], clone).stdout.strip()
    sync = ["uv", "sync", "--locked", "--no-default-groups", "--python", site.python.resolve()]
    built = run(sync, clone, clean)
    assert built.returncode == 0, built.out
    version = (clone / ".python-version").read_text().strip()
    assert run([clone / ".venv/bin/python", "--version"], clone).out.startswith(
        f"Python {version}."
    )
    checks = [clone / ".venv/bin/python", "-c", "import bootstrap; bootstrap.run_checks()"]
    checked = run(checks, clone, clean)
    assert checked.returncode == 0, checked.out


def check_kept(generated, folder, reason):
    """Assert that a site is kept, and reported as NOT VERIFIED for `reason`."""
    assert generated.returncode == 0, generated.out
    assert "NOT VERIFIED: " in generated.stdout and reason in generated.stdout, generated.out
    assert "\nVerified" not in generated.stdout and "UNSAFE" not in generated.stdout
    staged = run(["git", "diff", "--cached", "--name-only"], folder / "my-site").stdout
    assert "manage.py" in staged.splitlines()


@pytest.mark.parametrize("name", HARMLESS)
def test_environment_variables_do_not_change_the_result(shell, tmp_path, name):
    variables = {key: it.format(tmp=tmp_path) for key, it in HARMLESS[name].items()}

    generated = cookiecutter(tmp_path / "out", shell | variables)

    check_verified(generated, tmp_path / "out", tmp_path)
    lock = (tmp_path / "out" / "my-site" / "uv.lock").read_text()
    assert "[options]" not in lock and "[manifest]" not in lock


@contextmanager
def mirror(index):
    """Serve an index that redirects to `index`; yield its URL and a list of the requested paths."""
    requested = []

    class Redirect(BaseHTTPRequestHandler):
        def do_GET(self):
            requested.append(self.path)
            self.send_response(302)
            self.send_header("Location", urljoin(index, self.path.removeprefix("/simple/")))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Redirect) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/simple/", requested
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def index(site):
    """Return the URL of the package index that uv.lock names."""
    lock = (site().path / "uv.lock").read_text()
    return lock.partition('registry = "')[2].partition('"')[0].rstrip("/") + "/"


@pytest.mark.parametrize("name", CONFIGURED)
def test_uv_configuration_changes_only_the_index(shell, index, tmp_path, name):
    (tmp_path / "config" / "uv").mkdir(parents=True)
    with mirror(index) as (url, requested):
        text = CONFIGURED[name].replace("{mirror}", url)
        (tmp_path / "config" / "uv" / "uv.toml").write_text(text)
        shell["XDG_CONFIG_HOME"] = str(tmp_path / "config")

        generated = cookiecutter(tmp_path / "out", shell)

        check_verified(generated, tmp_path / "out", tmp_path)
    lock = (tmp_path / "out" / "my-site" / "uv.lock").read_text()
    assert "[options]" not in lock and "[manifest]" not in lock
    is_mirrored = "mirror" in CONFIGURED[name]
    assert bool(requested) == is_mirrored
    assert ("uv.lock names 127.0.0.1:" in generated.stdout) == is_mirrored


def test_index_in_an_environment_variable_is_used(shell, index, tmp_path):
    with mirror(index) as (url, requested):
        generated = cookiecutter(tmp_path / "out", shell | {"UV_DEFAULT_INDEX": url})
        check_verified(generated, tmp_path / "out", tmp_path)
    assert requested and "uv.lock names 127.0.0.1:" in generated.stdout


def shims(tmp_path, home, *installed):
    """Create a shim of a version manager for uv, and the program behind it; return a PATH."""
    (home / "shims").mkdir(parents=True)
    program = home.joinpath(*installed)
    program.parent.mkdir(parents=True)
    program.symlink_to(BIN / "uv")
    shim = home / "shims" / "uv"
    shim.write_text(SHIM.format(program=program))
    shim.chmod(0o755)
    return f"{shim.parent}:{only(tmp_path, 'git')}:/bin"


@pytest.mark.parametrize(
    ("home", "installed"),
    [
        (".pyenv", ("versions", "3.11.7", "bin", "uv")),
        (".asdf", ("installs", "uv", "0.13.9", "bin", "uv")),
        (".local/share/mise", ("installs", "uv", "0.13.9", "uv-x86_64-unknown-linux-gnu", "uv")),
        ("opt/pyenv", ("versions", "3.11.7", "bin", "uv")),
    ],
)
def test_uv_behind_a_shim_is_found(shell, tmp_path, home, installed):
    path = shims(tmp_path, tmp_path / home, *installed)
    python = next(PYENV.glob("versions/3.13*"))
    (tmp_path / home / "versions").mkdir(exist_ok=True)
    (tmp_path / home / "versions" / python.name).symlink_to(python)
    shell |= {"PATH": path, "UV": "", "HOME": str(tmp_path), "PIP_NO_INDEX": "1"}
    shell.pop("PYENV_ROOT", None)

    generated = cookiecutter(tmp_path / "out", shell)

    check_verified(generated, tmp_path / "out", tmp_path)
    assert "3.13, found" in generated.stdout


@pytest.mark.parametrize("text", ["#!/bin/sh\nexit 1\n", "#!/no/such/program\n", "not a program"])
def test_uv_that_does_not_work_is_skipped(shell, tmp_path, text):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "uv").write_text(text)
    (tmp_path / "broken" / "uv").chmod(0o755)
    shell |= {"PATH": f"{tmp_path}/broken:{BIN}:{shell['PATH']}", "UV": f"{tmp_path}/broken/uv"}

    generated = cookiecutter(tmp_path / "out", shell)

    check_verified(generated, tmp_path / "out", tmp_path)


def test_python_newer_than_the_listed_ones_is_found(shell, tmp_path, make_broken_template):
    """bootstrap.py lists only 3.12 here, and the first Python on PATH is 3.13."""
    template = make_broken_template()
    file = template / TEMPLATE.name / "bootstrap.py"
    listed = 'PYTHONS = ["3.15", "3.14", "3.13", "3.12"]'
    file.write_text(file.read_text().replace(listed, 'PYTHONS = ["3.12"]'))
    python = next(PYENV.glob("versions/3.13*"))
    shell |= {"PATH": f"{python}/bin:/usr/bin:/bin", "PYENV_ROOT": str(tmp_path)}

    generated = cookiecutter(tmp_path / "out", shell, template=template)

    check_verified(generated, tmp_path / "out", tmp_path)
    assert "3.13, found" in generated.stdout


def test_project_is_kept_if_python_cannot_be_downloaded(shell, tmp_path):
    path = f"{only(tmp_path, 'git')}"
    shell |= {"PATH": path, "PYENV_ROOT": str(tmp_path), "UV_PYTHON_INSTALL_DIR": str(tmp_path)}
    shell |= {"UV_HTTP_RETRIES": "0", "HTTPS_PROXY": "http://127.0.0.1:9"}

    generated = cookiecutter(tmp_path / "out", shell)

    check_kept(generated, tmp_path / "out", "could not download Python 3.14")
    assert "could not install" not in generated.stdout


def test_project_is_kept_if_a_module_cannot_be_imported(shell, tmp_path, make_broken_template):
    template = make_broken_template(settings="import psycopg.no_such_module")

    generated = cookiecutter(tmp_path / "out", shell, template=template)

    check_kept(generated, tmp_path / "out", "No module named 'psycopg.no_such_module'")
