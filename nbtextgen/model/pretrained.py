"""Pretrained embeddings, read from the text format that word2vec, GloVe and fastText share."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from nbtextgen.core.errors import DataError
from nbtextgen.tokenizers.base import Tokenizer


def load_embeddings(path: str, weight: Tensor, vocabulary: Tokenizer) -> int:
    """Copy the vectors of tokens in the vocabulary into an embedding.

    Args:
        path: a text file with one token and its vector per line, with or without word2vec's header line.
        weight: ``(vocabulary, width)``, changed in place.
        vocabulary: gives the token of each row.

    Returns:
        the number of rows that were filled.

    Raises:
        DataError: if the file is missing, or a line does not have ``width`` numbers; the message names the line.
    """
    file = Path(path)
    if not file.is_file():
        raise DataError(f"There is no embeddings file {path}; check --source-embeddings and --target-embeddings.")
    row_of_token = {vocabulary.token(row).strip(): row for row in range(vocabulary.size)}
    filled = 0
    with file.open(encoding="utf-8", errors="replace") as lines:
        for line_number, line in enumerate(lines, 1):
            token, *numbers = line.rstrip().split(" ")
            if line_number == 1 and len(numbers) == 1:
                continue  # word2vec's header: count and width
            if len(numbers) != weight.shape[1]:
                raise DataError(
                    f"{path}, line {line_number}: {len(numbers)} numbers, but --embedding-size is {weight.shape[1]}."
                )
            if token in row_of_token:
                try:
                    vector = torch.tensor([float(number) for number in numbers])
                except ValueError:
                    raise DataError(f"{path}, line {line_number}: a value of the vector is not a number.") from None
                if not vector.isfinite().all():
                    raise DataError(f"{path}, line {line_number}: the vector of {token!r} holds NaN or infinity.")
                weight.data[row_of_token[token]] = vector
                filled += 1
    return filled
