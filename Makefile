# What README.md and CONTRIBUTING.md have to type, for a machine that has Python and nothing else.
PYTHON ?= python3
MARKS = not exotic and not weekly
PLATFORMS = buildah debootstrap nginx sqlite3

.PHONY: site test test-all test-next pictures benchmark protections

# Asks its questions; where nobody can answer, the defaults it is.
site: .venv/installed
	.venv/bin/cookiecutter . --output-dir .. $(shell test -t 0 || echo --no-input)

# ruff would take the template's own pyproject.toml, which is none before it is rendered.
test: .venv/installed .venv/browser
	.venv/bin/ruff check --config pyproject.toml
	.venv/bin/ruff format --check --config pyproject.toml
	.venv/bin/pytest -m "$(MARKS)"

# What few sites meet, too, as CI has it.
test-all: MARKS = not weekly
test-all: .venv/platforms test

# A site with Django's pre-release, and updates with the newest cruft. Then .venv is to be made anew.
test-next: .venv/installed
	rm .venv/installed
	.venv/bin/pip install --quiet --upgrade cookiecutter cruft
	.venv/bin/pytest -m "" tests/updates

# Those that README.md shows, from a real run.
pictures: .venv/installed .venv/browser
	.venv/bin/python tests/pictures.py

# Some ten minutes; writes docs/benchmarks.md and docs/growth.svg.
benchmark: .venv/installed
	.venv/bin/pip install --quiet --group benchmark
	PYTHONPATH=tests .venv/bin/python benchmarks

# What each protection costs, by count of instructions; needs valgrind.
protections: .venv/installed
	PYTHONPATH=tests .venv/bin/python benchmarks/protections.py

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --upgrade "pip>=25.1"  # the first that knows --group
	.venv/bin/pip install --quiet --group dev
	touch $@

# A browser for the tests: Debian's for root, as on a machine of CI's, else Playwright's own.
.venv/browser: .venv/installed
	command -v chromium || command -v google-chrome || \
	if [ "$$(id -u)" = 0 ]; then apt-get update -qq && apt-get install --yes -qq chromium; \
	else .venv/bin/playwright install chromium; fi
	touch $@

# For the tests of docs/platforms and docs/backups.md; without root, what is missing is skipped.
.venv/platforms: .venv/installed
	[ "$$(id -u)" != 0 ] || \
	{ apt-get update -qq && apt-get install --yes -qq $(PLATFORMS) && \
	{ systemctl disable --quiet --now nginx 2>/dev/null || true; }; }
	touch $@
