"""The peers' side of the side-by-side benchmark: OpenNMT-py, JoeyNMT and yoyodyne at the same sizes on the same tokens.

    benchmarks/peer_setup.sh
    .venv/bin/python benchmarks/peers.py --data DIR/multi30k [--peers onmt joeynmt yoyodyne] [--steps 150] [--threads 2]

Prints one JSON line for each peer. Each phase (training window, greedy, beam) runs in a process of its own, in the
peer's environment, through the peer's own loops: see peer_inside.py. Files land in benchmarks/work/ (not in git).
Decoding a model of a few hundred steps times long, repetitive outputs: for sentences/s give it a real training
(``--steps 4000``), and read the outputs' token count, which is printed beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
PEERS = ("onmt", "joeynmt", "yoyodyne")
SIDES = ("en", "de")


def prepare(data: Path, work: Path, size: int) -> None:
    """Write the pairs as space-separated BPE pieces of one joint vocabulary: ``train.en``, ``train.tsv``, ``vocab.txt``..."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    if (work / "vocab.txt").exists():
        return
    work.mkdir(parents=True, exist_ok=True)
    raw = {
        f"{part}.{side}": (data / f"{part}.{side}").read_text("utf-8").rstrip("\n").split("\n")
        for part in ("train", "val")
        for side in SIDES
    }
    bpe = Tokenizer(models.BPE(unk_token="<unk>"))
    bpe.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation()])
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=["<unk>"], show_progress=False)
    bpe.train_from_iterator([*raw["train.en"], *raw["train.de"]], trainer)
    counts: Counter[str] = Counter()
    cut = {}
    for name, lines in raw.items():
        cut[name] = [" ".join(encoding.tokens) for encoding in bpe.encode_batch(lines)]
        (work / name).write_text("\n".join(cut[name]) + "\n", "utf-8")
        if name.startswith("train"):
            counts.update(token for line in cut[name] for token in line.split(" "))
    for part in ("train", "val"):
        rows = zip(cut[f"{part}.en"], cut[f"{part}.de"], strict=True)
        (work / f"{part}.tsv").write_text("".join(f"{en}\t{de}\n" for en, de in rows if en and de), "utf-8")
    (work / "val.reference").write_text("\n".join(raw["val.de"]) + "\n", "utf-8")
    (work / "vocab.txt").write_text("".join(f"{token}\t{count}\n" for token, count in counts.most_common()), "utf-8")


def plain(pieces: str) -> str:
    """Undo the BPE: pieces of one line to text."""
    return "".join(pieces.split()).replace("\u2581", " ").strip()


def run_phase(peer: str, phase: str, options: argparse.Namespace) -> dict[str, object]:
    """Run one phase in the peer's environment and give what it measured, or ``{"failed": ...}``."""
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(options.threads),
        "MKL_NUM_THREADS": str(options.threads),
        "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1",  # the peers' checkpoints are pickles of their own making
        "WANDB_MODE": "disabled",
    }
    command = [str(HERE / "peers" / peer / "bin" / "python"), str(HERE / "peer_inside.py"), peer, phase]
    command += [
        str(options.work),
        str(options.warmup),
        str(options.steps),
        str(options.threads),
        str(options.sentences),
    ]
    log = options.work / f"{peer}.{phase}.log"
    with log.open("w") as stream:
        done = subprocess.run(command, env=environment, stdout=stream, stderr=subprocess.STDOUT)
    found = [line for line in log.read_text("utf-8", "replace").splitlines() if line.startswith("MEASURED ")]
    if done.returncode or not found:
        return {"failed": f"exit {done.returncode}, see {log}"}
    return json.loads(found[-1].removeprefix("MEASURED "))


def bleu(work: Path, peer: str, phase: str, sentences: int) -> float:
    import sacrebleu

    outputs = [plain(line) for line in (work / f"{peer}.{phase}.out").read_text("utf-8").rstrip("\n").split("\n")]
    references = (work / "val.reference").read_text("utf-8").rstrip("\n").split("\n")[:sentences]
    return round(sacrebleu.corpus_bleu(outputs, [references]).score, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with train.en, train.de, val.en, val.de")
    parser.add_argument("--work", type=Path, default=HERE / "work", help="where tokens, configurations and models go")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--phases", nargs="+", choices=("train", "greedy", "beam"), default=["train", "greedy", "beam"])
    parser.add_argument("--warmup", type=int, default=30, help="updates before the clock starts")
    parser.add_argument("--steps", type=int, default=150, help="updates that are timed")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sentences", type=int, default=1014, help="validation sentences that are decoded")
    parser.add_argument("--vocabulary", type=int, default=8000)
    options = parser.parse_args()
    options.work = options.work.resolve()
    prepare(options.data, options.work, options.vocabulary)
    for peer in options.peers:
        line: dict[str, object] = {"peer": peer, "threads": options.threads}
        for phase in options.phases:
            line[phase] = measured = run_phase(peer, phase, options)
            if phase != "train" and "failed" not in measured:
                measured["bleu"] = bleu(options.work, peer, phase, options.sentences)
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    sys.exit(main())
