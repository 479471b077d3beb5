"""Options of decoding, and the token rules that they stand for."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nbtextgen.core.errors import OptionError
from nbtextgen.core.options import option
from nbtextgen.decoding.glossary import glossary_entries

NOTHING_ALLOWED = "These rules leave no token to generate; relax --allow, --forbid or --min-length."

LENGTH_PENALTY = 1.0
"""Length penalty where none is given and none was chosen at the end of training."""
TERM_BEAM = 5
"""Width of the beam for outputs that must contain terms, where the settings ask for greedy search."""


@dataclass(frozen=True)
class DecodingConfig:
    """How text is generated: greedily (``beam=1``), by beam search, or by sampling (``sample=True``)."""

    beam: int = option(1, "hypotheses kept at every step; 1 is greedy", minimum=1, maximum=1000, usual=(1, 16))
    n_best: int = option(1, "candidates returned for each source", minimum=1, maximum=1000, usual=(1, 10))
    length_penalty: float | None = option(
        None,
        "scores are divided by length ** this; 0 turns it off; default: chosen on held-out pairs at the end of training",
        minimum=0.0,
        maximum=10.0,
        usual=(0, 2),
    )
    coverage_penalty: float | None = option(
        None,
        "penalty for source tokens that were hardly attended to; 0 turns it off; default: chosen as the length penalty is",
        minimum=0.0,
        maximum=100.0,
        usual=(0, 1),
    )
    sample: bool = option(False, "draw tokens at random instead of taking the likeliest")
    temperature: float = option(
        1.0, "sampling: below 1 sharpens, above 1 flattens", above=0.0, maximum=100.0, usual=(0.1, 3)
    )
    top_k: int = option(0, "sampling: only the k likeliest tokens; 0 is off", minimum=0, usual=(0, 50))
    top_p: float = option(
        1.0, "sampling: smallest set of tokens with this much probability", above=0.0, maximum=1.0, usual=(0.05, 1)
    )
    min_p: float = option(
        0.0, "sampling: only tokens at least this likely relative to the likeliest", minimum=0.0, maximum=1.0
    )
    seed: int | None = option(None, "sampling: seed for a repeatable draw", minimum=0, maximum=2**32 - 1, usual=(0, 20))
    min_length: int = option(0, "fewest output tokens", minimum=0, maximum=1_000_000, usual=(0, 50))
    max_length: int | None = option(
        None, "most output tokens; default: from the training data", minimum=1, maximum=1_000_000, usual=(1, 200)
    )
    no_repeat_ngram: int = option(
        0, "no n-gram of this size occurs twice in an output; 0 is off", minimum=0, maximum=100, usual=(0, 6)
    )
    prefix: str = option("", "text that every output must begin with")
    allow: tuple[str, ...] = option((), "only these words may be generated")
    forbid: tuple[str, ...] = option((), "words that may not be generated, each as the sequence of its tokens")
    glossary: tuple[str, ...] = option(
        (),
        "terms that the output must contain if the source has theirs: a mapping, a file, or entries such as 'salt => sel'",
        reader=glossary_entries,
    )
    must_include: tuple[str, ...] = option((), "words that every output must contain")
    carry_over: tuple[str, ...] = option(
        (),
        "what the output must take over from the source unchanged: numbers, placeholders, links, or a regular expression",
    )
    replace_unknown: bool = option(False, "replace unknown words by the source word most attended to")
    batch_size: int = option(
        64,
        "sources decoded together; up to five times as many with a beam below six",
        minimum=1,
        maximum=100_000,
        usual=(1, 256),
    )
    precision: str = option(
        "auto",
        "number format of the search; auto uses 8-bit integers for large networks on CPUs that are fast at them",
        choices=("auto", "fp32", "int8"),
    )

    def __post_init__(self) -> None:
        lengths = (self.min_length, self.max_length)  # not checked yet
        if all(isinstance(length, int) for length in lengths) and self.min_length > (self.max_length or 0):
            raise OptionError(
                f"--min-length={self.min_length} is more than --max-length={self.max_length}; change one of them."
            )

        if self.sample and self.has_terms:
            raise OptionError("--glossary, --must-include and --carry-over need beam search; leave out --sample.")

    @property
    def unused(self) -> str:
        """A sentence about settings that have no effect beside the others; empty if there are none."""
        if self.sample:
            return "beam has no effect with sample, which draws token by token." if self.beam > 1 else ""
        changed = [
            name
            for name in ("temperature", "top_k", "top_p", "min_p")
            if getattr(self, name) != getattr(DecodingConfig, name)
        ]
        return (
            f"{' and '.join(changed)} {'has' if len(changed) == 1 else 'have'} no effect without sample."
            if changed
            else ""
        )

    @property
    def length_exponent(self) -> float:
        """The length penalty, the usual one if it is open."""
        return LENGTH_PENALTY if self.length_penalty is None else self.length_penalty

    @property
    def coverage_factor(self) -> float:
        """The coverage penalty, none if it is open."""
        return self.coverage_penalty or 0.0

    def with_penalties(self, length: float, coverage: float) -> DecodingConfig:
        """The same settings with a length penalty and a coverage penalty, where they leave them open."""
        return replace(
            self,
            length_penalty=length if self.length_penalty is None else self.length_penalty,
            coverage_penalty=coverage if self.coverage_penalty is None else self.coverage_penalty,
        )

    @property
    def has_terms(self) -> bool:
        """Whether outputs must contain terms."""
        return any(value != () for value in (self.glossary, self.must_include, self.carry_over))

    def check_streamable(self) -> None:
        """Raise ``OptionError`` for beam search, which has no output before its end."""
        if self.has_terms:
            raise OptionError(
                "--glossary, --must-include and --carry-over need beam search, which has no output before its end; generate "
                "without streaming."
            )
        if self.beam > 1:
            raise OptionError(
                "--beam cannot be streamed, because beam search has no output before its end; use --beam=1."
            )


@dataclass(frozen=True)
class TokenRules:
    """The words that a ``DecodingConfig`` names, as token ids.

    Attributes:
        prefix: tokens that every output begins with.
        allow: the only tokens that may be generated, or ``None`` if all may.
        forbid: sequences of tokens that may not be generated.
    """

    prefix: tuple[int, ...] = ()
    allow: tuple[int, ...] | None = None
    forbid: tuple[tuple[int, ...], ...] = ()


NO_RULES = TokenRules()
