"""What stands in for a platform's machines: a real nginx, and a server with no root to it."""

import http.client
import os
import re
import shlex
import shutil
import socket
import ssl
from contextlib import closing
from urllib.parse import urlencode

from generated import run, unused_port

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


class Front:
    """Where visitors come to: a port of loopback, by http or https."""

    def __init__(self, host, port, tls=False):
        self.host = host
        self.port = port
        self.tls = tls

    def connect(self, seconds=30):
        """Return a socket; whose certificate it is does not matter here."""
        connection = socket.create_connection(("127.0.0.1", self.port), seconds)
        context = ssl._create_unverified_context()
        return context.wrap_socket(connection) if self.tls else connection

    def ask(self, path, body=None, seconds=30, **headers):
        """Return status, headers and text of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.sock = self.connect(seconds)
        with closing(connection):
            headers = {"Host": self.host} | headers
            connection.request("POST" if body else "GET", path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()

    def guess(self, **headers):
        """Try a wrong password, and return the answer's status."""
        token = "a" * 32
        fields = {"username": "ada", "password": "wrong", "csrfmiddlewaretoken": token}
        headers |= {
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": f"csrftoken={token}",
            "Origin": f"https://{self.host}",
        }
        return self.ask("/admin/login/", urlencode(fields), **headers)[0]


def check_pages(front, **headers):
    """Look at a page, its style sheet, and what strangers get."""
    status, answer, page = front.ask("/", **headers)
    assert status == 200 and "<h1>My Site</h1>" in page
    assert answer["Strict-Transport-Security"].startswith("max-age=3600")
    stylesheet = re.search(r'href="(/static/.+?\.[0-9a-f]{12}\.css)"', page)[1]
    status, answer, _ = front.ask(stylesheet, **headers)
    assert status == 200 and "immutable" in answer["Cache-Control"]
    assert front.ask("/", **headers | {"Host": "stranger.example.org"})[0] == 400


def check_limit(front, forged, **headers):
    """Guess passwords, from an address that seems to be another each time."""
    addresses = [{forged: f"198.51.100.{number}"} for number in range(11)]
    guesses = [front.guess(**headers | address) for address in addresses]
    assert guesses == 9 * [200] + 2 * [429]


def check_http_goes_to_https(front, **headers):
    status, answer, _ = front.ask("/", **headers)
    assert (status, answer["Location"]) == (301, f"https://{front.host}/")


def certificate(path):
    """Make a certificate with its key in one file, and return its path."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path]
    name = ["-subj", "/CN=www.example.com", "-days", "2", "-out", path]
    made = run(["openssl", "req", "-x509", *key, *name], path.parent)
    assert made.returncode == 0, made.out
    return path


def nginx(folder, servers):
    """Write a configuration with these servers in `folder`, and return the command that runs it."""
    conf = folder / "nginx.conf"
    user = "user root;" if os.getuid() == 0 else ""  # pytest's folders are its user's
    conf.write_text(CONF.format(folder=folder, user=user, servers=servers))
    return [NGINX, "-e", "stderr", "-c", str(conf)]


# What only root may do on a machine of one's own: said, and not done.
STAND_INS = {
    "apt-get certbot createdb createuser pipx pg_dump systemctl useradd": """
        echo "${{0##*/}}" "$@" >> {log}""",
    "runuser": 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"',
    "install": """for word; do
        case $word in --owner|--group) skip=1 ;; *) [ $skip ] || words+=("$word"); skip= ;; esac
    done
    exec /usr/bin/install "${{words[@]}}\"""",
}


class Server:
    """A machine below `folder`, which the page's section sets up; at ports of loopback."""

    def __init__(self, folder, repository, build):
        self.root = folder
        self.repository = repository
        self.log = folder / "log"
        self.ports = {name: unused_port() for name in ("http", "https", "gunicorn")}
        key = str(certificate(folder / "certificate.pem"))
        letsencrypt = "/etc/letsencrypt/live/www.example.com"
        self.changes = {
            "listen 80;": f"listen 127.0.0.1:{self.ports['http']};",
            "listen 443 ssl http2;": f"listen 127.0.0.1:{self.ports['https']} ssl http2;",
            "listen [::]:80;": "",
            "listen [::]:443 ssl http2;": "",
            f"{letsencrypt}/fullchain.pem": key,
            f"{letsencrypt}/privkey.pem": key,
            "127.0.0.1:8000": f"127.0.0.1:{self.ports['gunicorn']}",
        }
        self.changes |= {
            path: f"{folder}{path}"
            for path in ("/etc/", "/root/", "/srv/", "/usr/local/bin/", "/var/lib/")
        }
        (folder / "bin").mkdir()
        for programs, text in STAND_INS.items():
            for program in programs.split():
                self.program(program, text.format(log=self.log))
        self.nginx = nginx(folder, f"include {folder}/etc/nginx/sites-enabled/*;")
        self.program("nginx", f'{shlex.join(self.nginx)} "$@"')
        for path in ("root", "srv/my-site", "usr/local/bin", "var/lib", "etc/systemd/system",
                     "etc/nginx/sites-available", "etc/nginx/sites-enabled"):  # fmt: skip
            (folder / path).mkdir(parents=True)
        (folder / "etc/nginx/sites-enabled/default").touch()
        self.environment = build | {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.file://{repository.path}.insteadOf",
            "GIT_CONFIG_VALUE_0": "https://github.com/you/my-site.git",
            "PATH": f"{folder}/bin:{folder}/usr/local/bin:{build['PATH']}",
        }

    def program(self, name, text):
        """Put a program into the machine."""
        path = self.root / "bin" / name
        path.write_text(f"#!/bin/bash\n{text}\n")
        path.chmod(0o755)

    def here(self, text):
        """Return the page's text for this machine: other ports, paths and certificate."""
        old = "|".join(map(re.escape, self.changes))
        return re.sub(old, lambda found: self.changes[found[0]], text)

    def put(self, path, text):
        """Put a file of the page where the page says, and return its path."""
        place = self.root / path.lstrip("/")
        place.write_text(self.here(text))
        return place

    def type(self, lines):
        """Type lines as root does, up to one that fails; return the Run."""
        return run(["bash", "-ec", self.here(lines)], self.root, self.environment)

    def current(self):
        """Return the folder of the release that is live."""
        return (self.root / "srv/my-site/current").resolve()
