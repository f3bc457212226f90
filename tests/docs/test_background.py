"""The steps of docs/background.md, with a real worker and a real Postgres."""

import os
import re
import signal
import subprocess
import textwrap
import time

import pytest
from support.fake_tracker import FakeTracker, texts_of
from support.generated import ROOT, procfile

pytestmark = [pytest.mark.slow, pytest.mark.exotic]

PAGE = (ROOT / "docs" / "background.md").read_text(encoding="utf-8")
# A slow task, and one that fails.
TASKS = """

@task
def slow(seconds):
    import time
    time.sleep(seconds)
    return "finished"


@task
def fail():
    raise RuntimeError("crash in task")
"""
STATES = """
from django_tasks_db.models import DBTaskResult
print(*DBTaskResult.objects.order_by("task_path").values_list("status", flat=True))
"""


def blocks():
    """Return the text of each code block of the page."""
    found = re.findall(r"^ *```\w*\n(.+?)^ *```", PAGE, re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(text) for text in found]


def follow(site, environment):
    """Follow the steps of the page, up to the Procfile."""
    add, settings, task, worker, *_ = blocks()
    done = site.run("bash", "-c", add, env=environment)
    assert done.returncode == 0, done.out
    end = "env.refuse_problems()"
    site.replace("project/settings.py", f"\n{end}", f"\n{settings}\n{end}")
    (site.path / "application" / "tasks.py").write_text(task + TASKS)
    with (site.path / "Procfile").open("a") as lines:
        lines.write(worker)


def wait_for(states, site, variables):
    until = time.monotonic() + 30
    while (found := site.shell(STATES, env=variables).stdout.split()) != states:
        assert time.monotonic() < until, found
        time.sleep(0.2)


def test_worker_runs_tasks_finishes_at_sigterm_and_reports_crashes(own_copy, postgres):
    site, environment = own_copy
    follow(site, environment)
    verified = site.run("python", "bootstrap.py", env=environment)
    assert "\nVerified" in verified.stdout, verified.out
    with FakeTracker("rollbar") as tracker:
        path = f"{site.python.parent}:{os.environ['PATH']}"
        variables = site.production(PATH=path, DATABASE_URL=postgres.database("tasks"))
        variables |= tracker.variables
        assert site.manage("migrate", env=variables).returncode == 0
        with (site.path / "worker.log").open("w") as log:
            line = procfile(site.path)["worker"]
            output = {"stdout": log, "stderr": log, "start_new_session": True}
            worker = subprocess.Popen(["bash", "-c", line], cwd=site.path, env=variables, **output)
            try:
                enqueue = "from application.tasks import *; fail.enqueue(); slow.enqueue(3)"
                assert site.shell(enqueue, env=variables).returncode == 0
                wait_for(["FAILED", "RUNNING"], site, variables)
                os.killpg(worker.pid, signal.SIGTERM)
                assert worker.wait(20) == 0
            finally:
                if worker.poll() is None:
                    os.killpg(worker.pid, signal.SIGKILL)
                    worker.wait()
        tracker.wait_for(1)
        reports = tracker.reports(site.python)

    assert site.shell(STATES, env=variables).stdout.split() == ["FAILED", "SUCCESSFUL"]
    assert [texts_of("rollbar", report)[0] for report in reports] == [["crash in task"]]
    text = (site.path / "worker.log").read_text()
    assert text.count("Traceback") == 1


def test_scheduled_commands_delete_only_expired_rows(site, postgres):
    project = site("rollbar")
    scheduled = next(block for block in blocks() if "clearsessions" in block)
    path = f"{project.python.parent}:{os.environ['PATH']}"
    variables = project.production(PATH=path, DATABASE_URL=postgres.database("schedule"))
    assert project.manage("migrate", env=variables).returncode == 0
    rows = """
from datetime import timedelta
from axes.models import AccessLog
from django.contrib.sessions.models import Session
from django.utils import timezone
for days in (-1, 1):
    date = timezone.now() + timedelta(days=days)
    Session.objects.create(session_key=f"key{days}", session_data="", expire_date=date)
for days in (1, 31):
    log = AccessLog.objects.create(username=f"{days} days")
    AccessLog.objects.filter(pk=log.pk).update(attempt_time=timezone.now() - timedelta(days=days))
"""
    assert project.shell(rows, env=variables).returncode == 0
    done = project.run("bash", "-c", scheduled, env=variables)
    assert done.returncode == 0, done.out
    left = """
from axes.models import AccessLog
from django.contrib.sessions.models import Session
print(*Session.objects.values_list("pk", flat=True), *AccessLog.objects.values_list("username", flat=True))
"""
    assert project.shell(left, env=variables).stdout == "key1 1 days\n"
