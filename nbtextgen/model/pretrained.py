"""Pretrained embeddings, read from the text format that word2vec, GloVe and fastText share."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from nbtextgen.core.errors import DataError
from nbtextgen.tokenizers.base import Tokenizer

CHECKED_LINES = 100
"""Lines that are looked at before anything is computed."""


def load_embeddings(path: str, weight: Tensor, vocabulary: Tokenizer, option: str) -> int:
    """Copy the vectors of tokens in the vocabulary into an embedding.

    Args:
        path: a text file with one token and its vector per line, with or without word2vec's header line.
        weight: ``(vocabulary, width)``, changed in place.
        vocabulary: gives the token of each row.
        option: the option that names the file, for errors.

    Returns:
        the number of rows that were filled.

    Raises:
        DataError: if the file is missing, or a line does not have ``width`` numbers; the message names the line.
    """
    row_of_token = {vocabulary.token(row).strip(): row for row in range(vocabulary.size)}
    filled = 0
    for line_number, token, numbers in _vectors(path, weight.shape[1], option):
        if token in row_of_token:
            weight.data[row_of_token[token]] = _vector(f"{option} {path}, line {line_number}", token, numbers)
            filled += 1
    return filled


def check_embeddings(path: str, width: int | None, option: str) -> None:
    """Raise ``DataError`` as ``load_embeddings`` would, for a missing file or the width of its first lines.

    Args:
        path, option: as there.
        width: numbers of a vector; ``None`` if they are not known yet.
    """
    for _ in islice(_vectors(path, width, option), CHECKED_LINES):
        pass


def _vectors(path: str, width: int | None, option: str) -> Iterator[tuple[int, str, list[str]]]:
    """Yield the number of each line, its token and its numbers; raises ``DataError`` for a missing file or another width."""
    file = Path(path)
    if not file.is_file():
        raise DataError(f"There is no embeddings file {path}; check {option}.")
    with file.open(encoding="utf-8", errors="replace") as lines:
        for line_number, line in enumerate(lines, 1):
            token, *numbers = line.rstrip().split(" ")
            if line_number == 1 and len(numbers) == 1:
                continue  # word2vec's header: count and width
            if width is not None and len(numbers) != width:
                raise DataError(
                    f"{option} {path}, line {line_number}: {len(numbers)} numbers, but --embedding-size is {width}."
                )
            yield line_number, token, numbers


def _vector(place: str, token: str, numbers: list[str]) -> Tensor:
    """Return the vector of a token; raises ``DataError``, with its place, unless it consists of finite numbers."""
    try:
        vector = torch.tensor([float(number) for number in numbers])
    except ValueError:
        raise DataError(f"{place}: a value of the vector is not a number.") from None
    if not vector.isfinite().all():
        raise DataError(f"{place}: the vector of {token!r} holds NaN or infinity.")
    return vector
