"""What a tracker gets to know of an error, and what it does not, from the site as it runs live."""

import http.client
import re

import pytest
from failing_site import FailingSite
from fake_tracker import FakeTracker

pytestmark = pytest.mark.slow

KINDS = ["rollbar", "sentry"]
# Where the key of a tracker belongs, and nowhere else.
AUTHENTICATION = {"rollbar": "X-Rollbar-Access-Token", "sentry": "X-Sentry-Auth"}
# A file of the tracker's client that requests come through where it is on.
TRACES = {"rollbar": "error_tracking.py", "sentry": "sentry_sdk"}
PLACES = ["first", "view", "last"]
# What a visitor sends. Each {name} is a secret of its own.
PATH = "/tell/{path parameter}/?token={query token}&password={query password}&q={query}"
FORM = ["password", "new_password1", "card_number", "cvc", "token", "otp", "message"]
JSON = '{{"customer": {{"password": "{JSON password}", "name": "{JSON name}"}}}}'
HEADERS = {
    "Authorization": "Bearer {Authorization}",
    "Proxy-Authorization": "Basic {Proxy-Authorization}",
    "Cookie": "csrftoken={csrftoken}; sessionid={sessionid}; other={other cookie}; "
    "__Host-sessionid={session}",
    "X-Api-Key": "{X-Api-Key}",
    "X-CSRFToken": "{X-CSRFToken}",
    "X-Forwarded-For": "{X-Forwarded-For}, 192.0.2.1",
    "X-Real-Ip": "{X-Real-Ip}",
    "Forwarded": "for={Forwarded}",
    "Baggage": "rollbar.session.id={Baggage for Rollbar},sentry-user={Baggage for Sentry}",
    "X-Unheard-Of": "{X-Unheard-Of}",
    "Referer": "https://www.example.com/{Referer path}/?q={Referer query}",
}
# What to replace in the settings, and by what, to have the tracker's client as it comes.
STOCK = {
    "rollbar": {
        "project.error_tracking.ErrorTrackingMiddleware": (
            "rollbar.contrib.django.middleware.RollbarNotifierMiddleware"
        ),
        "ERROR_TRACKING =": (
            'ROLLBAR = {name: ROLLBAR[name] for name in ("access_token", "endpoint", "enabled")}\n'
            'ROLLBAR["environment"] = "production"\n'
            "ERROR_TRACKING ="
        ),
    },
    "sentry": {
        "error_tracking.start(SENTRY_DSN, SENTRY_ENVIRONMENT)": (
            "error_tracking.sentry_sdk.init(dsn=SENTRY_DSN, data_collection={})"
        )
    },
}


@pytest.fixture
def failing_site(site, copy_of, free_port):
    """Return a function that gives a FailingSite which reports to `tracker`."""

    def copied(tracker):
        return FailingSite(copy_of(site(tracker.kind)), tracker, free_port)

    return copied


@pytest.fixture
def database(postgres, free_port):
    """Return a function that gives the URL of a database of the test's own, with this password."""

    def with_password(password):
        name = f"site{free_port}"
        postgres.execute(f"CREATE ROLE {name} SUPERUSER LOGIN PASSWORD '{password}'")
        server = postgres.database(name).partition("@")[2]
        return f"postgres://{name}:{password}@{server}"

    return with_password


def meet_errors(failing):
    """Log in and meet three errors, with secrets everywhere.

    A form with a file, then JSON, for a view that fails; and a path without a route.
    """
    cookies = " ".join(failing.visit("/log-in/")[1].get_all("Set-Cookie"))
    failing.secrets["session"] = re.search(r"__Host-sessionid=(\w+)", cookies)[1]
    path = PATH.format_map(failing.secrets)
    headers = {name: value.format_map(failing.secrets) for name, value in HEADERS.items()}
    fields = [f'name="{name}"\r\n\r\n{failing.secrets["form " + name]}' for name in FORM]
    fields.append(
        'name="scan"; filename="{file name}.txt"\r\n\r\n{file}'.format_map(failing.secrets)
    )
    parts = [f"--edge\r\nContent-Disposition: form-data; {field}\r\n" for field in fields]
    form = "".join([*parts, "--edge--\r\n"])
    headers["Content-Type"] = "multipart/form-data; boundary=edge"
    assert failing.visit(path, form.encode(), **headers)[0] == 500
    headers["Content-Type"] = "application/json"
    json = JSON.format_map(failing.secrets)
    assert failing.visit(path, json.encode(), **headers)[0] == 500
    path = "/nothing/{path without a route}/".format_map(failing.secrets)
    assert failing.visit(path, **{"X-Crash": "first"})[0] == 500


