# make demo | test | lab: each starts from nothing but Python >= 3.11 and pip.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test lab

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) torch
	$(PIP) -e ".[test]"
	touch $@

demo: .venv/installed
	$(BIN)/python notebooks/run.py notebooks/01-quickstart.ipynb

test: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/pyright --pythonpath $(BIN)/python nbtextgen
	$(BIN)/python -m pytest -n 2 --dist loadgroup

lab: .venv/installed
	$(BIN)/jupyter lab notebooks/01-quickstart.ipynb
