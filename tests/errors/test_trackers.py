"""The reports that a site in production sends to an error tracker."""

import http.client

import pytest
from support.fake_tracker import FakeTracker, texts_of

pytestmark = pytest.mark.slow

KINDS = ["rollbar", "sentry"]
# The places that can fail: two middleware of support/failing.py, and the view between them.
PLACES = ["first", "view", "last"]


def summary(kind, report):
    """Return the text, request ID, commit, environment and route of a report."""
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
            assert failing.request("/crash/secret/", **headers)[0] == 500
        assert failing.request("/denied/")[0] == 403
        assert failing.request("/missing/")[0] == failing.request("/nothing/")[0] == 404
        assert failing.request("/suspicious/")[0] == 400
        assert failing.request("/log-in/", b"no CSRF token")[0] == 403
        assert failing.request("/stranger/", Host="stranger.example.org")[0] == 400
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
    assert f"INFO project Error tracking is on: {kind.capitalize()}, staging\n" in log


@pytest.mark.parametrize("kind", KINDS)
def test_sys_exit_and_broken_streams_are_reported_and_end_no_worker(failing_site, serve, kind):
    """Check that each causes one item and one log line, and that the next request succeeds."""
    with FakeTracker(kind) as tracker:
        failing = failing_site(tracker)
        failing.variables["HEROKU_BUILD_COMMIT"] = "built"
        failing.start(serve)
        with pytest.raises(http.client.IncompleteRead):
            failing.request("/stream/", **{"X-Request-Id": "id-stream"})
        for code in (0, 3):
            assert failing.request(f"/leave/{code}/", **{"X-Request-Id": f"id-{code}"})[0] == 500
        assert failing.request("/healthz")[0] == 200
        tracker.wait_for(3)
        sent = [summary(kind, report)[:2] for report in tracker.reports(failing.site.python)]

    assert {it[1] for it in sent} == {"id-stream", "id-0", "id-3"} and len(sent) == 3
    assert ("crash in stream", "id-stream") in sent
    log = failing.log()
    assert log.count("Traceback") == 3 + 2  # each exit is the cause of another exception
    for request in ("id-stream", "id-0", "id-3"):
        assert log.count(f"[{request}]") == 1
    assert "Booting worker" in log and log.count("Booting worker") == 2


@pytest.mark.parametrize("kind", KINDS)
def test_crashes_in_threads_tasks_and_commands_are_reported_once(failing_site, serve, kind):
    """Check also what the owner's code logs and reports itself."""
    with FakeTracker(kind) as tracker:
        failing = failing_site(tracker)
        failing.start(serve)
        assert failing.request("/logged/", **{"X-Request-Id": "id-logged"})[0] == 200
        assert failing.request("/by-hand/")[0] == 500
        command = failing.site.manage("fail", env=failing.variables)
        tracker.wait_for(6)
        found = [texts_of(kind, it) for it in tracker.reports(failing.site.python)]

    assert command.returncode == 1 and command.out.count("Traceback") == 1
    messages = {tuple(it[0]) or it[1]: it[2] for it in found}
    assert len(found) == len(messages) == 6
    assert messages[("crash in command",)]["log_message"] == "manage.py fail failed"
    assert messages[("crash that is caught",)]["log_message"] == "The card was not charged"
    assert messages[("crash in thread",)]["log_message"].startswith("Thread ")
    assert "log_message" not in messages[("crash in task",)]
    assert messages[("by hand, 'quoted'\nsecond line",)]["order"] == 3
    assert messages["A message by hand"]["order"] == 4
    log = failing.log()
    for line in ("line in view", "line in thread", "line in pool"):
        assert f"WARNING application.failing [id-logged] {line}\n" in log
    assert log.count("[id-logged]") == 6  # including the crashes


