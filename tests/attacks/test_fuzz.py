"""Randomly generated odd requests, and known ones: none may cause a 500 response."""

import socket
from collections import Counter
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.client import HOST

pytestmark = pytest.mark.slow

TOKEN = "a" * 32
PATHS = ["/", "/admin/", "/admin/login/", "/accounts/login/", "/accounts/logout/", "/boom/"]
PATHS += ["/healthz", "/readyz", "/favicon.ico", "/static/site.css", "/static/", "/admin/jsi18n/"]
PATHS += ["/admin/identity/user/1/password/", "/admin/autocomplete/", "/admin/r/1/1/", "/nothing/"]
METHODS = ["GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "PATCH", "ODD"]
CHARSETS = ["utf-8", "latin-1", "utf-7", "utf-16", "idna", "punycode", "rot13", "base64", "hex"]
CHARSETS += [
    "zlib",
    "undefined",
    "unicode_escape",
    "raw_unicode_escape",
    "mbcs",
    "nope",
    "",
    "\xe9",
]
KINDS = [
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "application/json",
    "text/plain",
]
COOKIES = ["csrftoken", "__Host-sessionid", "sessionid", "messages", "django_language", "x"]
NAMES = ["Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Cache-Control"]
NAMES += ["Content-Encoding", "Content-Language", "Forwarded", "From", "If-Match", "If-None-Match"]
NAMES += ["If-Modified-Since", "If-Range", "If-Unmodified-Since", "Max-Forwards", "Origin", "Range"]
NAMES += ["Referer", "TE", "Upgrade", "User-Agent", "Via", "X-Csrftoken", "X-Forwarded-For"]
NAMES += ["X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Proto"]
NAMES += [
    "X-Http-Method-Override",
    "X-Original-Url",
    "X-Request-Id",
    "X-Requested-With",
    "Script-Name",
]
VALUES = [
    "",
    "null",
    "http://[",
    "https://",
    "bytes=0-",
    "bytes=-5",
    "bytes=9-1",
    "bytes=a",
    "*",
    "1",
]
VALUES += [
    "Sat, 99 Foo 2026 99:99:99 GMT",
    "Sat, 01 Jan 99999 00:00:00 GMT",
    'W/"',
    '"',
    "gzip;q=x",
]
VALUES += [
    "identity;q=0, *;q=0",
    "de-DE;q=9",
    "x" * 300,
    "x" * 2000,
    "1, 2",
    "::1",
    "[::1]:x",
    "=;=;",
]
VALUES += [
    "Basic =",
    "Bearer",
    '"a\\',
    "http",
    "//",
    f"https://{HOST}",
    "Thu, 01 Jan 1970 00:00:00 GMT",
]

bytes_of_path = st.binary(max_size=12).map(quote_from_bytes)
odd_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
# The characters that a header may have: gunicorn rejects others with 400.
latin = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=20
)
value = st.one_of(st.sampled_from(VALUES), latin)
path = st.one_of(
    st.sampled_from(PATHS),
    st.builds("{}{}".format, st.sampled_from(PATHS), bytes_of_path),
    st.builds("{}?{}={}".format, st.sampled_from(PATHS), bytes_of_path, bytes_of_path),
    st.builds("{}?next={}".format, st.sampled_from(PATHS), bytes_of_path),
)
kind = st.builds(
    "{}{}{}".format,
    st.sampled_from(KINDS),
    st.one_of(st.just(""), st.sampled_from(CHARSETS).map("; charset={}".format)),
    st.one_of(
        st.just(""),
        st.just("; boundary=b"),
        latin.map("; boundary={}".format),
        st.builds(
            "; {}*={}'en'{}".format,
            st.sampled_from(["charset", "x"]),
            st.sampled_from(CHARSETS),
            latin,
        ),
    ),
)
long_text = st.sampled_from(["a" * 151, "a" * 256, "a" * 3000, "\u1e9e" * 300, "\ufdfa" * 200])
field = st.one_of(odd_text, long_text, st.sampled_from(["base64", "hex", "\0"]))
form = st.dictionaries(
    st.sampled_from(["username", "password", "next", "email", "login", "csrfmiddlewaretoken", "_x"]),
    field, max_size=5,
)  # fmt: skip


def encoded(form):
    """Encode a form as a browser does, in UTF-8."""
    return "&".join(f"{name}={quote_from_bytes(it.encode())}" for name, it in form.items()).encode()


def in_parts(form):
    """Encode a form as multipart data; its first part is a file with an odd name."""
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{it}\r\n'
        for name, it in form.items()
    ]
    file = '--b\r\nContent-Disposition: form-data; name="f"; filename="{}"\r\n'
    file += "Content-Transfer-Encoding: {}\r\nContent-Type: text/x; charset={}\r\n\r\n{}\r\n"
    odd = next(iter(form.values()), "")
    return "".join([file.format(odd, odd, odd, odd), *parts, "--b--\r\n"]).encode()


body = st.one_of(st.just(b""), st.binary(max_size=200), form.map(encoded), form.map(in_parts))
cookies = st.dictionaries(st.sampled_from(COOKIES), value, max_size=3)
headers = st.dictionaries(st.sampled_from(NAMES), value, max_size=4)


