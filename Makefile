# The two commands of the README, for a machine that has Python and nothing else.
PYTHON ?= python3

.PHONY: site test

# Asks its questions; where nobody can answer, the defaults it is.
site: .venv/installed
	.venv/bin/cookiecutter . --output-dir .. $(shell test -t 0 || echo --no-input)

test: .venv/installed
	.venv/bin/ruff check --config pyproject.toml
	.venv/bin/ruff format --check --config pyproject.toml
	.venv/bin/pytest

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --upgrade "pip>=25.1"  # the first that knows --group
	.venv/bin/pip install --quiet --group dev
	touch $@
