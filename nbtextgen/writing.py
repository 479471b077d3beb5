"""``Writer``: trained networks and their tokenizers, from texts in to generations out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from nbtextgen.data.examples import CopyMap, Examples, encode_examples, pad, padded_batches
from nbtextgen.data.pairs import Pairs
from nbtextgen.data.tokenizer import BOS, EOS, UNK, UNKNOWN, Tokenizer
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.decoding.hypothesis import Hypothesis
from nbtextgen.decoding.search import decode
from nbtextgen.decoding.stepper import Ensemble, Stepper
from nbtextgen.decoding.stream import stream
from nbtextgen.errors import OptionError
from nbtextgen.generation import Generation, Generations
from nbtextgen.model.eight_bit import EightBit, pays_in_eight_bit
from nbtextgen.model.seq2seq import Seq2Seq

TOGETHER = 4096
"""Sources handed to a search, which holds their tokens, but writes for a batch of them at a time."""


@dataclass(frozen=True)
class LengthLimit:
    """How long an output may get: ``offset + slope x source tokens``, from the training pairs."""

    offset: int
    slope: float

    @classmethod
    def of(cls, examples: Examples) -> LengthLimit:
        """A quarter more than what 999 of 1,000 training pairs needed, and a little.

        Beam search goes on while a longer output could still win, so a limit that is too generous costs time.
        """
        source, target = examples.lengths()
        ratio = float(np.median(target / np.maximum(1, source)))
        beyond = float(np.quantile(target - ratio * source, 0.999))
        return cls(3 + max(0, math.ceil(1.25 * beyond)), 1.25 * ratio)

    def __call__(self, source_length: int) -> int:
        return self.offset + math.ceil(self.slope * source_length)


@dataclass(frozen=True)
class Alternative:
    """A token that could have been written: its id (``EOS`` for the end), its text, its probability."""

    id: int
    text: str
    probability: float


@dataclass
class Writer:
    """Everything that generation needs, and nothing that training alone needs.

    Attributes:
        source, target: tokenizers of both sides.
        networks: one, or several used as an ensemble.
        limit: longest output for a source length.
    """

    source: Tokenizer
    target: Tokenizer
    networks: list[Seq2Seq]
    limit: LengthLimit
    copy: CopyMap | None = field(default=None)
    _rounded: dict[int, EightBit] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.networks[0].config.copy and self.copy is None:
            self.copy = CopyMap(self.source, self.target)
        for network in self.networks:
            network.eval()

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self.networks[0].output_bias.device

    def write(self, texts: Sequence[str], config: DecodingConfig, prefix_ids: Sequence[int] = ()) -> Generations:
        """Generate for every source; ``prefix_ids`` begin every output."""
        encoded = [ids or [UNK] for ids in self.source.encode_batch(list(texts))]
        # The longest first: at the end, when nobody waits for the free places, little is left to write.
        order = sorted(range(len(texts)), key=lambda number: -len(encoded[number]))
        results: dict[int, Generation] = {}
        most = max(TOGETHER, config.batch_size)
        for start in range(0, len(order), most):
            rows = order[start : start + most]
            found = self._search([texts[row] for row in rows], [encoded[row] for row in rows], config, prefix_ids)
            results.update(zip(rows, found, strict=True))
        return Generations(results[number] for number in range(len(texts)))

    def write_ids(self, text: str, ids: Sequence[int], config: DecodingConfig) -> Generation:
        """Generate for one source whose token ids were changed, for instance masked; ``text`` has as many tokens."""
        return self._search([text], [list(ids) or [UNK]], config, self._prefix(config))[0]

    def stream(self, text: str, config: DecodingConfig) -> Iterator[str]:
        """Yield the output in pieces as it is written."""
        if config.beam > 1:
            raise OptionError("--beam cannot be streamed: it only knows its best text at the end; use --beam 1.")
        ids = self.source.encode_batch([text])[0] or [UNK]
        stepper = self._stepper()
        copies, extras = self._copies([text])
        said, written = "", list[int]()
        limit = config.max_length or self.limit(len(ids))
        for token, _ in stream(
            stepper,
            self._tensor([ids]),
            config,
            bos=BOS,
            eos=EOS,
            max_length=limit,
            copy_ids=copies,
            prefix_ids=self._prefix(config),
            allow_ids=self._allowed(config.allow),
            forbid_ids=[self._known_ids(word, "forbid") for word in config.forbid],
        ):
            written.append(token)
            now = self.text(written, extras[0])
            # The last character may still change (a letter cut in half, an accent to come): hold it back.
            if now.startswith(said) and not now.endswith("\ufffd"):
                yield now[len(said) :]
                said = now
        final = self.text(written, extras[0])
        if final != said:
            yield final[len(said) :]

    @torch.inference_mode()
    def perplexity(self, pairs: Pairs) -> float:
        """Perplexity per target token, the end mark included; the probabilities of an ensemble are averaged."""
        examples = encode_examples(pairs.sources, pairs.targets, self.source, self.target, self.copy)
        total, tokens = 0.0, 0
        for _, source, target, copies in padded_batches(examples, batch_tokens=8192, batch_size=256):
            moved = [torch.from_numpy(part).to(self.device) for part in (source, target)]
            extended = None if copies is None else torch.from_numpy(copies).to(self.device)
            logs = [network.log_probabilities(moved[0], moved[1], extended) for network in self.networks]
            mean = torch.logsumexp(torch.stack(logs), 0) - math.log(len(logs))
            total -= float(mean.sum())  # padding counts zero in every network, and so in the mean
            tokens += int((target[:, 1:] != 0).sum())
        return math.exp(total / max(1, tokens))

    @torch.inference_mode()
    def alternatives(self, text: str, ids: Sequence[int], count: int) -> list[list[Alternative]]:
        """What could have been written at each place of an output, given what stands before it.

        Args:
            text: the source.
            ids: token ids of the output, without the end mark.
            count: how many alternatives for each place, likeliest first.

        Returns:
            one list for each token, and a last one for the place of the end mark.
        """
        stepper = self._stepper()
        copies, extras = self._copies([text])
        state = stepper.start(self._tensor([self.source.encode_batch([text])[0] or [UNK]]), 1, copies)
        found = []
        for last in (BOS, *ids):
            logs, _, state = stepper.step(torch.full((1, 1), last, device=self.device), state)
            best = logs[0, 0].float().topk(min(count, logs.shape[-1]))
            found.append(
                [
                    Alternative(one, self._token(one, extras[0]), math.exp(logged))
                    for one, logged in zip(best.indices.tolist(), best.values.tolist(), strict=True)
                    if logged > -math.inf
                ]
            )
        return found

    def _token(self, number: int, extra: Sequence[str]) -> str:
        """The text of one id; ids beyond the vocabulary are the source's own words."""
        return extra[number - self.target.size] if number >= self.target.size else self.target.token(number)

    # One batch ----------------------------------------------------------------------------------------------------

    def _search(
        self, texts: list[str], encoded: list[list[int]], config: DecodingConfig, prefix_ids: Sequence[int]
    ) -> list[Generation]:
        copies, extras = self._copies(texts)
        limits = [config.max_length or self.limit(len(ids)) for ids in encoded]
        found = decode(
            self._stepper(config.precision),
            self._tensor(encoded),
            config,
            bos=BOS,
            eos=EOS,
            max_length=limits,
            copy_ids=copies,
            prefix_ids=prefix_ids or self._prefix(config),
            allow_ids=self._allowed(config.allow),
            forbid_ids=[self._known_ids(word, "forbid") for word in config.forbid],
        )
        return [
            self._generation(text, hypotheses, extra, config)
            for text, hypotheses, extra in zip(texts, found, extras, strict=True)
        ]

    def _stepper(self, precision: str = "fp32") -> Stepper:
        """What decoding steps through."""
        steppers: list[Stepper] = [self.network_in(precision, number) for number in range(len(self.networks))]
        return steppers[0] if len(steppers) == 1 else Ensemble(steppers)

    def _copies(self, texts: list[str]) -> tuple[Tensor | None, list[list[str]]]:
        """For a copy head, the target-side ids of the source tokens; and for each text the tokens that only it knows."""
        if self.copy is None:
            return None, [[] for _ in texts]
        pairs = [self.copy.ids(text) for text in texts]
        return self._tensor([ids.tolist() or [UNK] for ids, _ in pairs]), [extra for _, extra in pairs]

    def network_in(self, precision: str, number: int) -> Seq2Seq | EightBit:
        """A network in the arithmetic that ``DecodingConfig.precision`` names; rounding takes a moment, once.

        Raises:
            OptionError: for 8-bit integers on another device than the processor.
        """
        network = self.networks[number]
        whole = precision == "fp32" or not isinstance(network, Seq2Seq)  # or wrapped, by whoever steers it
        if whole or (precision == "auto" and not pays_in_eight_bit(network)):
            return network
        if self.device.type != "cpu":
            raise OptionError("--precision int8 works on the processor only; use --precision auto.")
        if number not in self._rounded:
            self._rounded[number] = EightBit(network)
        return self._rounded[number]

    def _tensor(self, rows: list[list[int]]) -> Tensor:
        return torch.from_numpy(pad([np.array(row, dtype=np.int64) for row in rows])).to(self.device)

    def _prefix(self, config: DecodingConfig) -> list[int]:
        return self.target.encode(config.prefix).ids if config.prefix else []

    def _allowed(self, words: Sequence[str]) -> list[int] | None:
        """Ids of all tokens that the allowed words consist of; ``None`` allows everything."""
        return sorted({one for word in words for one in self._known_ids(word, "allow")}) if words else None

    def _known_ids(self, word: str, name: str) -> list[int]:
        """Tokens of a word that an option names."""
        found = self.target.encode(word).ids
        if UNK in found or not found:
            raise OptionError(f"--{name} {word!r} is not in the model's vocabulary.")
        return found

    def _generation(
        self, text: str, hypotheses: list[Hypothesis], extra: list[str], config: DecodingConfig
    ) -> Generation:
        encoding = self.source.encode(text)
        pieces = encoding.tokens
        candidates = []
        for hypothesis in hypotheses:
            attention = hypothesis.attention[: len(hypothesis.ids), : len(pieces)]
            if self.networks[0].config.attention == "none":
                attention = None
            swaps = self._swaps(hypothesis, attention, pieces, extra, replace=config.replace_unknown)
            tokens = [swaps.get(at) or self.target.token(one) for at, one in enumerate(hypothesis.ids)]
            candidates.append(
                Generation(
                    source=text,
                    text=self._joined(hypothesis.ids, swaps),
                    tokens=tuple(tokens),
                    input_tokens=tuple(pieces),
                    log_probabilities=hypothesis.log_probabilities,
                    attention=attention,
                    score=hypothesis.score,
                    ids=tuple(hypothesis.ids),
                )
            )
        first = candidates[0]
        return Generation(**{**vars(first), "candidates": tuple(candidates)})

    def _swaps(
        self,
        hypothesis: Hypothesis,
        attention: np.ndarray | None,
        pieces: Sequence[str],
        extra: list[str],
        *,
        replace: bool,
    ) -> dict[int, str]:
        """Output positions whose token comes from the source: copied ones, and unknown ones when asked for."""
        swaps = {}
        for at, one in enumerate(hypothesis.ids):
            if one >= self.target.size:
                swaps[at] = extra[one - self.target.size]
            elif one == UNK and replace and attention is not None and len(pieces):
                swaps[at] = pieces[int(attention[at].argmax())]
        return swaps

    def text(self, ids: list[int], extra: list[str]) -> str:
        """The text of token ids; ``extra`` are the source's own words, which the ids beyond the vocabulary stand for."""
        return self._joined(
            ids, {at: extra[one - self.target.size] for at, one in enumerate(ids) if one >= self.target.size}
        )

    def _joined(self, ids: list[int], swaps: dict[int, str]) -> str:
        """The text of the ids, with some positions written as given."""
        if not swaps:
            return self.target.decode(ids)
        # Unknown tokens are written as one mark each, so decoding with them in place shows where to put the pieces.
        marked = [UNK if at in swaps else one for at, one in enumerate(ids)]
        pieces = iter([swaps.get(at) for at, one in enumerate(marked) if one == UNK])
        mark = self.target.unknown
        space = mark.removesuffix(UNKNOWN)  # a word's mark brings the space before it, as the words do
        parts = (space + self.target.decode(marked)).split(mark)
        text = parts[0]
        for part in parts[1:]:
            piece = next(pieces, None)
            text += (mark if piece is None else piece) + part
        return text.removeprefix(space)