def given_away(failing, tracker, serve, database, items=3):
    """Have the site fail; return the names of the secrets in the `items`, and of all."""
    failing.variables |= {
        "DATABASE_URL": database(failing.secrets["DATABASE_URL"]),
        "SECRET_KEY": failing.secrets["SECRET_KEY"] * 4,
        "PAYMENT_KEY": failing.secrets["environment"],
    }
    failing.secrets["key of the tracker"] = tracker.key
    failing.manage("migrate")
    failing.start(serve)
    meet_errors(failing)
    tracker.wait_for(items)

    received = tracker.texts(failing.site.python)
    assert sum('"told"' in text for text in received) == 2
    for item in tracker.items:
        del item.headers[AUTHENTICATION[tracker.kind]]
        received.append(str(item.headers))
    out = {name for name, secret in failing.secrets.items() if secret in "".join(received)}
    print(f"{tracker.kind}: {len(out)} of {len(failing.secrets)} secrets got out")
    return out, failing.secrets.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_no_secret_gets_out(failing_site, serve, database, kind):
    with FakeTracker(kind) as tracker:
        out, planted = given_away(failing_site(tracker), tracker, serve, database)

    assert out == set()
    assert len(planted) >= 40 and len(tracker.items) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_most_secrets_would_get_out_with_the_client_as_it_comes(
    failing_site, serve, database, kind
):
    """Otherwise the test above would prove nothing."""
    with FakeTracker(kind) as tracker:
        failing = failing_site(tracker)
        for old, new in STOCK[kind].items():
            failing.site.replace("project/settings.py", old, new)
        out, planted = given_away(failing, tracker, serve, database, items=2)

    print(f"These stay: {sorted(planted - out)}")
    assert len(out) > len(planted) / 2


def summary(kind, report):
    """Return what an item says: what happened, in which request, at which commit, and where."""
    if kind == "rollbar":
        trace = report["body"].get("trace") or report["body"]["trace_chain"][0]
        text = trace["exception"]["message"]
        request = report["custom"]["request_id"]
        return text, request, report["code_version"], report["environment"], report["context"]
    text = report["exception"]["values"][0]["value"]
    request = report["tags"]["request_id"]
    return text, request, report["release"], report["environment"], report["transaction"]


@pytest.mark.parametrize(
    ("kind", "route"),
    [("rollbar", "crash/<str:token>/"), ("sentry", "crash/<str:token>/")],
)
def test_one_item_and_one_traceback_for_each_crash(failing_site, collect, serve, kind, route):
    with FakeTracker(kind) as tracker:
        failing = failing_site(tracker)
        failing.variables |= {
            f"{kind.upper()}_ENVIRONMENT": "staging",
            "HEROKU_BUILD_COMMIT": "built",
            "HEROKU_SLUG_COMMIT": "older",
        }
        collect(failing.site)
        failing.start(serve)

        for place in PLACES:
            headers = {"X-Crash": place, "X-Request-Id": f"id-{place}"}
            assert failing.visit("/crash/secret/", **headers)[0] == 500
        assert failing.visit("/denied/")[0] == 403
        assert failing.visit("/missing/")[0] == failing.visit("/nothing/")[0] == 404
        assert failing.visit("/suspicious/")[0] == 400
        assert failing.visit("/log-in/", b"no CSRF token")[0] == 403
        assert failing.visit("/stranger/", Host="stranger.example.org")[0] == 400
        assert TRACES[kind] in failing.visit("/stack/")[2]
        tracker.wait_for(3)
        reports = tracker.reports(failing.site.python)

    assert sorted(summary(kind, report) for report in reports) == [
        (f"crash in {place}", f"id-{place}", "built", "staging", route) for place in sorted(PLACES)
    ]
    log = failing.log()
    for place in PLACES:
        line = f"ERROR django.request [id-{place}] Internal Server Error: /crash/secret/"
        assert log.count(f"{line}\n  Traceback") == log.count(f"[id-{place}]") == 1
        assert log.count(f"RuntimeError: crash in {place}\n") == 1
    assert "stranger" not in log
    assert log.count("Error tracking is") == 1
    assert f"[-] Error tracking is on: {kind.capitalize()}, staging\n" in log


