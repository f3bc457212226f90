"""Counts the instructions that each protection adds to an empty response: make protections

Callgrind counts Django's instructions in one thread, so the result does not depend on the speed or
load of the machine. Prints the table of docs/decisions.md, "What it costs". Requires valgrind, and
takes some minutes.
"""

import os
import re
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sites import HOST, generated, plain
from support.generated import forget_other_sites, run, unused_port
from support.postgres import Postgres

FEW, MANY = 20, 220  # requests: the difference excludes the start
# What is left out: nothing, the middleware with that name, or HSTS.
LEFT_OUT = [
    "nothing",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "project.middleware.security_headers",
    "HSTS",
    "axes.middleware.AxesMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "project.middleware.health",
    "project.middleware.crashes",
    "project.middleware.body_limit",
]
SEND_REQUESTS = f"""
import io, sys
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
import project.wsgi
left_out, count = sys.argv[1], int(sys.argv[2])
settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if name != left_out]
if left_out == "HSTS":
    settings.SECURE_HSTS_SECONDS = 0
handler = getattr(project.wsgi, "prepare_requests", lambda it: it)(WSGIHandler())  # plain has none
for _ in range(count):
    environ = {{"REQUEST_METHOD": "GET", "PATH_INFO": "/empty/", "HTTP_HOST": "{HOST}",
               "HTTP_X_FORWARDED_PROTO": "https", "SERVER_NAME": "{HOST}", "SERVER_PORT": "80",
               "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO()}}
    response = handler(environ, lambda status, headers: None)
    assert response.status_code == 200, response
    response.close()
"""


def instructions(site, left_out, count):
    """Return the number of instructions of the start and of `count` empty responses."""
    callgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    environment = site.environment | {"PYTHONHASHSEED": "0"}
    done = run(
        [*callgrind, site.python, "-c", SEND_REQUESTS, left_out, count], site.folder, environment
    )
    assert done.returncode == 0, done.out
    return int(re.search(r"Collected : (\d+)", done.stderr)[1])


def main():
    forget_other_sites()
    folder = Path(tempfile.mkdtemp(prefix="protections-"))
    postgres = Postgres(unused_port())
    try:
        ours = generated(folder / "ours", postgres, "rollbar")
        base = plain(folder / "plain", ours.python, postgres)
        for site in (base, ours):  # so that no counted run compiles a module
            done = run(
                [site.python, "-c", SEND_REQUESTS, "nothing", 1], site.folder, site.environment
            )
            assert done.returncode == 0, done.out
        runs = [(base, "nothing"), *((ours, name) for name in LEFT_OUT)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            few = pool.map(lambda what: instructions(*what, FEW), runs)
            many = pool.map(lambda what: instructions(*what, MANY), runs)
            counts = [(b - a) / (MANY - FEW) for a, b in zip(few, many, strict=True)]
    finally:
        postgres.remove()
        shutil.rmtree(folder)
    print(f"plain: {counts[0]:,.0f}\nours: {counts[1]:,.0f}, of which")
    for name, without in zip(LEFT_OUT[1:], counts[2:], strict=True):
        print(f"  {name}: {counts[1] - without:,.0f}")


if __name__ == "__main__":
    main()
