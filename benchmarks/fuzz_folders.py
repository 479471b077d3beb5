"""Damage saved models and runs in thousands of ways: each must load, or be refused in a sentence.

    python benchmarks/fuzz_folders.py --count 10000

Prints how many loaded, how many were refused with an ``NbTextGenError``, and every other end (there must be none).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import pickle
import random
import shutil
import struct
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

Files = dict[str, bytes]
VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1, 2, 7, 2**31, 2**63, 2**70, 1e308, -0.5, float("nan"), float("inf")),
    *(
        "",
        "x",
        "x" * 5000,
        "../../etc/passwd",
        "/etc/passwd",
        "\0",
        "\ud800",
        "lstm",
        "char",
        [],
        {},
        [[]],
        {"a": {}},
        [1, "a"],
    ),
]


class Bomb:
    """Unpickling this leaves a file behind: the proof that something was executed."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)


def read(folder: Path) -> Files:
    """All files of a folder by their paths in it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def write(files: Files, folder: Path) -> None:
    """Put files back; names that lead outside are not ours to write."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def mutated(files: Files, rng: random.Random, bomb: str) -> Files:
    """The files with one to three things changed; mostly with checksums that fit, so that deeper layers are met."""
    files = dict(files)
    for _ in range(rng.randint(1, 3)):
        name = rng.choice(sorted(files)) if files else ""
        if name:
            rng.choice(MUTATIONS)(files, name, rng, bomb)
    if rng.random() < 0.75:
        _fit_checksums(files)
    return files


def _flip(files: Files, name: str, rng: random.Random, bomb: str) -> None:
    raw = bytearray(files[name])
    for _ in range(rng.randint(1, 8)):
        if raw:
            raw[rng.randrange(len(raw)) if rng.random() < 0.5 else rng.randrange(min(len(raw), 200))] = rng.randrange(
                256
            )
    files[name] = bytes(raw)


def _cut(files: Files, name: str, rng: random.Random, bomb: str) -> None:
    files[name] = files[name][: rng.randrange(len(files[name]) + 1)]


def _grow(files: Files, name: str, rng: random.Random, bomb: str) -> None:
    files[name] += rng.randbytes(rng.randint(1, 64))


def _delete(files: Files, name: str, rng: random.Random, bomb: str) -> None:
    del files[name]


def _swap(files: Files, name: str, rng: random.Random, bomb: str) -> None:
    other = rng.choice(sorted(files))
    files[name], files[other] = files[other], files[name]


def _pickle(files: Files, name: str, rng: random.Random, bomb: str) -> None:
    files[name] = pickle.dumps(Bomb(bomb), protocol=rng.randrange(6))


def _header(files: Files, name: str, rng: random.Random, bomb: str) -> None:
    """Change the header of a safetensors file, its length kept right or not."""
    names = [name for name in files if name.endswith(".safetensors")]
    if not names:
        return
    name = rng.choice(names)
    raw = files[name]
    try:
        length = struct.unpack("<Q", raw[:8])[0]
        header = json.loads(raw[8 : 8 + length])
    except (struct.error, ValueError):
        return
    _edit(header, rng)
    changed = json.dumps(header).encode("utf-8", "surrogatepass")
    claimed = len(changed) if rng.random() < 0.8 else rng.choice([0, 2**40, 2**63, length])
    files[name] = struct.pack("<Q", claimed) + changed + raw[8 + length :]


def _json(files: Files, name: str, rng: random.Random, bomb: str) -> None:
    """Change something inside a JSON file."""
    names = [name for name in files if name.endswith(".json")]
    if not names:
        return
    name = rng.choice(names)
    try:
        content = json.loads(files[name])
    except ValueError:
        return
    _edit(content, rng)
    files[name] = json.dumps(content).encode("utf-8", "surrogatepass")


