#!/usr/bin/env bash
# Makes one environment for each peer of the side-by-side benchmark under benchmarks/peers/ (not in git).
#
#     benchmarks/peer_setup.sh [onmt|joeynmt|yoyodyne|previous ...]
#
#     benchmarks/peer_setup.sh onmt_wheels        # for benchmarks/gpu.py on a machine without a package index
#
# "previous" is the previous release of nbtextgen: a copy of its files at a commit, run with the current environment.
# All run on the same PyTorch as ours, so that the comparison is between programs and not between releases.
# The peers pin older ones (OpenNMT-py <2.3, yoyodyne ==2.9.1), so each is installed without its
# dependencies and these are named here; torch comes first and is held, else pip fetches gigabytes of CUDA.
# What only serves data formats, web servers or plots that the benchmark never touches is left out.
set -euo pipefail
cd "$(dirname "$0")"
PYTHON=${PYTHON:-python3}
TORCH=${TORCH:-torch==2.13.0}

make_peer() { # folder, package, dependencies...
    local folder=peers/$1 package=$2
    shift 2
    if [ -e "$folder/installed" ]; then
        echo "$folder is there already"
        return
    fi
    mkdir -p peers
    echo "$TORCH" > "peers/held.txt"
    "$PYTHON" -m venv "$folder"
    local pip=("$folder/bin/python" -m pip install --quiet --disable-pip-version-check -c peers/held.txt)
    "${pip[@]}" torch
    "${pip[@]}" "$@"
    "${pip[@]}" --no-deps "$package"
    "$folder/bin/python" -m pip freeze > "$folder/installed"
    echo "$folder: $(grep -iE '^(torch|numpy|opennmt.py|joeynmt|yoyodyne)==' "$folder/installed" | tr '\n' ' ')"
}

onmt() {
    make_peer onmt OpenNMT-py==3.5.1 configargparse "numpy<2" pyyaml sacrebleu rapidfuzz six "setuptools<81" \
        "ctranslate2<5" "pyonmttok<2" tensorboard pyahocorasick flask waitress spacy fasttext-wheel
}

joeynmt() {
    make_peer joeynmt joeynmt==2.3.0 "numpy<2" pyyaml sacrebleu sacremoses sentencepiece subword-nmt six packaging \
        "setuptools<81" pandas matplotlib seaborn tensorboard datasets pillow future importlib_metadata
}

yoyodyne() {
    make_peer yoyodyne yoyodyne==0.5.0 lightning==2.6.0 torchmetrics==1.8.2 "maxwell>=0.2.6" "numpy>=2" \
        omegaconf==2.3.0 "jsonargparse[signatures]<5" "wandb<0.19.8" pyyaml
}

onmt_wheels() { # what training with OpenNMT-py imports beyond PyTorch and NumPy, for GPU_PYTHON, about 25 MB
    mkdir -p peers/wheels
    "$PYTHON" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        --python-version "${GPU_PYTHON:-3.12}" --platform manylinux2014_x86_64 --platform manylinux_2_28_x86_64 \
        --dest peers/wheels OpenNMT-py==3.5.1 configargparse pyyaml six "pyonmttok<2" sacrebleu portalocker regex \
        tabulate colorama
    echo "peers/wheels: $(du -sh peers/wheels | cut -f1)"
}

previous() {
    local commit=${PREVIOUS:-74952f1}
    if [ "$(cat peers/previous/commit 2> /dev/null)" = "$commit" ]; then
        echo "peers/previous is there already"
        return
    fi
    rm -rf peers/previous
    mkdir -p peers/previous
    git -C .. archive "$commit" nbtextgen benchmarks | tar -x -C peers/previous --exclude=benchmarks/results
    echo "$commit" > peers/previous/commit
    echo "peers/previous: nbtextgen at $commit"
}

for peer in "${@:-onmt joeynmt yoyodyne previous}"; do
    for one in $peer; do "$one"; done
done
