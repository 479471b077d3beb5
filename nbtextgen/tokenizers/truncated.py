"""A tokenizer that keeps only the first or the last tokens of a text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nbtextgen.tokenizers.base import Encoding, Tokenizer


class TruncatedTokenizer(Tokenizer):
    """Another tokenizer whose encodings are cut to ``limit`` tokens.

    A summarizer reads the beginning of an article: cutting at 400 words even scored better than at 800 (See et al. 2017,
    sec. 5). A text to be continued is read from its end (``keep_end``).

    This bounds the memory of a training batch, beside the weights: with one layer per side, embedding size E, hidden size
    H and targets of at most T tokens, to ``4 batch_tokens (6 E + 18 H + 4 T)`` bytes; the last term is attention, copy
    head and coverage.
    """

    def __init__(self, inner: Tokenizer, limit: int, *, keep_end: bool = False) -> None:
        super().__init__(inner.normalizer)
        self.inner, self.limit, self.keep_end = inner, limit, keep_end
        self.kind = inner.kind  # type: ignore[misc]

    def _cut(self, length: int) -> slice:
        return slice(max(0, length - self.limit), None) if self.keep_end else slice(self.limit)

    @property
    def size(self) -> int:
        return self.inner.size

    def encode(self, text: str) -> Encoding:
        encoding = self.inner.encode(text)
        kept = self._cut(len(encoding.ids))
        return Encoding(encoding.ids[kept], encoding.tokens[kept], encoding.offsets[kept])

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        return [ids[self._cut(len(ids))] for ids in self.inner.encode_batch(texts)]

    def decode(self, ids: Iterable[int]) -> str:
        return self.inner.decode(ids)

    def token(self, number: int, /) -> str:
        return self.inner.token(number)

    def _state(self) -> dict[str, object]:
        return {**self.inner.to_dict(), "limit": self.limit, "keep_end": self.keep_end}