def _edit(content: Any, rng: random.Random) -> None:
    """Replace, remove, rename or add one thing somewhere in a tree of lists and dicts."""
    spots = []

    def walk(node: Any) -> None:
        inner = (
            list(node.items()) if isinstance(node, dict) else list(enumerate(node)) if isinstance(node, list) else []
        )
        for key, value in inner:
            spots.append((node, key))
            walk(value)

    walk(content)
    if not spots:
        return
    node, key = rng.choice(spots)
    what = rng.random()
    if what < 0.6:
        node[key] = rng.choice(VALUES)
    elif what < 0.75:
        del node[key]
    elif isinstance(node, dict):
        new = rng.choice(["../../evil", "/etc/passwd", "self", "format", "a\0b", "weights-1.safetensors", ".."])
        node[new] = node.pop(key) if what < 0.9 else rng.choice(VALUES)
    else:
        node.append(rng.choice(VALUES))


def _fit_checksums(files: Files) -> None:
    """Make every manifest's checksums right, as someone would who means harm."""
    for name in [name for name in files if name.endswith(".json")]:
        try:
            content = json.loads(files[name])
            for seal in ("checksum", "material", "run"):
                content.pop(seal, None)
            files[name] = json.dumps(content).encode("utf-8", "surrogatepass")
            listed = content["files"]
            items = list(listed.items())
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        place = name.rpartition("/")[0]
        for file, _ in items:
            path = f"{place}/{file}" if place else file
            if path in files:
                listed[file] = hashlib.sha256(files[path]).hexdigest()
        files[name] = json.dumps(content).encode("utf-8", "surrogatepass")


MUTATIONS = (_flip, _cut, _grow, _delete, _swap, _pickle, _header, _header, _json, _json, _json, _json)


def outcome(files: Files, use: Any) -> str:
    """Load what the files make; ``loaded``, ``refused``, or what went wrong."""
    from nbtextgen import NbTextGenError

    place = Path(tempfile.mkdtemp(prefix="nbtextgen-fuzz-"))
    try:
        write(files, place / "folder")
        use(place / "folder")
        return "loaded"
    except NbTextGenError as error:
        return "refused" if str(error).strip() else "refused without a word"
    except BaseException as error:  # whatever it is: that is the finding
        return f"{type(error).__name__}: {error}"[:300]
    finally:
        shutil.rmtree(place, ignore_errors=True)


def use_model(folder: Path) -> None:
    """Load a model and let it write."""
    from nbtextgen import TextGenerator

    TextGenerator.load(folder).generate("abc", max_length=4)


def use_run(folder: Path) -> None:
    """Open a run and read all that it holds."""
    from nbtextgen import Run, TextGenerator, runs

    runs(folder.parent)
    run = Run.open(folder)
    run.history()
    run.training_data()
    run.checkpoint()
    TextGenerator.load(folder).generate("abc", max_length=4)


def made(place: Path) -> tuple[Files, Files]:
    """A small saved model, and a small run."""
    import itertools

    from nbtextgen import TextGenerator

    words = ["".join(letters) for letters in itertools.product("abc", repeat=3)]
    options = {
        "hidden_size": 8,
        "embedding_size": 4,
        "epochs": 2,
        "batch_size": 9,
        "samples": 1,
        "checkpoint_seconds": 0,
    }
    model = TextGenerator(**options).fit([(word, word[::-1]) for word in words], callbacks=[], run=place / "run")
    model.save(place / "model")
    return read(place / "model"), read(place / "run")


def main() -> int:
    """Fuzz and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="nbtextgen-fuzz-"))
    model, run = made(place)
    bomb = str(place / "executed")
    outcomes: Counter[str] = Counter()
    began = time.perf_counter()
    for number in range(args.count):
        rng = random.Random(f"{args.seed}/{number}")
        files, use = (model, use_model) if number % 4 else (run, use_run)
        end = outcome(mutated(files, rng, bomb), use)
        outcomes[end] += 1
        if end not in ("loaded", "refused"):
            print(f"mutation {number}: {end}", flush=True)
    executed = Path(bomb).exists()
    others = args.count - outcomes["loaded"] - outcomes["refused"]
    print(
        f"{args.count:,} damaged folders in {time.perf_counter() - began:.0f} s: {outcomes['loaded']:,} loaded, "
        f"{outcomes['refused']:,} refused with a reason, {others:,} ended otherwise; code executed: {executed}"
    )
    shutil.rmtree(place, ignore_errors=True)
    return 1 if others or executed else 0


if __name__ == "__main__":
    sys.exit(main())
