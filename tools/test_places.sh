#!/usr/bin/env bash
# marimo, Voila, papermill, inseq and the loggers' packages in an environment of their own, and the tests that need them.
# tools/test_places.sh [pytest arguments]; PYTHON names a Python >= 3.11, VENV the environment.
set -euo pipefail
cd "$(dirname "$0")/.."
environment=${VENV:-.venv-places}
if [ ! -e "$environment/installed" ]; then
    "${PYTHON:-python3}" -m venv --clear "$environment"
    pip=("$environment/bin/python" -m pip install --quiet --disable-pip-version-check)
    "${pip[@]}" -c constraints.txt torch
    "${pip[@]}" -c constraints.txt -e ".[dates,frames,lab,explain]"
    "${pip[@]}" marimo voila papermill tensorboard mlflow wandb inseq scipy hypothesis pytest pytest-rerunfailures
    touch "$environment/installed"
fi
exec "$environment/bin/python" -m pytest -p no:cacheprovider -rA tests/notebook/test_places.py tests/training/test_loggers.py \
    tests/explanation/test_inseq.py "$@"
