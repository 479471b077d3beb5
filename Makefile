# make demo | test | lab start from nothing but Python >= 3.11 and pip; make help lists every target.
PYTHON ?= python3
BIN := .venv/bin
COVERAGE_FLOOR := 92
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help demo test lint test-front pytest lab docs dev test-lowest test-torch-free release

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' Makefile

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) torch
	$(PIP) -e ".[test]"
	touch $@

demo: .venv/installed  ## train, generate and explain in the quickstart notebook
	$(BIN)/python notebooks/run.py notebooks/01-quickstart.ipynb

test: lint test-front pytest  ## every check and every test

lint: .venv/installed  ## style, import directions, types, dead code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/pyright --pythonpath $(BIN)/python nbtextgen
	$(BIN)/vulture

test-front: .venv/installed  ## types, lint and unit tests of the JavaScript; skipped without Node.js unless CI=true
	tests/front/run $(abspath $(BIN)/python)

pytest: .venv/installed  ## every test; fails below COVERAGE_FLOOR percent of the lines that run in the tests' own processes
	$(BIN)/python -m slipcover --source nbtextgen --json --out .coverage.json \
	    -m pytest -n 3 --dist loadgroup -W ignore::pytest.PytestAssertRewriteWarning
	$(BIN)/python -m slipcover --merge .coverage.json --out .coverage.json --skip-covered --fail-under $(COVERAGE_FLOOR)

lab: .venv/installed  ## JupyterLab on the quickstart
	$(BIN)/jupyter lab notebooks/01-quickstart.ipynb

.venv/docs: .venv/installed
	$(PIP) -e ".[docs]"
	touch $@

docs: .venv/docs  ## the documentation, docs/_build/html/index.html; warnings, broken links and anything fetched from elsewhere are errors
	rm -rf docs/_build
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	$(BIN)/python scripts/check_docs.py docs/_build/html

dev: .venv/installed  ## install the pre-commit hooks
	$(PIP) -e ".[dev]"
	$(BIN)/pre-commit install

test-lowest:  ## the tests outside the browser, with the lowest allowed version of every direct dependency (Python 3.11)
	tools/test_lowest.sh

test-torch-free:  ## the tests that need no torch, in an environment without it, on Python 3.12 and 3.13
	tools/test_torch_free.sh

release:  ## build the sdist and the wheel, check their metadata, and try the wheel in an environment of its own
	tools/release.sh
