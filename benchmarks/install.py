"""What an installation costs: packages, size and time of ``pip install`` in fresh environments, and the first output there.

    .venv/bin/python benchmarks/install.py [--folder DIR] [--only NAME ...]

Builds a wheel of this checkout, makes an environment for each row of ``VARIANTS`` with the constraints of the repository (PyTorch
for the CPU alone), and prints a JSON line for each: seconds of ``pip install`` (with pip's cache of downloads as it is), packages,
MB on the disk, the largest packages, and seconds to import, load a model and generate once, twice, of which the second counts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODEL = ROOT / "tests" / "data" / "format-1" / "characters"
EXPORT = ROOT / "tests" / "data" / "golden" / "onnx"
VARIANTS: dict[str, list[list[str]]] = {
    "nbtextgen": [["torch"], ["WHEEL"]],
    "nbtextgen[onnx]": [["torch"], ["WHEEL[onnx]"]],
    "nbtextgen[frames,clean,dates,explain,export,numbers,pronunciation,tune,lab]": [
        ["torch"],
        ["WHEEL[frames,clean,dates,explain,export,numbers,pronunciation,tune,lab]"],
    ],
    "serving: --no-deps nbtextgen, numpy onnxruntime tokenizers": [
        ["--no-deps", "WHEEL"],
        ["numpy", "onnxruntime", "tokenizers"],
    ],
}
"""The calls of ``pip install`` for each row; ``WHEEL`` stands for the wheel."""


def run(*command: object) -> str:
    """Run a command; return what it prints."""
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True, cwd="/").stdout


def megabytes(path: Path) -> int:
    """Size of a folder on the disk."""
    return int(run("du", "-sm", path).split()[0])


def first_output(python: Path, serving: bool, folder: Path) -> float | None:
    """Seconds of a process that imports the package, loads a model and generates once."""
    name, model = ("OnnxGenerator", folder) if serving else ("TextGenerator", MODEL)
    code = f"from nbtextgen import {name}; assert {name}.load({str(model)!r}).generate('abc').text is not None"
    seconds = 0.0
    for _ in range(2):
        began = time.perf_counter()
        run(python, "-c", code)
        seconds = time.perf_counter() - began
    return round(seconds, 1)


def measure(name: str, wheel: Path, work: Path) -> dict[str, object]:
    """Install one variant into an environment of its own."""
    environment = work / str(abs(hash(name)))
    run(sys.executable, "-m", "venv", environment)
    python = environment / "bin" / "python"
    before = megabytes(environment)
    began = time.perf_counter()
    for arguments in VARIANTS[name]:
        words = [word.replace("WHEEL", str(wheel)) for word in arguments]
        run(
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-c",
            ROOT / "constraints.txt",
            *words,
        )
    seconds = time.perf_counter() - began
    packages = json.loads(run(python, "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"))
    [site] = environment.glob("lib/python*/site-packages")
    parts = sorted(((megabytes(path), path.name) for path in site.iterdir() if path.is_dir()), reverse=True)
    return {
        "install": name,
        "packages": len(packages) - sum(each["name"] in ("pip", "setuptools") for each in packages),
        "mb": megabytes(environment) - before,
        "pip_seconds": round(seconds, 1),
        "largest_mb": {part: size for size, part in parts[:5]},
        "first_output_seconds": first_output(python, name.startswith("serving"), exported()),
        "python": ".".join(map(str, sys.version_info[:3])),
    }


def exported() -> Path:
    """An exported model: the first folder below ``tests/data/golden/onnx`` that is one."""
    return next(path.parent for path in sorted(EXPORT.rglob("decoder-1.onnx")))


def main() -> None:
    """Measure the variants in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where environments are made; default: a temporary folder")
    parser.add_argument("--only", nargs="+", default=list(VARIANTS), metavar="NAME")
    chosen = parser.parse_args()
    os.environ.pop("PYTHONPATH", None)
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        work = Path(folder)
        run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", work, ROOT)
        [wheel] = work.glob("*.whl")
        for name in chosen.only:
            print(json.dumps(measure(name, wheel, work)), flush=True)


if __name__ == "__main__":
    main()
