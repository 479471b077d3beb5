"""Pretrained embeddings from the text format that word2vec, GloVe and fastText share."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from nbtextgen.core.errors import DataError


class EmbeddingVocabulary(Protocol):
    """What is needed of a tokenizer: how many types it has, and how each is spelled."""

    @property
    def size(self) -> int: ...

    def token(self, number: int, /) -> str: ...


def load_embeddings(path: str, weight: Tensor, vocabulary: EmbeddingVocabulary) -> int:
    """Copy the vectors of known tokens into an embedding.

    Args:
        path: a text file, one token and its numbers a line, with or without word2vec's header line.
        weight: ``(vocabulary, width)``, changed in place.
        vocabulary: spells each row's token.

    Returns:
        how many rows were filled.

    Raises:
        DataError: when the file is missing, or a line does not fit the width; names the line.
    """
    file = Path(path)
    if not file.is_file():
        raise DataError(f"There is no embeddings file {path}; check --source-embeddings and --target-embeddings.")
    wanted = {vocabulary.token(number).strip(): number for number in range(vocabulary.size)}
    found = 0
    with file.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            token, *numbers = line.rstrip().split(" ")
            if number == 1 and len(numbers) == 1:
                continue  # word2vec's header: count and width
            if len(numbers) != weight.shape[1]:
                raise DataError(
                    f"{path}, line {number}: {len(numbers)} numbers, but --embedding-size is {weight.shape[1]}."
                )
            if token in wanted:
                try:
                    weight.data[wanted[token]] = torch.tensor([float(each) for each in numbers])
                except ValueError:
                    raise DataError(f"{path}, line {number}: not all of the vector's parts are numbers.") from None
                found += 1
    return found