@st.composite
def anything(draw):
    """Draw method, path, headers and body of a request."""
    jar = draw(cookies)
    if jar:
        jar = {"Cookie": "; ".join(f"{name}={it}" for name, it in jar.items())}
    kind_of_body = {"Content-Type": draw(kind)}
    return (
        draw(st.sampled_from(METHODS)),
        draw(path),
        draw(headers) | kind_of_body | jar,
        draw(body),
    )


@st.composite
def login(draw):
    """Draw a login request that passes the CSRF protection."""
    # Not ada: a lockout would break other tests.
    fields = {"username": "eve", "password": "wrong"} | draw(form) | {"csrfmiddlewaretoken": TOKEN}
    jar = "; ".join(f"{name}={it}" for name, it in (draw(cookies) | {"csrftoken": TOKEN}).items())
    kind, content = draw(
        st.sampled_from([(KINDS[0], encoded), (f"{KINDS[1]}; boundary=b", in_parts)])
    )
    address = {"X-Forwarded-For": f"192.0.2.{draw(st.integers(0, 3))}"}
    drawn = address | {"Content-Type": kind, "Cookie": jar} | draw(headers)
    drawn |= {"Origin": f"https://{HOST}", "X-Forwarded-Proto": "https"}
    query = draw(st.one_of(st.just(""), bytes_of_path.map("?next={}".format)))
    page = draw(st.sampled_from(["/admin/login/", "/accounts/login/"]))
    return "POST", page + query, drawn, content(fields)


def sent(request, in_chunks):
    """Return a request to HOST as bytes."""
    method, path, headers, body = request
    head = {"Host": HOST, "X-Forwarded-Proto": "https"} | headers | {"Connection": "close"}
    if in_chunks:
        head["Transfer-Encoding"] = "chunked"
        body = (b"%x\r\n%s\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
    else:
        head["Content-Length"] = str(len(body))
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {it}" for name, it in head.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


request = st.builds(sent, st.one_of(anything(), login()), st.sampled_from([False, False, True]))


def status_of(port, request):
    """Send the bytes of a request, and return the status of the response."""
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall(request)
        return int(connection.makefile("rb").readline().split()[1])


def statuses(deployed, examples):
    """Send `examples` generated requests, and count the statuses of the responses."""
    counts = Counter()

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(request)
    def send(request):
        status = status_of(deployed.dynos[0].port, request)
        counts[status] += 1
        assert status < 500, request

    send()
    return counts


FORM = "application/x-www-form-urlencoded"
TOKENS = {"Cookie": f"csrftoken={TOKEN}", "Origin": f"https://{HOST}"}
# Requests that caused a 500 once, or cause one with Django's own error pages.
KNOWN = {
    "a long name": ("POST", "/accounts/login/", {"Content-Type": FORM}, {"username": "a" * 256}, 200),
    "a form in latin-1": (
        "POST", "/accounts/login/", {"Content-Type": f"{FORM}; charset=latin-1"}, {}, 400
    ),
    "a binary charset": ("GET", "/", {"Content-Type": "text/plain; charset=hex"}, {}, 200),
    "an unknown charset": (
        "GET", "/", {"Content-Type": "text/plain; charset*=nope''x; a*=hex'en'%41"}, {}, 200
    ),
    "an invalid escape": (
        "GET", "/", {"Content-Type": "text/plain; charset*=unicode_escape'en'\\\xa8"}, {}, 200
    ),
    "a charset with escapes": (
        "GET", "/?next=%5C%3B", {"Content-Type": "text/plain; charset=unicode_escape"}, {}, 200
    ),
    "a charset that is undefined": (
        "POST", "/accounts/login/", {"Content-Type": f"{FORM}; charset=undefined"}, {}, 200
    ),
    "a form without a boundary": (
        "POST", "/accounts/login/", {"Content-Type": "multipart/form-data"}, {}, 400
    ),
    "a form without a boundary, to a missing page": (
        "POST", "/nothing/", {"Content-Type": "multipart/form-data"}, {}, 404
    ),
    "a form in latin-1, to a missing page": (
        "POST", "/nothing/", {"Content-Type": f"{FORM}; charset=latin-1"}, {}, 404
    ),
    "an invalid address": (
        "POST", "/accounts/login/", {"Content-Type": FORM, "X-Forwarded-For": "unknown"}, {}, 200
    ),
    "NUL in a name": ("POST", "/accounts/login/", {"Content-Type": FORM}, {"username": "\0"}, 200),
    "NUL in a session": ("GET", "/", {"Cookie": "__Host-sessionid=%00%00%00%00%00%00%00%00"}, {}, 200),
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_known_odd_requests_get_the_expected_status(deployed, name):
    method, path, headers, fields, status = KNOWN[name]
    form = {"username": name[:30], "password": "wrong"} | fields | {"csrfmiddlewaretoken": TOKEN}

    request = sent((method, path, TOKENS | headers, encoded(form)), in_chunks=False)

    assert status_of(deployed.dynos[0].port, request) == status


def test_odd_requests_cause_no_500(deployed):
    counts = statuses(deployed, 300)

    assert counts.keys() >= {200, 302, 400, 403, 404}


@pytest.mark.exotic
def test_ten_thousand_odd_requests_cause_no_500(deployed, record_property):
    counts = statuses(deployed, 10_000)

    result = ", ".join(f"{status}: {count:,}" for status, count in sorted(counts.items()))
    record_property("figure", ("10,000 odd requests", f"no 500; {result}"))
    assert counts.total() >= 9_000 and 429 in counts
