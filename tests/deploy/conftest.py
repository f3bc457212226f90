"""Fake command-line tools, which record their arguments."""

import json
import os

import pytest
from support.generated import BIN

FAKE = """#!{python}
import json, sys
with open({log!r}, "a") as log:
    log.write(json.dumps(sys.argv) + "\\n")
print({answer!r})
sys.exit({fails_at!r} in sys.argv)
"""


@pytest.fixture
def fakes(tmp_path):
    """Return a function that makes fake programs, and one that returns their calls."""
    folder, log = tmp_path / "bin", tmp_path / "calls"
    folder.mkdir()

    def make(*names, answer="my-project", fails_at=None):
        log.unlink(missing_ok=True)
        for name in names:
            python = BIN / "python"
            text = FAKE.format(python=python, log=str(log), answer=answer, fails_at=fails_at)
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        return f"{folder}:/usr/bin:/bin"

    def calls():
        for line in log.read_text().splitlines():
            name, *words = json.loads(line)
            yield [os.path.basename(name), *words]

    return make, lambda: list(calls())
