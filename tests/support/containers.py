"""Builds images and runs containers: with Docker if its daemon runs, otherwise with Buildah."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

from support.generated import listens, run

DOCKER = shutil.which("docker") and run(["docker", "info"], "/").returncode == 0
BUILDAH = os.getuid() == 0 and shutil.which("buildah") and shutil.which("debootstrap")
BASE = "docker.io/library/python:3.13-slim-trixie"
# Debian 13 has Python 3.13. Docker's Python image is built on it too.
DEBIAN = Path.home() / ".cache" / "django-site-base" / "trixie"
PACKAGES = "ca-certificates,python3,python3-pip,python3-venv"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def must(command, seconds=600, cwd="/"):
    """Run a command, check that it succeeds, and return its standard output."""
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, capture_output=True, text=True, timeout=seconds
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


class Docker:
    """Builds and runs an image with Docker."""

    def __init__(self, tag):
        self.tag = tag

    def build(self, folder):
        must(["docker", "build", "--tag", self.tag, "."], cwd=folder)

    def size(self):
        """Return the sizes of the image and of its base image, in bytes."""
        inspect = ["docker", "image", "inspect", "--format", "{{.Size}}"]
        return [int(must([*inspect, image])) for image in (self.tag, BASE)]

    def command(self, environment, *command):
        """Return the command that runs `command`, or the image's default, in a new container."""
        chosen = [f"--env={name}={value}" for name, value in environment.items()]
        options = ["--rm", "--init", "--read-only", "--tmpfs=/tmp", "--network=host"]
        return ["docker", "run", *options, *chosen, self.tag, *command]

    def terminate(self, process, log):
        process.send_signal(signal.SIGTERM)  # docker run forwards it

    def clean_up(self):
        must(["docker", "image", "rm", "--force", self.tag])


class Buildah:
    """Builds and runs an image with Buildah, isolated by chroot."""

    def __init__(self, tag, storage):
        self.tag = tag
        places = [f"--root={storage}/root", f"--runroot={storage}/run"]
        self.buildah = ["buildah", "--storage-driver=vfs", *places]
        self.make_base()

    def make_base(self):
        """Make the Python base image from Debian's packages and this machine's certificates."""
        if not (DEBIAN / "etc").exists():
            partial = DEBIAN.with_name(f"partial-{os.getpid()}")
            partial.mkdir(parents=True)
            must(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "trixie", partial])
            for cache in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc"):
                shutil.rmtree(partial / cache)
            (partial / "usr/local/bin/python").symlink_to("/usr/bin/python3")
            partial.rename(DEBIAN)
        base = must([*self.buildah, "from", "scratch"])
        must([*self.buildah, "copy", "--quiet", base, DEBIAN, "/"])
        must([*self.buildah, "copy", "--quiet", base, CERTIFICATES, CERTIFICATES])
        variables = ["PIP_BREAK_SYSTEM_PACKAGES=1", f"SSL_CERT_FILE={CERTIFICATES}"]
        must([*self.buildah, "config", *(f"--env={it}" for it in variables), base])
        must([*self.buildah, "commit", "--quiet", "--rm", base, BASE])

    def build(self, folder):
        options = ["--isolation=chroot", "--pull-never", "--tag", self.tag]
        must([*self.buildah, "build", *options, "."], cwd=folder)
        self.container = must([*self.buildah, "from", "--pull-never", self.tag])

    def size(self):
        """Return the sizes of the image and of its base image, in bytes."""
        images = must([*self.buildah, "images", "--json"])
        sizes = dict(re.findall(r'"names": \[\s*"([^"]+)".+?"size": "([^"]+)"', images, re.DOTALL))
        return [in_bytes(sizes[name]) for name in (f"localhost/{self.tag}:latest", BASE)]

    def command(self, environment, *command):
        """Return the command that runs `command`, or the image's default, in the container."""
        chosen = [f"--env={name}={value}" for name, value in environment.items()]
        each = "{{range .OCIv1.Config.Cmd}}{{println .}}{{end}}"
        own = must([*self.buildah, "inspect", "--format", each, self.container]).splitlines()
        command = command or own
        return [*self.buildah, "run", "--isolation=chroot", *chosen, self.container, "--", *command]

    def terminate(self, process, log):
        # There is no PID namespace, so the log has gunicorn's real process ID.
        (pid,) = re.findall(r"\[(\d+)\] \[INFO\] Starting gunicorn", log)
        os.kill(int(pid), signal.SIGTERM)

    def clean_up(self):
        must([*self.buildah, "rm", "--all"])
        must([*self.buildah, "rmi", "--all", "--force"])


def in_bytes(text):
    """Convert a size such as `262 MB` to bytes."""
    number, unit = text.split()
    return float(number) * {"KB": 1e3, "MB": 1e6, "GB": 1e9}[unit]


def wait_for(process, port, log):
    """Wait until a new container accepts connections; return the seconds that it took."""
    started = time.monotonic()
    while not listens(port):
        assert process.poll() is None and time.monotonic() < started + 60, log.read_text()
        time.sleep(0.01)
    return time.monotonic() - started
