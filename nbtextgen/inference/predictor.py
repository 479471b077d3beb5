"""``Predictor``: trained networks and their tokenizers, from texts in to generations out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from torch import Tensor

from nbtextgen.core.cancellation import CancellationToken
from nbtextgen.core.errors import OptionError
from nbtextgen.core.openmp import threads_spin
from nbtextgen.data.batching import CopyMap, encode_examples, pad, padded_batches
from nbtextgen.data.pairs import Pairs
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.decoding.hypothesis import Hypothesis
from nbtextgen.decoding.parallel import run_parallel
from nbtextgen.decoding.search import decode
from nbtextgen.decoding.stepper import Ensemble, Stepper
from nbtextgen.decoding.streaming import stream
from nbtextgen.inference.generation import Generation, Generations
from nbtextgen.inference.text_codec import LengthLimit, TextCodec
from nbtextgen.model.int8 import Int8Seq2Seq, int8_is_faster
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.tokenizers.base import BOS, EOS, UNK, Tokenizer

TOGETHER = 4096
"""Sources handed to a search, which holds their tokens, but writes for a batch of them at a time."""


LARGE_STEP = 32 * 384**2
"""Rows x hidden size squared from which the step of a search keeps a core busy with arithmetic, rather than with Python."""


@dataclass(frozen=True)
class Alternative:
    """A token that could have been written: its id (``EOS`` for the end), its text, its probability."""

    id: int
    text: str
    probability: float


@dataclass
class Predictor:
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
    _rounded: dict[int, Int8Seq2Seq] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.networks[0].config.copy and self.copy is None:
            self.copy = CopyMap(self.source, self.target)
        for network in self.networks:
            network.eval()

    @property
    def codec(self) -> TextCodec:
        """Its text side."""
        return TextCodec(self.source, self.target, self.copy)

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self.networks[0].output_bias.device

    def to(self, device: torch.device) -> Predictor:
        """This writer, its networks moved to a device."""
        for network in self.networks:
            network.to(device)
        return self

    def predict(
        self,
        texts: Sequence[str],
        config: DecodingConfig,
        prefix_ids: Sequence[int] = (),
        *,
        cancellation: CancellationToken | None = None,
    ) -> Generations:
        """Generate for every source.

        Args:
            texts: the sources.
            config: beam, sampling, penalties and limits.
            prefix_ids: begin every output.
            cancellation: ends the search with ``Cancelled`` at its next step.
        """

        def search(some: list[str], encoded: list[list[int]]) -> list[Generation]:
            return self._search(some, encoded, config, prefix_ids, cancellation)

        return self.codec.generate(texts, max(TOGETHER, config.batch_size), search)

    def predict_ids(
        self,
        text: str,
        ids: Sequence[int],
        config: DecodingConfig,
        *,
        cancellation: CancellationToken | None = None,
    ) -> Generation:
        """Generate for one source whose token ids were changed, for instance masked; ``text`` has as many tokens."""
        return self._search([text], [list(ids) or [UNK]], config, (), cancellation)[0]

    def stream(self, text: str, config: DecodingConfig) -> Iterator[str]:
        """Yield the output in pieces as it is written."""
        if config.beam > 1:
            raise OptionError("--beam cannot be streamed: it only knows its best text at the end; use --beam 1.")
        encoded = self.codec.encode([text])
        copies, extras = self._copies([text])
        limit = config.max_length or self.limit(len(encoded[0]))
        tokens = stream(
            self._stepper(),
            self._tensor(encoded),
            config,
            bos=BOS,
            eos=EOS,
            max_length=limit,
            copy_ids=copies,
            **self.codec.rules(config),
        )
        yield from self.codec.stream_text((token for token, _ in tokens), extras[0])

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
    def alternatives(
        self, text: str, ids: Sequence[int], count: int, *, cancellation: CancellationToken | None = None
    ) -> list[list[Alternative]]:
        """What could have been written at each place of an output, given what stands before it.

        Args:
            text: the source.
            ids: token ids of the output, without the end mark.
            count: how many alternatives for each place, likeliest first.
            cancellation: ends the computation with ``Cancelled`` at its next step.

        Returns:
            one list for each token, and a last one for the place of the end mark.
        """
        stepper = self._stepper()
        copies, extras = self._copies([text])
        state = stepper.start(self._tensor(self.codec.encode([text])), 1, copies)
        found = []
        for last in (BOS, *ids):
            if cancellation is not None:
                cancellation.raise_if_cancelled()
            logs, _, state = stepper.step(torch.full((1, 1), last, device=self.device), state)
            best = logs[0, 0].float().topk(min(count, logs.shape[-1]))
            found.append(
                [
                    Alternative(one, self.codec.token(one, extras[0]), math.exp(logged))
                    for one, logged in zip(best.indices.tolist(), best.values.tolist(), strict=True)
                    if logged > -math.inf
                ]
            )
        return found

    # One batch ----------------------------------------------------------------------------------------------------

    def _search(
        self,
        texts: list[str],
        encoded: list[list[int]],
        config: DecodingConfig,
        prefix_ids: Sequence[int],
        cancellation: CancellationToken | None,
    ) -> list[Generation]:
        copies, extras = self._copies(texts)
        limits = [config.max_length or self.limit(len(ids)) for ids in encoded]
        source, rules = self._tensor(encoded), self.codec.rules(config, prefix_ids)

        stepper = self._stepper(config.precision)

        def search(shared: CancellationToken, rows: slice) -> list[list[Hypothesis]]:
            return decode(
                stepper,
                source[rows],
                config,
                bos=BOS,
                eos=EOS,
                max_length=limits[rows],
                copy_ids=None if copies is None else copies[rows],
                cancellation=shared,
                **rules,
            )

        shares = self._shares(len(texts), config)
        done = run_parallel(
            [partial(search, rows=rows) for rows in shares],
            cancellation,
            one_thread=self.device.type == "cpu"
            and (threads_spin() or self._step_size(len(texts), config) < LARGE_STEP),
        )
        found: list[list[Hypothesis]] = [[] for _ in texts]
        for rows, hypotheses in zip(shares, done, strict=True):
            found[rows] = hypotheses
        attended, replace = self.networks[0].config.attention != "none", config.replace_unknown
        return [
            self.codec.generation(text, hypotheses, extra, attended=attended, replace_unknown=replace)
            for text, hypotheses, extra in zip(texts, found, extras, strict=True)
        ]

    def _shares(self, texts: int, config: DecodingConfig) -> list[slice]:
        """Which texts are searched for together: on a processor there are as many searches at once as cores, where each has
        a full batch, or steps that are large enough without one."""
        cores = torch.get_num_threads() if self.device.type == "cpu" else 1
        large = min(texts, int(self._step_size(texts, config) // LARGE_STEP))
        count = max(1, min(cores, max(texts // config.batch_size, large)))
        return [slice(first, None, count) for first in range(count)]

    def _step_size(self, texts: int, config: DecodingConfig) -> float:
        """Rows x hidden size squared of a search for so many texts."""
        rows = min(texts, config.batch_size) * config.beam
        return rows * (self.networks[0].config.hidden_size or 0) ** 2

    def _stepper(self, precision: str = "fp32") -> Stepper:
        """What decoding steps through."""
        steppers: list[Stepper] = [self.network_in(precision, number) for number in range(len(self.networks))]
        return steppers[0] if len(steppers) == 1 else Ensemble(steppers)

    def _copies(self, texts: list[str]) -> tuple[Tensor | None, list[list[str]]]:
        """For a copy head, the target-side ids of the source tokens; and for each text the tokens that only it knows."""
        copies, extras = self.codec.copies(texts)
        return None if copies is None else self._tensor(copies), extras

    def network_in(self, precision: str, number: int) -> Seq2Seq | Int8Seq2Seq:
        """A network in the arithmetic that ``DecodingConfig.precision`` names; rounding takes a moment, once.

        Raises:
            OptionError: for 8-bit integers on another device than the processor.
        """
        network = self.networks[number]
        if precision == "fp32" or (precision == "auto" and not int8_is_faster(network)):
            return network
        if self.device.type != "cpu":
            raise OptionError("--precision int8 works on the processor only; use --precision auto.")
        if number not in self._rounded:
            self._rounded[number] = Int8Seq2Seq(network)
        return self._rounded[number]

    def _tensor(self, rows: list[list[int]]) -> Tensor:
        return torch.from_numpy(pad([np.array(row, dtype=np.int64) for row in rows])).to(self.device)
