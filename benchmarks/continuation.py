"""Continuing a text: bits per character against plain character LSTMs of the same size, in equal time.

    .venv/bin/python benchmarks/continuation.py [--text FILE] [--minutes 3] [--tokens char bpe] [--context 60]

The last tenth of the text is held out from all. Without ``--text`` the text is the documentation of the Python
standard library's modules, about a million characters that any machine with Python has. What ours is compared with:

* a plain LSTM: one layer with an embedding and an output layer, trained by truncated back-propagation over 16 streams
  of 128 characters with the state carried on (as char-rnn does it), at each of ``--rates``, hidden size chosen so that it
  has as many parameters as ours of the same line;
* textgenrnn's design, from its published description: embedding 100, two LSTM layers of 128, an attention-weighted
  average over embedding and both layers, 40 characters of context before each single character that is foretold,
  batches of 128, Adam at 0.004, falling linearly. (The program itself needs a TensorFlow that no current Python runs.)

Minutes are processor minutes of one thread, so that other work on the machine does not decide. All use Adam; ours and
the plain LSTM with a warm-up and a cosine decay over the time. Prints a JSON line for each.
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

    paragraphs, size = [], 0
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError):
            continue
        kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
        texts = [ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, kinds)]
        paragraphs += [text for text in texts if text]
        size = sum(map(len, paragraphs))
        if size > characters:
            break
    return "\n\n".join(paragraphs)[:characters]


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


def plain(train: str, held: str, parameters: int, minutes: float, peak: float) -> dict[str, float]:
    """Train the plain LSTM for the time and measure it."""
    letters = sorted(set(train))
    ids = {letter: index for index, letter in enumerate(letters)}
    size = len(letters) + 1
    hidden = next(h for h in range(32, 4096, 8) if count(PlainLSTM(size, h, 64)) >= parameters * 0.97)
    torch.manual_seed(1)
    model = PlainLSTM(size, hidden, 64)
    optimizer = torch.optim.Adam(model.parameters(), lr=peak)
    stream = torch.tensor([ids[letter] for letter in train])
    rows = stream[: len(stream) // STREAMS * STREAMS].view(STREAMS, -1)
    began, updates = time.process_time(), 0
    while (done := (time.process_time() - began) / (60 * minutes)) < 1:
        state = None
        for start in range(0, rows.shape[1] - 1, STEPS):
            done = (time.process_time() - began) / (60 * minutes)
            if done >= 1:
                break
            inputs, targets = rows[:, start : start + STEPS], rows[:, start + 1 : start + STEPS + 1]
            logits, state = model(inputs[:, : targets.shape[1]], state)
            state = (state[0].detach(), state[1].detach())
            loss = nn.functional.cross_entropy(logits.reshape(-1, size), targets.reshape(-1))
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.param_groups[0]["lr"] = peak * rate_at("cosine", int(done * 1000), 1000, 0.05)
            optimizer.step()
            updates += 1
    model.eval()
    targets = torch.tensor([ids.get(letter, size - 1) for letter in held])
    nats, state = 0.0, None
    with torch.inference_mode():
        _, state = model(stream[None, -500:-1], None)
        inputs = torch.cat([stream[-1:], targets[:-1]])
        for start in range(0, len(targets), 1000):
            logits, state = model(inputs[None, start : start + 1000], state)
            nats += float(nn.functional.cross_entropy(logits[0], targets[start : start + 1000], reduction="sum"))
    bits = nats / math.log(2) / len(targets)
    return {"bits_per_character": round(bits, 3), "hidden": hidden, "parameters": count(model), "updates": updates}


class PublishedDesign(nn.Module):
    """textgenrnn's network: the characters before a place in, scores of the one that follows out."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(size, 100)
        self.first, self.second = nn.LSTM(100, 128, batch_first=True), nn.LSTM(128, 128, batch_first=True)
        self.attention = nn.Linear(356, 1, bias=False)
        self.output = nn.Linear(356, size)

    def forward(self, ids: Tensor) -> Tensor:
        """Logits ``(batch, size)`` after ``ids (batch, length)``."""
        embedded = self.embedding(ids)
        first = self.first(embedded)[0]
        seen = torch.cat([embedded, first, self.second(first)[0]], -1)
        return self.output((self.attention(seen).softmax(1) * seen).sum(1))


def published(train: str, held: str, minutes: float, length: int = 40, batch: int = 128) -> dict[str, float]:
    """Train textgenrnn's design for the time and measure it, on every character of the held-out text's first 20,000."""
    letters = sorted(set(train))
    ids = {letter: index for index, letter in enumerate(letters)}
    torch.manual_seed(1)
    model = PublishedDesign(len(letters) + 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.004)
    stream = torch.tensor([ids[letter] for letter in train]).unfold(0, length + 1, 1)
    began, updates = time.process_time(), 0
    while (done := (time.process_time() - began) / (60 * minutes)) < 1:
        rows = stream[torch.randint(len(stream), (batch,))]
        loss = nn.functional.cross_entropy(model(rows[:, :-1]), rows[:, -1])
        optimizer.zero_grad()
        loss.backward()
        optimizer.param_groups[0]["lr"] = 0.004 * (1 - done)
        optimizer.step()
        updates += 1
    model.eval()
    text = (train[-length:] + held)[: 20_000 + length]
    rows = torch.tensor([ids.get(letter, len(letters)) for letter in text]).unfold(0, length + 1, 1)
    with torch.inference_mode():
        parts = [
            nn.functional.cross_entropy(model(part[:, :-1]), part[:, -1], reduction="sum") for part in rows.split(1000)
        ]
    bits = float(sum(parts)) / math.log(2) / len(rows)
    return {"bits_per_character": round(bits, 3), "parameters": count(model), "updates": updates}


def count(model: nn.Module) -> int:
    """Numbers that are learned."""
    return sum(weight.numel() for weight in model.parameters())


def say(name: str, **figures: object) -> None:
    """A line of the result."""
    print(json.dumps({"model": name, **figures}), flush=True)


def main() -> None:
    """Train both ways and print what they reach."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path)
    parser.add_argument("--characters", type=int, default=1_000_000, help="of the text to use")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--tokens", nargs="+", default=["char", "bpe"])
    parser.add_argument("--context", type=int, default=60)
    parser.add_argument("--rates", type=float, nargs="+", default=[0.003, 0.01], help="of the plain LSTM")
    parser.add_argument("--options", type=json.loads, default={}, help="JSON of settings of TextGenerator")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    time.perf_counter = time.process_time  # what --max-minutes is counted by
    text = chosen.text.read_text(encoding="utf-8") if chosen.text else library_text(chosen.characters)
    text = text[: chosen.characters]
    cut = len(text) * 9 // 10
    train, held = text[:cut], text[cut:]
    for tokens in chosen.tokens:
        options = {"context": chosen.context, "tokens": tokens, "max_minutes": chosen.minutes, "samples": 0}
        model = TextGenerator(**options | chosen.options)
        model.fit_text(train, callbacks=[])
        parameters = count(model.predictor.networks[0])
        steps = max(event.step for event in model.history if hasattr(event, "step"))
        bits = round(model.bits_per_character(held), 3)
        say(f"nbtextgen {tokens}", bits_per_character=bits, parameters=parameters, updates=steps)
        for rate in chosen.rates:
            say("plain character LSTM", rate=rate, **plain(train, held, parameters, chosen.minutes, rate))
    say("textgenrnn's design", **published(train, held, chosen.minutes))


if __name__ == "__main__":
    main()
