"""What the chosen tokenizers will make of the texts."""

from __future__ import annotations

from nbtextgen.data.report.checks import Texts
from nbtextgen.data.report.findings import Findings, TokenFigures, quartet
from nbtextgen.tokenizers.base import UNK, Tokenizer
from nbtextgen.tokenizers.registry import train_tokenizer
from nbtextgen.tokenizers.token_unit import suitable_unit

LEARNED = 5000
"""Rows of the sample that figures come from: enough to one digit, and a second of work."""


def token_figures(
    findings: Findings,
    texts: Texts,
    units: tuple[str | None, str | None],
    vocabulary_size: int | None,
    max_length: int,
) -> tuple[TokenFigures, ...]:
    """Learn a vocabulary from nine rows of ten of a sample, and look at what it makes of the tenth and of all."""
    step = -(-len(texts) // LEARNED)
    figures, too_long = [], set[int]()
    for (name, column), unit in zip(texts.columns(), units, strict=True):
        unit = unit or suitable_unit(column)
        sample = column[::step]
        held = [text for at, text in enumerate(sample) if at % 10 == 9]
        learned = [text for at, text in enumerate(sample) if at % 10 != 9]
        size = vocabulary_size or (None if unit in ("char", "symbol") else 4000)
        tokenizer = train_tokenizer(learned, unit, size=size)
        rows = tokenizer.encode_batch(held or learned)
        unknown = sum(ids.count(UNK) for ids in rows) / max(1, sum(map(len, rows)))
        longer = _too_long(tokenizer, column, max_length)
        too_long.update(longer)
        lengths = quartet([len(ids) for ids in tokenizer.encode_batch(sample)])
        figures.append(TokenFigures(name, unit, tokenizer.size, unknown, lengths, len(longer) / len(column)))
        if unknown > 0.02 and held:
            odd = [at * 10 * step + 9 * step for at, ids in enumerate(rows) if UNK in ids]
            what = f"{unknown:.1%} of the {name}'s {unit} tokens in unseen rows are unknown; bpe has none"
            findings.add(f"{name}-unknown", what, texts.rows[odd].tolist(), "medium", None, of=len(held))
    what = f"more than {max_length:,} tokens on a side: training leaves these rows out"
    findings.add("too-long", what, texts.rows[sorted(too_long)].tolist(), "medium", None)
    return tuple(figures)


def _too_long(tokenizer: Tokenizer, texts: list[str], limit: int) -> list[int]:
    """Texts of more tokens than the limit; a text has at most as many as it has bytes, so few need to be cut."""
    longer = [at for at, text in enumerate(texts) if len(text) > limit // 4 and len(text.encode()) >= limit]
    return [at for at in longer if len(tokenizer.encode_batch([texts[at]])[0]) > limit]
