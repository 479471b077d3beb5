#!/usr/bin/env bash
# Builds dist/, checks it, and tries the wheel in an environment that has only its core dependencies, from a folder outside the
# checkout: the command line trains, generates, explains and saves; a notebook shell runs the magics. PYTHON names a Python >= 3.11.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -m venv "$work/tools"
"$work/tools/bin/python" -m pip install --quiet --disable-pip-version-check build twine
rm -rf dist
"$work/tools/bin/python" -m build --outdir dist . > "$work/build.log" || { cat "$work/build.log"; exit 1; }
"$work/tools/bin/twine" check --strict dist/*
"$python" -m venv "$work/env"
pip=("$work/env/bin/python" -m pip install --quiet --disable-pip-version-check -c "$root/constraints.txt")
"${pip[@]}" torch
"${pip[@]}" dist/*.whl
cd "$work"
"$work/env/bin/python" "$root/tools/try_wheel.py"