@pytest.mark.parametrize("kind", KINDS)
def test_large_texts_are_cut_and_failing_texts_replaced(failing_site, serve, kind):
    with FakeTracker(kind) as tracker:
        failing = failing_site(tracker)
        failing.start(serve)
        assert failing.request("/large/message/")[0] == 200
        assert failing.request("/large/exception/")[0] == 500
        assert failing.request("/large/unprintable/")[0] == 500
        tracker.wait_for(3)
        found = [texts_of(kind, it) for it in tracker.reports(failing.site.python)]

    exceptions = sorted(it[0][0] for it in found if it[0])
    assert exceptions == ["(its __str__ fails)", 200 * "x"]
    assert [len(it[1]) for it in found if it[1]] == [10_000]


@pytest.mark.parametrize("kind", KINDS)
def test_burst_of_one_error_does_not_hide_others(failing_site, serve, kind):
    """Cause 200 errors in one place, then one error in each of two others."""
    with FakeTracker(kind) as tracker:
        failing = failing_site(tracker)
        failing.variables["HEROKU_BUILD_COMMIT"] = "built"
        failing.start(serve)
        for _ in range(200):
            assert failing.request("/crash/secret/")[0] == 500
        for place in ("first", "last"):
            assert failing.request("/crash/secret/", **{"X-Crash": place})[0] == 500
        tracker.wait_for(62)
        texts = [summary(kind, report)[0] for report in tracker.reports(failing.site.python)]

    assert 30 <= texts.count("crash in view") <= 60
    assert texts.count("crash in first") == texts.count("crash in last") == 1


@pytest.mark.parametrize("kind", KINDS)
def test_commit_is_read_from_the_older_variable_of_heroku(failing_site, serve, kind):
    with FakeTracker(kind) as tracker:
        failing = failing_site(tracker)
        failing.variables["HEROKU_SLUG_COMMIT"] = "older"
        failing.start(serve)
        failing.request("/crash/secret/")
        tracker.wait_for(1)

        reports = tracker.reports(failing.site.python)
        assert [summary(kind, report)[2] for report in reports] == ["older"]


@pytest.mark.parametrize(
    ("kind", "variable", "value", "reason"),
    [
        ("rollbar", "ROLLBAR_ENABLED", "False", "off, as ROLLBAR_ENABLED says"),
        ("rollbar", "ROLLBAR_ACCESS_TOKEN", "", "off: ROLLBAR_ACCESS_TOKEN is not set"),
        ("sentry", "SENTRY_DSN", "", "off: SENTRY_DSN is not set"),
        ("sentry", "SENTRY_ENABLED", "False", "off, as SENTRY_ENABLED says"),
    ],
)
def test_no_reports_when_tracking_is_off(failing_site, serve, kind, variable, value, reason):
    with FakeTracker(kind) as tracker:
        failing = failing_site(tracker)
        failing.variables[variable] = value
        failing.start(serve)
        assert failing.request("/crash/secret/")[0] == 500
        tracker.wait_for(0)

    log = failing.log()
    assert tracker.items == []
    assert log.count("RuntimeError: crash in view\n") == 1
    assert log.count("Error tracking is") == 1 and f"Error tracking is {reason}\n" in log


@pytest.mark.parametrize(
    ("variables", "environment"),
    [
        ({}, "production"),
        ({"HEROKU_PR_NUMBER": "7"}, "review"),
        ({"DEBUG": "True"}, "development"),
        ({"ROLLBAR_ENVIRONMENT": "a", "SENTRY_ENVIRONMENT": "a", "HEROKU_PR_NUMBER": "7"}, "a"),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_environment_of_reports(site, kind, variables, environment):
    show = "from django.conf import settings; print(settings.ERROR_TRACKING)"

    shown = site(kind).shell(show, env=site(kind).production(**variables))

    is_off = kind == "rollbar" and "DEBUG" in variables
    expected = (
        "off, as ROLLBAR_ENABLED says" if is_off else f"on: {kind.capitalize()}, {environment}"
    )
    assert shown.stdout == f"{expected}\n"