@pytest.mark.parametrize("kind", KINDS)
def test_what_would_end_a_worker_or_a_stream(failing_site, serve, kind):
    """Each is an item and a line with the request's id, and the next visitor notices nothing."""
    with FakeTracker(kind) as tracker:
        failing = failing_site(tracker)
        failing.variables["HEROKU_BUILD_COMMIT"] = "built"
        failing.start(serve)
        with pytest.raises(http.client.IncompleteRead):
            failing.visit("/stream/", **{"X-Request-Id": "id-stream"})
        for code in (0, 3):
            assert failing.visit(f"/leave/{code}/", **{"X-Request-Id": f"id-{code}"})[0] == 500
        assert failing.visit("/stack/")[0] == 200
        tracker.wait_for(3)
        told = [summary(kind, report)[:2] for report in tracker.reports(failing.site.python)]

    assert {it[1] for it in told} == {"id-stream", "id-0", "id-3"} and len(told) == 3
    assert ("crash in stream", "id-stream") in told
    log = failing.log()
    assert log.count("Traceback") == 3 + 2  # an exit is the cause of another
    for request in ("id-stream", "id-0", "id-3"):
        assert log.count(f"[{request}]") == 1
    assert "Booting worker" in log and log.count("Booting worker") == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_flood_of_one_error_hides_no_other(failing_site, serve, kind):
    """Two hundred of one, which a stranger may cause, then two others."""
    with FakeTracker(kind) as tracker:
        failing = failing_site(tracker)
        failing.variables["HEROKU_BUILD_COMMIT"] = "built"
        failing.start(serve)
        for _ in range(200):
            assert failing.visit("/crash/secret/")[0] == 500
        for place in ("first", "last"):
            assert failing.visit("/crash/secret/", **{"X-Crash": place})[0] == 500
        tracker.wait_for(62)
        texts = [summary(kind, report)[0] for report in tracker.reports(failing.site.python)]

    assert 30 <= texts.count("crash in view") <= 60
    assert texts.count("crash in first") == texts.count("crash in last") == 1


@pytest.mark.parametrize("kind", KINDS)
def test_commit_where_heroku_gives_the_older_variable(failing_site, serve, kind):
    with FakeTracker(kind) as tracker:
        failing = failing_site(tracker)
        failing.variables["HEROKU_SLUG_COMMIT"] = "older"
        failing.start(serve)
        failing.visit("/crash/secret/")
        tracker.wait_for(1)

        reports = tracker.reports(failing.site.python)
        assert [summary(kind, report)[2] for report in reports] == ["older"]


@pytest.mark.parametrize(
    ("kind", "variable", "value", "reason"),
    [
        ("rollbar", "ROLLBAR_ENABLED", "False", "off, as ROLLBAR_ENABLED says"),
        ("rollbar", "ROLLBAR_ACCESS_TOKEN", "", "off: ROLLBAR_ACCESS_TOKEN is not set"),
        ("sentry", "SENTRY_DSN", "", "off: SENTRY_DSN is not set"),
    ],
)
def test_off(failing_site, serve, kind, variable, value, reason):
    with FakeTracker(kind) as tracker:
        failing = failing_site(tracker)
        failing.variables[variable] = value
        failing.start(serve)
        assert TRACES[kind] not in failing.visit("/stack/")[2]
        assert failing.visit("/crash/secret/")[0] == 500
        tracker.wait_for(0)

    log = failing.log()
    assert tracker.items == []
    assert log.count("RuntimeError: crash in view\n") == 1
    assert log.count("Error tracking is") == 1 and f"Error tracking is {reason}\n" in log
