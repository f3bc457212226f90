"""The generated site's grade by the rules of Mozilla's HTTP Observatory.

They are those of https://github.com/mdn/mdn-http-observatory, version 1.6.3 (algorithm 6), in our
own words: src/analyzer/tests says what is looked at, src/grader/charts.js what it is worth. Left
out is what these answers do not have: a place in the browsers' preload list, several policies or
one in a <meta> tag, 'strict-dynamic', ALLOW-FROM.
"""

import re
import ssl
from http.client import HTTPConnection, HTTPSConnection
from http.cookies import SimpleCookie
from urllib.parse import urlsplit

import pytest
from browser import go_live
from router import https

pytestmark = [pytest.mark.slow, pytest.mark.exotic]

# From which score on a grade is given; below the last it is F.
GRADES = {
    100: "A+", 90: "A", 85: "A-", 80: "B+", 70: "B", 65: "B-",
    60: "C+", 50: "C", 45: "C-", 40: "D+", 30: "D", 25: "D-",
}  # fmt: skip
# From here on, what is well done adds to the score.
EXTRA_CREDIT_FROM = 90
# What the values of a header are worth; None is a header that is not there, any other value -5.
HEADERS = {
    "Cross-Origin-Embedder-Policy": {
        None: 0, "unsafe-none": 0, "credentialless": 10, "require-corp": 10,
    },
    "Cross-Origin-Opener-Policy": {
        None: 0, "unsafe-none": 0, "same-origin": 10, "same-origin-allow-popups": 10,
        "noopener-allow-popups": 10,
    },
    "Cross-Origin-Resource-Policy": {
        None: 0, "cross-origin": 0, "same-site": 10, "same-origin": 10,
    },
    "Referrer-Policy": {
        None: 0, "no-referrer": 5, "same-origin": 5, "strict-origin": 5,
        "strict-origin-when-cross-origin": 5,
    },
    "X-Content-Type-Options": {None: -5, "nosniff": 0},
}  # fmt: skip
# Sources of a content security policy that let in whatever comes, or comes unprotected.
BROAD = {"*", "ftp:", "http:", "https:", "http://*", "http://*.*", "https://*", "https://*.*"}
INLINE = {"'unsafe-inline'", "data:"}
UNPROTECTED = ("http:", "ftp:")
ORIGIN = "https://http-observatory.security.mozilla.org"
SIX_MONTHS = 15552000  # 180 days are let pass for them


def content_security_policy(csp):
    if not csp:
        return -25

    def sources(directive):
        return csp.get(directive) or csp.get("default-src") or {"*"}

    def safe(found):
        """Leave out 'unsafe-inline' where a nonce or a hash makes browsers ignore it."""
        strict = any(re.match("'(nonce|sha256|sha384|sha512)-", source) for source in found)
        return found - {"'unsafe-inline'"} if strict else found

    script, style = safe(sources("script-src")), safe(sources("style-src"))
    passive = sources("img-src") | sources("media-src")
    active = set().union(*(csp[name] for name in csp.keys() - {"img-src", "media-src"}))
    if script & (BROAD | INLINE) or sources("object-src") & BROAD:
        return -20
    if any(source.startswith(UNPROTECTED) for source in active):
        return -20
    if "'unsafe-eval'" in script | style:
        return -10
    if any(source.startswith(UNPROTECTED) for source in passive):
        return -10
    if style & (BROAD | INLINE):
        return 0
    return 10 if csp.get("default-src") == {"'none'"} else 5


def cookies(headers, is_https_only):
    """Return the worst of what is said of a cookie; `is_https_only`: HSTS protects it as well."""
    found = SimpleCookie()
    for line in headers.get_all("Set-Cookie", []):
        found.load(line)
    worth = [5 if found and all(cookie["samesite"] for cookie in found.values()) else 0]
    for name, cookie in found.items():
        is_session = "login" in name.lower() or "sess" in name.lower()
        if not cookie["secure"]:
            worth.append(-5 if is_https_only else -20)
        if is_session and not cookie["secure"]:
            worth.append(-10 if is_https_only else -40)
        if is_session and not cookie["httponly"]:
            worth.append(-30)
        if "csrf" in name.lower() and not cookie["samesite"]:
            worth.append(-20)
        same_site = cookie["samesite"].lower()
        if same_site not in ("", "lax", "strict", "none" if cookie["secure"] else ""):
            worth.append(-20)
    return min(worth)


