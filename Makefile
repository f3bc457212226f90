# The commands of README.md and CONTRIBUTING.md. They need Python, git and make.
PYTHON ?= python3
MARKS = not exotic and not weekly
PLATFORMS = buildah debootstrap nginx sqlite3

.PHONY: site test test-all test-next pictures benchmark protections

# Asks the questions; without a terminal, it uses the defaults.
site: .venv/installed
	.venv/bin/cookiecutter . --output-dir .. $(shell test -t 0 || echo --no-input)

# Without --config, ruff reads the template's pyproject.toml, which is invalid before it is rendered.
test: .venv/installed .venv/browser
	.venv/bin/ruff check --config pyproject.toml
	.venv/bin/ruff format --check --config pyproject.toml
	.venv/bin/pytest -m "$(MARKS)"

# Adds the tests marked exotic, as CI does.
test-all: MARKS = not weekly
test-all: .venv/platforms test

# Tests Django's pre-release and the newest cruft. The next make installs the pinned versions again.
test-next: .venv/installed
	rm .venv/installed
	.venv/bin/pip install --quiet --upgrade cookiecutter cruft
	.venv/bin/pytest -m "" tests/updates

# Regenerates the pictures of README.md from a real run.
pictures: .venv/installed .venv/browser
	.venv/bin/python tests/pictures.py

# Takes ten minutes; writes docs/benchmarks.md and docs/growth.svg.
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

# A browser for the tests: Debian's Chromium for root, else Playwright's.
.venv/browser: .venv/installed
	command -v chromium || command -v google-chrome || \
	if [ "$$(id -u)" = 0 ]; then apt-get update -qq && apt-get install --yes -qq chromium; \
	else .venv/bin/playwright install chromium; fi
	touch $@

# For the tests of docs/platforms and docs/backups.md. Without root, tests of missing tools are skipped.
.venv/platforms: .venv/installed
	[ "$$(id -u)" != 0 ] || \
	{ apt-get update -qq && apt-get install --yes -qq $(PLATFORMS) && \
	{ systemctl disable --quiet --now nginx 2>/dev/null || true; }; }
	touch $@
