import os
import re
import subprocess
import sys

from django.conf import settings
from django.test import SimpleTestCase


def variables(name):
    """Return the variables of a file such as .env.example, as a dict."""
    text = (settings.BASE_DIR / name).read_text(encoding="utf-8")
    return dict(re.findall(r"^([A-Z_]+)=(.*)$", text, re.MULTILINE))


class ChecklistTests(SimpleTestCase):
    def test_no_warning_under_the_variables_of_a_live_site(self):
        at_home = variables(".env.example")
        environment = {name: value for name, value in os.environ.items() if name not in at_home}

        checklist = subprocess.run(
            [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
            cwd=settings.BASE_DIR,
            env=environment | variables("tests/production.env"),
            capture_output=True,
            text=True,
        )

        self.assertEqual(checklist.returncode, 0, checklist.stdout + checklist.stderr)


class EnvironmentTests(SimpleTestCase):
    def test_env_example_lists_each_variable_that_the_settings_read(self):
        source = (settings.BASE_DIR / "project" / "settings.py").read_text(encoding="utf-8")

        read = set(re.findall(r'\benv(?:\.\w+)?\(\s*"([A-Z_]+)"', source))

        self.assertEqual(read, set(variables(".env.example")))
