"""gunicorn.conf.py with a version of gunicorn that lacks a name that it patches."""

import pytest

NAMES = ["gunicorn.workers.gthread.DEFAULT_WORKER_DATA_TIMEOUT", "gunicorn.util.close_graceful"]


@pytest.mark.parametrize("name", NAMES)
def test_missing_name_in_gunicorn_is_reported_at_start(site, tmp_path, name):
    module, _, attribute = name.rpartition(".")
    text = f"import importlib\ndelattr(importlib.import_module('{module}'), '{attribute}')\n"
    (tmp_path / "sitecustomize.py").write_text(text)
    environment = site().production(PYTHONPATH=str(tmp_path))

    def check(**changes):
        command = [site().python.parent / "gunicorn", "--check-config", "project.wsgi"]
        return site().run(*command, env=environment | changes)

    warned = check()
    assert warned.returncode == 0 and "gunicorn has changed" in warned.out, warned.out
    assert check(PYTHONWARNINGS="error::RuntimeWarning").returncode == 1  # as in the site's tests
    assert "RuntimeWarning" not in check(PYTHONPATH="").out
