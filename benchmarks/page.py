"""A model as one page: its size, seconds to the first output, tokens per second, and Shapley values, beside onnxruntime.

    python benchmarks/page.py --runs 5
    python benchmarks/page.py --rounding MODEL TEXTS --bits 16    # how many outputs of a saved model rounding leaves as they are

An LSTM of 5 million weights with general attention and 8,000 words writes 20 tokens for a source of 20, in processor time: the engine in Node.js
and in Chromium, the exported model with onnxruntime and NumPy, and PyTorch, one thread each; with ``--ort FOLDER``, where
``npm install onnxruntime-web`` was run, also the decoder's graph alone in onnxruntime-web. Prints one line of JSON for each.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from nbtextgen.core.options import build
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.export.folder import export
from nbtextgen.export.page.document import describe, export_page, script
from nbtextgen.export.page.packing import pack, parameter_count, round_networks
from nbtextgen.inference.predictor import Predictor
from nbtextgen.inference.text_codec import OutputLength
from nbtextgen.model.config import ModelConfig
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.pipeline.defaults import Plan
from nbtextgen.serving.generator import OnnxGenerator
from nbtextgen.tokenizers.config import TokenizerConfig
from nbtextgen.tokenizers.registry import train_tokenizer
from nbtextgen.training.config import TrainingConfig

HERE = Path(__file__).parent
LENGTH = 20
TEXT = " ".join(f"w{number}" for number in range(LENGTH))
SHORT = " ".join(f"w{number}" for number in range(10))


def model() -> tuple[Predictor, Plan]:
    """An LSTM of 5 million weights."""
    torch.manual_seed(1)
    tokens = train_tokenizer([" ".join(f"w{number}" for number in range(7995))], "word")
    config = ModelConfig(embedding_size=256, hidden_size=256, dropout=0.0, copy=False)
    network = Seq2Seq(config, tokens.size, tokens.size)
    network.output_weight.data *= 3  # clear preferences, so that rounding does not decide
    predictor = Predictor(tokens, tokens, [network], OutputLength(LENGTH, 0.0))
    round_networks(predictor.networks, 16)
    return predictor, Plan(TokenizerConfig(tokens="word"), config, TrainingConfig(), {})


def best_of(runs: int, call: Callable[[], object]) -> float:
    """Seconds of processor time of the cheapest call, after one to warm up."""
    call()
    times = list[float]()
    for _ in range(runs):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def in_python(predictor: Predictor, plan: Plan, runs: int, place: Path) -> dict[str, Any]:
    """Tokens per second of PyTorch and of the exported model."""
    served = OnnxGenerator.load(export("onnx", place / "onnx", predictor, plan), threads=1)
    results: dict[str, Any] = {}
    for beam in (1, 5):
        way: Any = {"beam": beam, "min_length": LENGTH, "max_length": LENGTH}
        config = build(DecodingConfig, {**way, "precision": "fp32"})
        results[f"pytorch_beam_{beam}"] = LENGTH / best_of(runs, lambda c=config: predictor.predict([TEXT], c))
        results[f"onnxruntime_beam_{beam}"] = LENGTH / best_of(runs, lambda w=way: served.generate([TEXT], **w))
    return {"way": "Python", **{name: round(value) for name, value in results.items()}}


def in_node(predictor: Predictor, plan: Plan, runs: int, place: Path, bits: int) -> dict[str, Any]:
    """The engine alone, in Node.js."""
    description, weights = describe(predictor, plan, bits)
    values = {"description": description, "weights": weights, "text": TEXT, "short": SHORT, "length": LENGTH}
    (place / "engine.js").write_text(script(views=False), encoding="utf-8")
    (place / "model.json").write_text(json.dumps(values), encoding="utf-8")
    command = ["node", str(HERE / "page_speed.mjs"), str(place / "engine.js"), str(place / "model.json"), str(runs)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    expected = predictor.predict([TEXT], DecodingConfig(precision="fp32", min_length=LENGTH, max_length=LENGTH))[0]
    return {
        "way": f"Node.js, {bits} bits",
        "first_output_seconds": round(found["first"], 3),
        "tokens_per_second": round(LENGTH / found["greedy"]),
        "tokens_per_second_beam_5": round(LENGTH / found["beam"]),
        "exact_shapley_seconds": round(found["shapley"], 2),
        "same_tokens_as_pytorch": found["ids"] == list(expected.ids),
    }


def in_chromium(predictor: Predictor, plan: Plan, place: Path, bits: int) -> dict[str, Any]:
    """The whole page, from the disk: seconds from opening it to the first finished output."""
    from playwright.sync_api import sync_playwright

    path = export_page(place / "page.html", predictor, plan, [TEXT], [], {"bits": bits})
    sizes = path.stat().st_size, len(pack(predictor.networks, bits).content)
    browser_path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser_path is None:
        return {"way": "Chromium", "missing": True}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
        seconds = list[tuple[float, float]]()
        for _ in range(3):
            page = browser.new_page()
            page.goto(path.as_uri(), wait_until="commit")
            page.wait_for_selector(".token.end")
            metrics = page.context.new_cdp_session(page)
            metrics.send("Performance.enable")
            values = {each["name"]: each["value"] for each in metrics.send("Performance.getMetrics")["metrics"]}
            seconds.append((values["ProcessTime"], page.evaluate("performance.now()") / 1000))
            shown = page.locator(".row > .muted").first.inner_text()
            page.close()
        browser.close()
    return {
        "way": f"Chromium, {bits} bits",
        "weights": parameter_count(predictor.networks),
        "page_bytes": sizes[0],
        "page_over_weights": round(sizes[0] / sizes[1], 3),
        "first_output_seconds": round(min(seconds)[0], 2),
        "by_the_clock": round(min(each[1] for each in seconds), 2),
        "shown": shown,
    }


def in_onnxruntime_web(predictor: Predictor, plan: Plan, runs: int, place: Path, modules: Path) -> dict[str, Any]:
    """Milliseconds for a step of the decoder's graph in onnxruntime-web (WebAssembly, one thread)."""
    folder = export("onnx", place / "onnx-web", predictor, plan)
    command = ["node", str(HERE / "page_ort.mjs"), str(modules.resolve()), str(folder / "decoder-1.onnx"), str(runs)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    return {"way": "onnxruntime-web, steps of the graph alone", **found}


def rounding(folder: str, texts: str, bits: int) -> dict[str, Any]:
    """How many outputs of a saved model are the same after rounding its weights."""
    from nbtextgen import TextGenerator

    trained = TextGenerator.load(folder, device="cpu")
    sources = Path(texts).read_text(encoding="utf-8").splitlines()
    config = DecodingConfig(precision="fp32")
    before = [output.text for output in trained.predictor.predict(sources, config)]
    round_networks(trained.predictor.networks, bits)
    after = [output.text for output in trained.predictor.predict(sources, config)]
    same = sum(one == other for one, other in zip(before, after, strict=True))
    return {"model": folder, "bits": bits, "outputs": len(sources), "unchanged": same}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--ort", type=Path, help="folder with node_modules/onnxruntime-web")
    parser.add_argument("--rounding", nargs=2, metavar=("MODEL", "TEXTS"))
    parser.add_argument("--bits", type=int, default=16)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.rounding:
        print(json.dumps(rounding(*args.rounding, args.bits)))
        return
    predictor, plan = model()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        print(json.dumps(in_node(predictor, plan, args.runs, place, 16)), flush=True)
        for bits in (16, 8):
            print(json.dumps(in_chromium(predictor, plan, place, bits)), flush=True)
        print(json.dumps(in_python(predictor, plan, args.runs, place)), flush=True)
        if args.ort:
            print(json.dumps(in_onnxruntime_web(predictor, plan, args.runs, place, args.ort)), flush=True)


if __name__ == "__main__":
    main()
