"""Figures of the texts after tokenization."""

from __future__ import annotations

from nbtextgen.core.wording import percent
from nbtextgen.data.report.checks import Texts
from nbtextgen.data.report.findings import Findings, TokenFigures, quartet
from nbtextgen.tokenizers.base import UNK, Tokenizer
from nbtextgen.tokenizers.registry import train_tokenizer
from nbtextgen.tokenizers.token_unit import suitable_units

SAMPLE = 5000
"""Rows that the figures come from: enough for one digit, and a second of work."""


def token_figures(
    findings: Findings,
    texts: Texts,
    units: tuple[str | None, str | None],
    vocabulary_size: int | None,
    max_length: int,
) -> tuple[TokenFigures, ...]:
    """Train a tokenizer on nine tenths of a sample, and measure it on the last tenth and on all rows."""
    step = -(-len(texts) // SAMPLE)
    figures, too_long = list[TokenFigures](), set[int]()
    chosen = suitable_units(texts.sources, texts.targets, units)
    for (name, column), unit in zip(texts.columns(), chosen, strict=True):
        sample = column[::step]
        held_out = sample[9::10]
        training = [text for index, text in enumerate(sample) if index % 10 != 9]
        size = vocabulary_size or (None if unit in ("char", "symbol") else 4000)
        tokenizer = train_tokenizer(training, unit, size=size)
        rows = tokenizer.encode_batch(held_out or training)
        unknown = sum(ids.count(UNK) for ids in rows) / max(1, sum(map(len, rows)))
        longer = _too_long(tokenizer, column, max_length)
        too_long.update(longer)
        lengths = quartet([len(ids) for ids in tokenizer.encode_batch(sample)])
        figures.append(TokenFigures(name, unit, tokenizer.size, unknown, lengths, len(longer) / len(column)))
        if unknown > 0.02 and held_out:
            with_unknown = [(index * 10 + 9) * step for index, ids in enumerate(rows) if UNK in ids]
            description = f"{percent(unknown)} of the {name}'s {unit} tokens in unseen rows are unknown; bpe has none"
            unknown_rows = texts.rows[with_unknown].tolist()
            findings.add(f"{name}-unknown", description, unknown_rows, "medium", None, of=len(held_out))
    description = f"more than {max_length:,} tokens on a side: training leaves these rows out"
    findings.add("too-long", description, texts.rows[sorted(too_long)].tolist(), "medium", None)
    return tuple(figures)


def _too_long(tokenizer: Tokenizer, texts: list[str], limit: int) -> list[int]:
    """Indices of texts with more tokens than the limit. A text has at most as many as bytes, so few need a count."""
    rows = [row for row, text in enumerate(texts) if len(text) > limit // 4 and len(text.encode()) >= limit]
    return [row for row in rows if len(tokenizer.encode_batch([texts[row]])[0]) > limit]
