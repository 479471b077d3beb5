#!/usr/bin/env bash
# The tests of the notebook room with IPython 7.34, ipykernel 6.17 and ipywidgets 7.7, as Google Colab has them (tools/colab.txt).
# tools/test_colab.sh [pytest arguments]; PYTHON names a Python 3.11, VENV the environment.
set -euo pipefail
cd "$(dirname "$0")/.."
environment=${VENV:-.venv-colab}
if [ ! -e "$environment/installed" ] || [ tools/colab.txt -nt "$environment/installed" ]; then
    "${PYTHON:-python3.11}" -m venv --clear "$environment"
    pip=("$environment/bin/python" -m pip install --quiet --disable-pip-version-check -c tools/colab.txt)
    "${pip[@]}" torch==2.13.0
    "${pip[@]}" -e ".[clean,dates,explain,export,frames,numbers,pronunciation,tune]" ipykernel nbclient nbconvert nbformat notebook \
        psutil "pytest>=8.3,<9.2" pytest-rerunfailures hypothesis scikit-learn polars requests
    touch "$environment/installed"
fi
"$environment/bin/python" -c "import IPython, ipykernel, ipywidgets as w; print(IPython.__version__, ipykernel.__version__, w.__version__)"
# Left out: tests that install other versions of ipykernel themselves.
exec "$environment/bin/python" -m pytest -m "not browser" -p no:cacheprovider tests/notebook tests/test_public_names.py \
    tests/core/test_error_words.py --ignore tests/notebook/test_kernels.py "$@"
