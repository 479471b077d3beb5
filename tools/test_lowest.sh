#!/usr/bin/env bash
# The tests outside the browser, with the lowest allowed version of every direct dependency (constraints-lowest.txt).
# tools/test_lowest.sh [pytest arguments]; PYTHON names a Python 3.11.
set -euo pipefail
cd "$(dirname "$0")/.."
environment=.venv-lowest
if [ ! -e "$environment/installed" ] || [ constraints-lowest.txt -nt "$environment/installed" ]; then
    "${PYTHON:-python3.11}" -m venv --clear "$environment"
    pip=("$environment/bin/python" -m pip install --quiet --disable-pip-version-check -c constraints-lowest.txt)
    "${pip[@]}" torch
    "${pip[@]}" -e ".[test]"
    touch "$environment/installed"
fi
exec "$environment/bin/python" -m pytest -n 2 --dist loadgroup -m "not browser" "$@"
