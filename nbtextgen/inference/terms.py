"""The terms that the output for a source must contain, by glossary, must-include words and what is carried over."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from nbtextgen.core.errors import OptionError, nearest
from nbtextgen.core.escaping import brief, pictured
from nbtextgen.data.batching import CopyMap
from nbtextgen.decoding.borders import Borders
from nbtextgen.decoding.config import TERM_BEAM, DecodingConfig
from nbtextgen.decoding.glossary import read_entry
from nbtextgen.decoding.terms import Alternatives, Terms, least_tokens
from nbtextgen.inference.generation import Generation
from nbtextgen.inference.word_borders import word_borders
from nbtextgen.tokenizers.base import UNK, Tokenizer
from nbtextgen.tokenizers.segmentation import word_spans

PATTERNS = {
    "numbers": r"\d+(?:[.,:/\-]\d+)*",
    "placeholders": r"\{\{.*?\}\}|\$?\{[^{}\s]*\}|</?[^<>\s][^<>]*>|%(?:\(\w+\))?[sdif]\b|__\w+__",
    "links": r"(?:https?://|www\.)[^\s<>\"]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
}
"""What ``carry_over`` may name; anything else is a regular expression."""


@dataclass(frozen=True)
class RequiredTerms:
    """What the output for one source must contain.

    Attributes:
        terms: as token ids, for the search.
        texts: as texts, one of each row; those that the model cannot write are among them.
    """

    terms: Terms = ()
    texts: tuple[tuple[str, ...], ...] = ()

    def fitted(
        self, limit: int, prefix: int, config: DecodingConfig, borders: Borders | None
    ) -> tuple[RequiredTerms, int]:
        """The terms with a limit of the output that has room for them; none of them if ``max_length`` has not."""
        tokens = sum(least_tokens(self.terms, borders))
        if config.max_length is None:
            return self, max(limit, prefix) + tokens
        return (self if prefix + tokens <= limit else replace(self, terms=())), limit

    def noted(self, output: Generation, target: Tokenizer, config: DecodingConfig) -> Generation:
        """The output with notes on the search, and on terms that it lacks."""
        if not self.texts:
            return output
        notes = list(output.notes)
        if config.beam == 1 and self.terms:
            notes.append(f"Terms need beam search, so a beam of {TERM_BEAM} was used.")
        whole, missing, inside = target.kind != "char", list[str](), list[str]()
        for row in self.texts:
            terms = list(map(target.normalize, row))
            if not any(_holds(output.text, term, whole) for term in terms):
                (inside if any(term in output.text for term in terms) else missing).append(pictured(row[0]))
        if missing:
            notes.append(
                "The output lacks what it had to contain, because the model cannot write it here, or --max-length is too short: "
                + ", ".join(missing)
            )
        if inside:
            notes.append(f"The output has this only inside of a longer word or number: {', '.join(inside)}")
        return output if len(notes) == len(output.notes) else replace(output, notes=tuple(notes))


NO_TERMS = RequiredTerms()


def _holds(output: str, term: str, whole: bool) -> bool:
    """Whether a term is in an output; if ``whole``, not inside of a longer word or number."""
    if not whole:
        return term in output
    places = [(match.start(), match.start() + len(term)) for match in re.finditer(f"(?={re.escape(term)})", output)]
    borders = word_borders(output) | {0, len(output)} if places else set[int]()
    return any({start, stop} <= borders for start, stop in places)


def _pattern(name: str) -> re.Pattern[str]:
    """The pattern of a name, or a regular expression.

    Raises:
        OptionError: for what is no regular expression, or nearly a name.
    """
    similar = nearest(name, PATTERNS) if name.isalpha() and name not in PATTERNS else ""
    if similar:
        raise OptionError(
            f"--carry-over takes {', '.join(PATTERNS)} or a regular expression (got {name!r}).{similar} If that word itself is to be "
            f"carried over, write ({name})."
        )
    try:
        return re.compile(PATTERNS.get(name, name))
    except re.error as error:
        raise OptionError(
            f"--carry-over takes {', '.join(PATTERNS)} or a regular expression, and {name!r} is neither ({error})."
        ) from None


class TermFinder:
    """Finds the terms for each source; the settings are checked once."""

    def __init__(self, config: DecodingConfig, source: Tokenizer, target: Tokenizer, copy: CopyMap | None) -> None:
        """Read the settings.

        Raises:
            OptionError: for a target term that a model without a copy head cannot write, or a bad regular expression.
        """
        self._source, self._target, self._copy = source, target, copy
        self._glossary: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._spelled: dict[tuple[tuple[str, ...], tuple[str, ...]], Alternatives] = {}
        entries = list(map(read_entry, config.glossary))
        for term, targets in entries:
            self._check(f"--glossary {term!r} needs", targets)
            words = tuple(self._words(term))  # a term with several entries may become the target of any
            self._glossary[words] = tuple(dict.fromkeys([*self._glossary.get(words, ()), *targets]))
        # As at the start of a sentence, where no entry is spelled so.
        for (first, *others), targets in list(self._glossary.items()):
            capital = self._source.normalize(first[:1].upper() + first[1:])
            self._glossary.setdefault((capital, *others), targets)
        self._included = tuple(word for word in config.must_include if word)
        for word in self._included:
            if not word.strip():
                raise OptionError("--must-include has a word of white space alone; leave it out.")
            self._check("--must-include needs", [word])
        self._patterns = [_pattern(name) for name in config.carry_over]

    @property
    def idle(self) -> bool:
        """Whether no setting asks for terms."""
        return not (self._glossary or self._included or self._patterns)

    def of(self, text: str, source_words: Sequence[str]) -> RequiredTerms:
        """What the output for a source must contain; ``source_words`` are those that only a copy head can write."""
        if self.idle:
            return NO_TERMS
        rows = [*self._glossary_terms(text), *((word,) for word in self._included)]
        rows += [
            (match.group(),) for pattern in self._patterns for match in pattern.finditer(text) if match.group().strip()
        ]
        rows = list(dict.fromkeys(rows))
        terms = [self._alternatives(row, source_words) for row in rows]
        return RequiredTerms(tuple(each for each in terms if each), tuple(rows))

    def _words(self, text: str) -> list[str]:
        text = self._source.normalize(text)
        return [text[start:stop] for start, stop in word_spans(text)]

    def _glossary_terms(self, text: str) -> list[tuple[str, ...]]:
        """The target terms of the entries in a text, from left to right, the longest entry first."""
        if not self._glossary:
            return []
        words, longest = self._words(text), max(map(len, self._glossary))
        terms, start = list[tuple[str, ...]](), 0
        while start < len(words):
            for length in range(min(longest, len(words) - start), 0, -1):
                targets = self._glossary.get(tuple(words[start : start + length]))
                if targets is not None:
                    terms.append(targets)
                    start += length
                    break
            else:
                start += 1
        return terms

    def _check(self, what: str, texts: Sequence[str]) -> None:
        """Raise ``OptionError`` if none of the texts can be written."""
        if self._copy is not None or self._alternatives(texts, ()):
            return
        encoding = self._target.encode(texts[0])
        unknown = dict.fromkeys(
            token.strip() or token for token, number in zip(encoding.tokens, encoding.ids, strict=True) if number == UNK
        )
        few = ", ".join(repr(brief(token)) for token in list(unknown)[:10]) + (", ..." if len(unknown) > 10 else "")
        raise OptionError(
            f"{what} {brief(texts[0])!r}, and {few or 'that'} is not in the model's vocabulary; use another "
            "term, or train on with pairs that have it (--start)."
        )

    def _alternatives(self, texts: Sequence[str], source_words: Sequence[str]) -> Alternatives:
        """The ways to write one of the texts as token ids: as a word of its own, and without a space before it."""
        key = tuple(texts), tuple(source_words)
        if key not in self._spelled:
            spellings = (self._ids(opening, text, source_words) for text in texts for opening in ("", "("))
            self._spelled[key] = tuple(dict.fromkeys(ids for ids in spellings if ids is not None))
        return self._spelled[key]

    def _ids(self, opening: str, text: str, source_words: Sequence[str]) -> tuple[int, ...] | None:
        """The ids of a text behind an opening bracket; ``None`` if the model cannot write it so."""
        if opening and self._target.kind not in ("word", "bpe"):
            return None
        encoding, skipped = self._target.encode(opening + text), len(self._target.encode(opening).ids)
        if "".join(encoding.tokens[:skipped]).strip() != opening:
            return None  # the bracket is one token with what follows
        ids = [
            self._target.size + source_words.index(token) if number == UNK and token in source_words else number
            for token, number in zip(encoding.tokens[skipped:], encoding.ids[skipped:], strict=True)
        ]
        return tuple(ids) if ids and UNK not in ids else None
