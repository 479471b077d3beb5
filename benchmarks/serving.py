"""What it takes to serve a model from a plain script: seconds to the first output, memory, and megabytes on the disk.

    python benchmarks/serving.py --runs 5

Three ways: a saved model (``TextGenerator.load``, PyTorch), an exported one (``OnnxGenerator.load``), and nothing (Python
alone). Every run is a fresh process. Installed sizes are those of the distributions whose modules the script had imported.
Prints one line of JSON for each way.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

ABOUT = """
import sys, json, time
from importlib import metadata
began = time.perf_counter()
{code}
took = time.perf_counter() - began
known = metadata.packages_distributions()
names = sorted({{known[top][0] for top in {{name.split(".")[0] for name in list(sys.modules)}} if top in known}})
size = lambda name: sum(one.locate().stat().st_size for one in metadata.files(name) or [] if one.locate().is_file())
sizes = {{name: round(size(name) / 1e6, 1) for name in names}}
print(json.dumps({{"seconds": took, "memory": int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) / 1000, "sizes": sizes}}))
"""
WAYS = {
    "saved model, PyTorch": "from nbtextgen import TextGenerator\nTextGenerator.load({saved!r}).generate('3 Jan 2019')",
    "exported model, onnxruntime": "from nbtextgen import OnnxGenerator\nOnnxGenerator.load({exported!r}).generate('3 Jan 2019')",
    "Python alone": "pass",
}
NOT_NEEDED = ("ipython", "ipywidgets", "anywidget", "shap", "pandas", "matplotlib", "scikit-learn", "captum", "onnx")


def measured(code: str, runs: int) -> dict[str, object]:
    """Medians over fresh processes, after one that fills the file cache."""
    reports = []
    for _ in range(runs + 1):
        done = subprocess.run(
            [sys.executable, "-c", ABOUT.format(code=code)], capture_output=True, text=True, check=True
        )
        reports.append(json.loads(done.stdout.splitlines()[-1]))
    sizes = reports[-1]["sizes"]
    return {
        "seconds": round(median(report["seconds"] for report in reports[1:]), 2),
        "memory_mb": round(median(report["memory"] for report in reports[1:])),
        "installed_mb": round(sum(sizes.values())),
        "largest": dict(sorted(sizes.items(), key=lambda item: -item[1])[:5]),
        "not_needed_but_imported": [name for name in sizes if name.lower() in NOT_NEEDED],
    }


def main() -> None:
    """Train a little, save, export, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    from nbtextgen import TextGenerator, builtin

    with tempfile.TemporaryDirectory() as place:
        model = TextGenerator(max_steps=5, samples=0).fit(builtin("dates", 500), callbacks=[])
        folders = {
            "saved": str(model.save(Path(place) / "s")),
            "exported": str(model.export("onnx", Path(place) / "e")),
        }
        for name, code in WAYS.items():
            print(json.dumps({"way": name, **measured(code.format(**folders), args.runs)}), flush=True)


if __name__ == "__main__":
    main()
