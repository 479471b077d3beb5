"""Continuing a text: bits per character against a plain character LSTM of the same size, in equal time.

    .venv/bin/python benchmarks/continuation.py [--text FILE] [--minutes 3] [--tokens char bpe] [--context 60]

The last tenth of the text is held out from both. Without ``--text`` the text is the documentation of the Python
standard library's modules, about a million characters that any machine with Python has. The plain LSTM is one layer
with an embedding and an output layer, trained by truncated back-propagation over 16 streams of 128 characters with the
state carried on (as char-rnn and textgenrnn do it), hidden size chosen so that it has as many parameters. Both train on
the same number of threads, with Adam, a warm-up and a cosine decay over the time. Prints a JSON line for each.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from nbtextgen import TextGenerator
from nbtextgen.training.schedule import rate_at

STREAMS, STEPS = 16, 128


def library_text(characters: int) -> str:
    """Documentation strings of the standard library, as one text."""
    import ast
    import sysconfig

    found, size = [], 0
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError):
            continue
        kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
        texts = [ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, kinds)]
        found += [text for text in texts if text]
        size = sum(map(len, found))
        if size > characters:
            break
    return "\n\n".join(found)[:characters]


class PlainLSTM(nn.Module):
    """Characters in, characters out."""

    def __init__(self, size: int, hidden: int, embedding: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(size, embedding)
        self.lstm = nn.LSTM(embedding, hidden, batch_first=True)
        self.dropout = nn.Dropout(0.1)
        self.output = nn.Linear(hidden, size)

    def forward(self, ids: Tensor, state: tuple[Tensor, Tensor] | None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Logits ``(streams, steps, size)`` and the state after them."""
        outputs, state = self.lstm(self.dropout(self.embedding(ids)), state)
        return self.output(self.dropout(outputs)), state


def plain(train: str, held: str, parameters: int, minutes: float) -> dict[str, float]:
    """Train the plain LSTM for the time and measure it, keeping its best state on a part of the training text's end."""
    letters = sorted(set(train))
    ids = {letter: at for at, letter in enumerate(letters)}
    size = len(letters) + 1
    hidden = next(h for h in range(32, 4096, 8) if count(PlainLSTM(size, h, 64)) >= parameters * 0.97)
    torch.manual_seed(1)
    model = PlainLSTM(size, hidden, 64)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    stream = torch.tensor([ids[letter] for letter in train])
    rows = stream[: len(stream) // STREAMS * STREAMS].view(STREAMS, -1)
    began, updates = time.perf_counter(), 0
    while (done := (time.perf_counter() - began) / (60 * minutes)) < 1:
        state = None
        for start in range(0, rows.shape[1] - 1, STEPS):
            done = (time.perf_counter() - began) / (60 * minutes)
            if done >= 1:
                break
            inputs, wanted = rows[:, start : start + STEPS], rows[:, start + 1 : start + STEPS + 1]
            logits, state = model(inputs[:, : wanted.shape[1]], state)
            state = (state[0].detach(), state[1].detach())
            loss = nn.functional.cross_entropy(logits.reshape(-1, size), wanted.reshape(-1))
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.param_groups[0]["lr"] = 0.003 * rate_at("cosine", int(done * 1000), 1000, 0.05)
            optimizer.step()
            updates += 1
    model.eval()
    wanted = torch.tensor([ids.get(letter, size - 1) for letter in held])
    nats, state = 0.0, None
    with torch.inference_mode():
        _, state = model(stream[None, -500:-1], None)
        inputs = torch.cat([stream[-1:], wanted[:-1]])
        for start in range(0, len(wanted), 1000):
            logits, state = model(inputs[None, start : start + 1000], state)
            nats += float(nn.functional.cross_entropy(logits[0], wanted[start : start + 1000], reduction="sum"))
    bits = nats / math.log(2) / len(wanted)
    return {"bits_per_character": round(bits, 3), "hidden": hidden, "parameters": count(model), "updates": updates}


def count(model: nn.Module) -> int:
    """Numbers that are learned."""
    return sum(weight.numel() for weight in model.parameters())


def main() -> None:
    """Train both ways and print what they reach."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path)
    parser.add_argument("--characters", type=int, default=1_000_000, help="of the text to use")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--tokens", nargs="+", default=["char", "bpe"])
    parser.add_argument("--context", type=int, default=60)
    parser.add_argument("--options", type=json.loads, default={}, help="JSON of settings of TextGenerator")
    chosen = parser.parse_args()
    text = chosen.text.read_text(encoding="utf-8") if chosen.text else library_text(chosen.characters)
    text = text[: chosen.characters]
    cut = len(text) * 9 // 10
    train, held, sizes = text[:cut], text[cut:], []
    for tokens in chosen.tokens:
        options = {"context": chosen.context, "tokens": tokens, "max_minutes": chosen.minutes, "samples": 0}
        model = TextGenerator(**options | chosen.options)
        model.fit_text(train, listeners=[])
        parameters = count(model.writer.networks[0])
        sizes.append(parameters)
        steps = max(event.step for event in model.history if hasattr(event, "step"))
        bits = round(model.bits_per_character(held), 3)
        print(json.dumps({"model": f"nbtextgen {tokens}", "bits_per_character": bits, "parameters": parameters, "updates": steps}), flush=True)  # fmt: skip
    print(json.dumps({"model": "plain character LSTM", **plain(train, held, sizes[0], chosen.minutes)}), flush=True)


if __name__ == "__main__":
    main()
