"""Secrets in requests, variables and exceptions, which must not be sent to an error tracker."""

import re

import pytest
from support.failing_site import QUOTED
from support.fake_tracker import FakeTracker

pytestmark = pytest.mark.slow

KINDS = ["rollbar", "sentry"]
# The only header that may have the key of the tracker.
AUTHENTICATION = {"rollbar": "X-Rollbar-Access-Token", "sentry": "X-Sentry-Auth"}
# The parts of a client's requests. Each {name} is replaced by a different secret.
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
# Replacements in the settings, with which the tracker's client has its default options.
DEFAULT_CLIENT = {
    "rollbar": {
        'LOGGING["handlers"]["error_tracking"] = {"class": "project.error_tracking.Handler"}': "",
        'LOGGING["root"]["handlers"].append("error_tracking")': (
            'MIDDLEWARE.append("rollbar.contrib.django.middleware.RollbarNotifierMiddleware")'
        ),
        "ERROR_TRACKING =": (
            'ROLLBAR = {name: ROLLBAR[name] for name in ("access_token", "endpoint", "enabled")}\n'
            'ROLLBAR["environment"] = "production"\n'
            "ERROR_TRACKING ="
        ),
    },
    "sentry": {
        'LOGGING["handlers"]["error_tracking"] = {"class": "project.error_tracking.Handler"}': "",
        'LOGGING["root"]["handlers"].append("error_tracking")': (
            "error_tracking.sentry_sdk.init(dsn=SENTRY_DSN, data_collection={})"
        ),
    },
}


def cause_errors(failing):
    """Log in and cause three errors, with secrets in all parts of the requests.

    Send a form with a file, then JSON, to a view that fails; and request a path without a route.
    """
    cookies = " ".join(failing.request("/log-in/")[1].get_all("Set-Cookie"))
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
    assert failing.request(path, form.encode(), **headers)[0] == 500
    headers["Content-Type"] = "application/json"
    json = JSON.format_map(failing.secrets)
    assert failing.request(path, json.encode(), **headers)[0] == 500
    path = "/nothing/{path without a route}/".format_map(failing.secrets)
    assert failing.request(path, **{"X-Crash": "first"})[0] == 500


def sent_secrets(failing, tracker, serve, database, items=3):
    """Cause errors; return the names of the secrets in the `items`, and of all secrets."""
    failing.variables |= {
        "DATABASE_URL": database(failing.secrets["DATABASE_URL"]),
        "SECRET_KEY": failing.secrets["SECRET_KEY"] * 4,
        "PAYMENT_KEY": failing.secrets["environment"],
    }
    failing.secrets["key of the tracker"] = tracker.key
    failing.manage("migrate")
    failing.start(serve)
    cause_errors(failing)
    tracker.wait_for(items)

    received = tracker.texts(failing.site.python)
    assert sum('"told"' in text for text in received) == 2
    for item in tracker.items:
        del item.headers[AUTHENTICATION[tracker.kind]]
        received.append(str(item.headers))
    sent = {name for name, secret in failing.secrets.items() if secret in "".join(received)}
    print(f"{tracker.kind}: {len(sent)} of {len(failing.secrets)} secrets were sent")
    return sent, failing.secrets.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_no_secret_is_sent(failing_site, serve, database, kind):
    with FakeTracker(kind) as tracker:
        sent, planted = sent_secrets(failing_site(tracker), tracker, serve, database)

    assert sent == set()
    assert len(planted) >= 40 and len(tracker.items) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_default_client_sends_most_secrets(failing_site, serve, database, kind):
    """Check that the test above would find secrets."""
    with FakeTracker(kind) as tracker:
        failing = failing_site(tracker)
        for old, new in DEFAULT_CLIENT[kind].items():
            failing.site.replace("project/settings.py", old, new)
        sent, planted = sent_secrets(failing, tracker, serve, database, items=2)

    print(f"Not sent: {sorted(planted - sent)}")
    assert len(sent) > len(planted) / 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("full_text", [False, True])
def test_data_in_exception_texts_is_sent_only_with_full_text(
    failing_site, serve, database, kind, full_text
):
    """Check that, by default, only the first line is sent, without the data that it quotes."""
    with FakeTracker(kind) as tracker:
        failing = failing_site(tracker)
        failing.site.replace(
            "project/settings.py",
            "ERROR_TRACKING_FULL_TEXT = False",
            f"ERROR_TRACKING_FULL_TEXT = {full_text}",
        )
        failing.variables["DATABASE_URL"] = database("password")
        failing.manage("migrate")
        failing.start(serve)
        for name in QUOTED:
            assert failing.request(f"/quote/{name}/")[0] == 500
        tracker.wait_for(len(QUOTED))
        received = "".join(tracker.texts(failing.site.python))

    assert len(tracker.items) == len(QUOTED) >= 40
    arrived = {name for name in QUOTED if failing.quoted[name] in received}
    print(f"{kind}: {len(arrived)} of {len(QUOTED)} with full_text={full_text}: {sorted(arrived)}")
    may_arrive = {name for name, may in QUOTED.items() if may}
    assert arrived == may_arrive if not full_text else len(arrived) > 30 and arrived > may_arrive
