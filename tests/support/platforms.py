"""The pages of docs/platforms, and helpers that simulate the platforms."""

import os
import re
import shutil

from support.generated import (
    BIN,
    QUICK_PASSWORDS,
    QUICK_STATIC_FILES,
    ROOT,
    TEMPLATE,
    Site,
    procfile,
    run,
)

PAGES = ROOT / "docs" / "platforms"
BLOCK = re.compile(r"^([^\n]+:)\n\n```\w*\n(.+?)^```", re.MULTILINE | re.DOTALL)
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
CONF = """
{user}
daemon off;
error_log stderr;
pid {folder}/nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
    {servers}
}}
"""


def page(name):
    """Return the text of a page, with a token that the deployment checks accept."""
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    return text.replace("your-token", "my-own-token")


def blocks(name):
    """Return the code blocks of a page, by the line that introduces each."""
    return dict(BLOCK.findall(page(name)))


def block(name, lead):
    """Return the only code block of a page whose introduction begins with `lead`."""
    (found,) = (text for line, text in blocks(name).items() if line.startswith(lead))
    return found


def builder(site):
    """Return the environment of a build, with uv and the Python of a Site."""
    cache = run([BIN / "uv", "cache", "dir"], site.path).stdout.strip()
    return os.environ | {
        "PATH": f"{BIN}:/usr/bin:/bin",
        "UV_CACHE_DIR": cache,
        "UV_PYTHON": str(site.python.resolve()),
        "UV_PYTHON_DOWNLOADS": "never",
    }


def clone(site, folder):
    """Clone a Site's repository, commit the quick settings to it, and return the clone."""
    done = run(["git", "clone", "--quiet", site.path, folder], site.path)
    assert done.returncode == 0, done.out
    cloned = Site(folder)
    cloned.add_settings(QUICK_STATIC_FILES, QUICK_PASSWORDS)
    cloned.commit("Quick")
    return cloned


def check_pages(front, **headers):
    """Check the home page, its style sheet, and that an unknown host is rejected."""
    status, received, page = front.get("/", **headers)
    assert status == 200 and "<h1>My Site</h1>" in page
    assert received["Strict-Transport-Security"].startswith("max-age=3600")
    stylesheet = re.search(r'href="(/static/.+?\.[0-9a-f]{12}\.css)"', page)[1]
    status, received, _ = front.get(stylesheet, **headers)
    assert status == 200 and "immutable" in received["Cache-Control"]
    assert front.get("/", **headers | {"Host": "stranger.example.org"})[0] == 400


def check_limit(front, forged, **headers):
    """Check that login rate limiting ignores forged client addresses."""
    addresses = [{forged: f"198.51.100.{number}"} for number in range(11)]
    guesses = [front.log_in("ada", "wrong", **headers | address) for address in addresses]
    assert guesses == 9 * [200] + 2 * [429]


def check_http_goes_to_https(front, **headers):
    status, received, _ = front.get("/", **headers)
    assert (status, received["Location"]) == (301, f"https://{front.host}/")


def certificate(path):
    """Create a certificate and its key in one file, and return its path."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path]
    name = ["-subj", "/CN=www.example.com", "-days", "2", "-out", path]
    made = run(["openssl", "req", "-x509", *key, *name], path.parent)
    assert made.returncode == 0, made.out
    return path


def nginx(folder, servers):
    """Write a configuration with these servers in `folder`, and return the command that runs it."""
    conf = folder / "nginx.conf"
    user = "user root;" if os.getuid() == 0 else ""  # only pytest's user can read its folders
    conf.write_text(CONF.format(folder=folder, user=user, servers=servers))
    return [NGINX, "-e", "stderr", "-c", str(conf)]


# The environment variables that each page sets, and addresses in requests.
NAMES = {"ALLOWED_HOSTS", "DATABASE_URL", "SECRET_KEY", "ROLLBAR_ACCESS_TOKEN"}
CLIENT, FORGED, PROXY = "203.0.113.9", "198.51.100.1", "192.0.2.80"
ADDRESS = """
from django.test import RequestFactory
from identity.lockout import client_address
print(client_address(RequestFactory().get("/", headers=%r)))
"""


def put(site, name, *paths):
    """Write files of a page into a Site."""
    for path in paths:
        place = site.path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        text = block(name, f"`{path}`")
        if path == "project/settings.py":
            names = "|".join(re.findall(r"^(\w+) = ", text, re.MULTILINE))
            settings, count = re.subn(rf"(?m)^({names}) = .+\n", "", place.read_text())
            assert count == names.count("|") + 1, names
            end = "\nenv.refuse_problems()"
            text = settings.replace(end, f"\n{text}{end}")
        place.write_text(text)
        place.chmod(0o755)


def check_own_tests(changed, site):
    """Check that a changed Site passes its linter and tests, with the packages of `site`."""
    linted = run([BIN / "ruff", "check", "."], changed.path)
    assert linted.returncode == 0, linted.out
    (changed.path / ".env").write_text((site.path / ".env.example").read_text())
    tested = changed.run(site.python, "manage.py", "test", "tests.test_site")
    assert tested.returncode == 0, tested.out
    (changed.path / ".env").unlink()


def check_release(site, words, variables):
    """Check that a release command migrates, and that it fails if SECRET_KEY is unsafe."""
    example = (TEMPLATE / ".env.example").read_text()
    assert {name for name in variables if name in example} - {"PROXY_COUNT"} == NAMES
    environment = {"PATH": f"{site.python.parent}:/usr/bin:/bin"} | variables
    assert procfile(site.path)["release"] in " ".join(words)
    unsafe = site.run(*words, env=environment | {"SECRET_KEY": "short"})
    assert unsafe.returncode == 1 and "Applying" not in unsafe.out, unsafe.out
    released = site.run(*words, env=environment)
    assert "Applying identity.0001_initial... OK" in released.out, released.out


def check_address(site, variables, **headers):
    """Check that the lockout uses the address of CLIENT, whatever headers CLIENT sends."""
    done = site.manage("shell", "--no-imports", "-c", ADDRESS % headers, env=variables)
    assert done.stdout.strip() == CLIENT, done.out