def cross_origin_resource_sharing(headers):
    is_open = headers["Access-Control-Allow-Origin"] == ORIGIN
    return -50 if is_open and headers["Access-Control-Allow-Credentials"] == "true" else 0


def redirection(headers, host):
    to = urlsplit(headers["Location"] or "")
    if to.scheme != "https":
        return -20
    return 0 if to.hostname == host else -5


def strict_transport_security(header):
    seconds = re.search(r"max-age=(\d+)", header or "")
    if not seconds or "," in header:
        return -20
    return 0 if int(seconds[1]) >= SIX_MONTHS else -10


def subresource_integrity(page):
    """Scripts from elsewhere are to come by https, with the hash that they have to have."""
    worth = []
    for tag in re.findall("<script[^>]*>", page):
        source = re.search('src="([^"]+)"', tag)
        has_hash = "integrity=" in tag
        if source and urlsplit(source[1]).netloc:
            by_https = source[1].startswith("https:")
            worth.append((5 if by_https else -20) if has_hash else (-5 if by_https else -50))
        elif source and has_hash:
            worth.append(5)
    return min(worth, default=0)


def x_frame_options(header, csp):
    if "frame-ancestors" in csp or (header or "").lower() in ("deny", "sameorigin"):
        return 5
    return -20


def points(page, headers, redirect, preflight, host):
    """Return what each of the Observatory's tests adds to the score or takes from it."""
    directives = [part.split() for part in (headers["Content-Security-Policy"] or "").split(";")]
    csp = {words[0]: set(words[1:]) or {"'none'"} for words in directives if words}
    hsts = strict_transport_security(headers["Strict-Transport-Security"])
    return {name: values.get(headers[name], -5) for name, values in HEADERS.items()} | {
        "CORS": cross_origin_resource_sharing(preflight),
        "CSP": content_security_policy(csp),
        "Cookies": cookies(headers, is_https_only=hsts == 0),
        "HSTS": hsts,
        "Redirection": redirection(redirect, host),
        "SRI": subresource_integrity(page),
        "X-Frame-Options": x_frame_options(headers["X-Frame-Options"], csp),
    }


def grade(points):
    """Return score and grade."""
    score = 100 + sum(number for number in points.values() if number < 0)
    if score >= EXTRA_CREDIT_FROM:
        score = 100 + sum(points.values())
    return score, next((GRADES[least] for least in GRADES if score >= least), "F")


def ask(connection, method, path, **headers):
    """Return the headers and the text of an answer."""
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    page = answer.read().decode()
    connection.close()
    return answer.headers, page


@pytest.fixture
def scan(collect, serve, free_port, tmp_path):
    """Return a function that starts a Site live and gives the score and grade of two of its pages.

    The home page sets no cookie; the login page does, and has scripts.
    """

    def graded(site, **variables):
        collect(site)
        go_live(site, serve, free_port, **variables)
        with https(tmp_path, free_port) as router:
            context = ssl.create_default_context(cafile=router.certificate)
            by_https = HTTPSConnection("localhost", router.server_port, context=context)
            return [grade(page_points(by_https, path)) for path in ("/", "/admin/login/")]

    def page_points(by_https, path):
        headers, page = ask(by_https, "GET", path)
        preflight, _ = ask(by_https, "OPTIONS", path, Origin=ORIGIN)
        by_http = HTTPConnection("127.0.0.1", free_port)  # no router says that it was https
        redirect, _ = ask(by_http, "GET", path, Host="localhost")
        return points(page, headers, redirect, preflight, "localhost")

    return graded


def test_grade_on_the_first_day(site, copy_of, scan):
    assert scan(copy_of(site())) == [(130, "A+"), (135, "A+")]


def test_grade_once_the_readme_is_followed_to_its_end(site, copy_of, scan):
    readme = (site().path / "README.md").read_text()
    for_long = re.search(r"config:set SECURE_HSTS_SECONDS=(\d+)", readme)[1]

    assert scan(copy_of(site()), SECURE_HSTS_SECONDS=for_long) == [(140, "A+"), (145, "A+")]


def test_grade_falls_without_a_content_security_policy(site, copy_of, scan):
    spoilt = copy_of(site())
    spoilt.add_settings("SECURE_CSP = {}")

    assert [letter for _, letter in scan(spoilt)] == ["B-", "B-"]
