#!/usr/bin/env bash
# Run the benchmarks that need no peers with the smallest settings, to see that they still fit the code; figures mean nothing.
#
#     benchmarks/smoke.sh DATA        # half an hour of one core; prints the scripts that failed, and where their output is
set -u
data=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
out=$(mktemp -d)
export OMP_NUM_THREADS=1
few='{"max_steps":20}'
failed=0

try() {
    if ! timeout 900 "${PYTHON:-.venv/bin/python}" "benchmarks/$1.py" "${@:2}" >"$out/$1" 2>&1 </dev/null; then
        echo "$1 failed: $out/$1"
        failed=1
    fi
}

try augmentation --data "$data" --tasks dates --pairs 200 --draws 2 --minutes 0.1 --ways concat:0.5
try confidence --tasks dates --splits 2 --limit 200 --options "$few"
try continuation --minutes 0.1 --tokens bpe
try counterfactuals --texts 5 --epochs 1
try dates --pairs 600 --held-out 200 --options "$few"
try doubtful_tasks
try explain_speed --repeat 1 --hidden 64 --vocabulary 500
try exported
try faithfulness --data "$data" --models "$out/models" --out "$out/faithfulness.jsonl" --parts train,methods --sets dates --limit 3 --steps 30
try freed_memory --processes 1
try fuzz_folders --count 20
try g2p --data "$data/g2p2020" --languages hin --seeds 2 --options "$few"
try headers --data "$data" --pairs 500
try influence --parts planted --minutes 0.2
try initialisation --data "$data/multi30k" --hidden 64 --updates 5
try interactions --pairs 3000 --epochs 4 --outputs 5
try kill_runs --kills 2
try labelling --tasks dates --seeds 1 --limit 100
try long_inputs --seeds 1 --texts 2
try multi30k --data "$data/multi30k" --minutes 0.1 --options "$few"
try page --runs 1
try panel_cost --seconds 20
try pronunciation --on valid --beam 1 --options "$few"
try restarts --kills 1
try scaling --seconds 2
try search_penalties --data "$data" --tasks multi30k --minutes 0.2
try serving --runs 1
try size --pairs 1000 2000 --updates 5 --workers 1 --clock cpu
try slices --pairs 500 --seeds 1 --null-seeds 1 --minutes 0.1
try start_up --runs 1
try summarisation --data "$data/debian-synopsis" --minutes 0.2 --pairs 500 --measured 20 --beam 1 --models attention
try terms --task dates --steps 20 --pairs 16 --repeats 2
try tokens --data "$data" --tasks errors --minutes 0.1
try training_on --tasks fixes --steps 20
try truth --limit 2 --updates 20
exit $failed
