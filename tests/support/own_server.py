"""A simulated server of your own: its paths are in a folder, its ports on loopback."""

import re
import shlex

from support.generated import run, unused_port
from support.platforms import certificate, nginx

# Fakes of programs that need root: most log their arguments only.
FAKE_PROGRAMS = {
    "apt-get certbot createdb createuser pipx pg_dump systemctl useradd": """
        echo "${{0##*/}}" "$@" >> {log}""",
    "runuser": 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"',
    "install": """for word; do
        case $word in --owner|--group) skip=1 ;; *) [ $skip ] || words+=("$word"); skip= ;; esac
    done
    exec /usr/bin/install "${{words[@]}}\"""",
}


class Server:
    """A simulated machine in `folder`, which the commands of docs/platforms/server.md set up."""

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
        for programs, text in FAKE_PROGRAMS.items():
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
        """Install a bash program on the machine."""
        path = self.root / "bin" / name
        path.write_text(f"#!/bin/bash\n{text}\n")
        path.chmod(0o755)

    def here(self, text):
        """Return text of the page with the ports, paths and certificate of this machine."""
        old = "|".join(map(re.escape, self.changes))
        return re.sub(old, lambda found: self.changes[found[0]], text)

    def put(self, path, text):
        """Write a file of the page to its path on this machine, and return that path."""
        place = self.root / path.lstrip("/")
        place.write_text(self.here(text))
        return place

    def type(self, lines):
        """Run lines in bash, up to the first that fails; return the Run."""
        return run(["bash", "-ec", self.here(lines)], self.root, self.environment)

    def current(self):
        """Return the folder of the deployed release."""
        return (self.root / "srv/my-site/current").resolve()
