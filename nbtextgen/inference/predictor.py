"""``Predictor``: trained networks and their tokenizers, from texts to generations."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from nbtextgen.core.cancellation import CancellationToken
from nbtextgen.core.errors import OptionError
from nbtextgen.core.openmp import threads_spin
from nbtextgen.data.batching import CopyMap, encode_examples, padded_batches
from nbtextgen.data.pairs import Pairs
from nbtextgen.decoding.batch import to_list
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.decoding.hypothesis import Hypothesis
from nbtextgen.decoding.parallel import run_parallel
from nbtextgen.decoding.search import decode
from nbtextgen.decoding.stepper import Ensemble, Stepper
from nbtextgen.decoding.streaming import stream
from nbtextgen.inference.generation import Generation, Generations
from nbtextgen.inference.text_codec import EncodedSources, LengthLimit, TextCodec
from nbtextgen.model.int8 import Int8Seq2Seq, int8_is_faster
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.tokenizers.base import BOS, Tokenizer

MAX_SEARCH_SOURCES = 4096
"""Sources per search. The search holds the tokens of all of them, and decodes a batch at a time."""

LARGE_STEP = 32 * 384**2
"""Rows x hidden size squared from which a decoding step spends its time on arithmetic rather than on Python."""


@dataclass(frozen=True)
class Alternative:
    """A token that could have been generated: its id (``EOS`` for the end), its text and its probability."""

    id: int
    text: str
    probability: float


@dataclass
class Predictor:
    """Trained networks with everything that generation needs.

    Attributes:
        source, target: tokenizers of both sides.
        networks: one, or several used as an ensemble.
        limit: longest output for a source length.
        copy: maps source tokens to target-side ids; only with a copy head.
    """

    source: Tokenizer
    target: Tokenizer
    networks: list[Seq2Seq]
    limit: LengthLimit
    copy: CopyMap | None = field(default=None)
    _quantized: dict[int, Int8Seq2Seq] = field(default_factory=dict[int, Int8Seq2Seq], repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.networks[0].config.copy and self.copy is None:
            self.copy = CopyMap(self.source, self.target)
        for network in self.networks:
            network.eval()

    @property
    def codec(self) -> TextCodec:
        """The tokenizers and the copy map."""
        return TextCodec(self.source, self.target, self.limit, self.networks[0].config.attention != "none", self.copy)

    @property
    def device(self) -> torch.device:
        """The device of the networks."""
        return self.networks[0].output_bias.device

    def to(self, device: torch.device) -> Predictor:
        """Move the networks to a device; return the predictor."""
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
            prefix_ids: token ids that every output begins with, instead of ``config.prefix``.
            cancellation: ends the search with ``Cancelled`` at its next step.
        """
        search = partial(self._search, config=config, cancellation=cancellation)
        return self.codec.generate(texts, config, max(MAX_SEARCH_SOURCES, config.batch_size), search, prefix_ids)

    def predict_ids(
        self, text: str, ids: Sequence[int], config: DecodingConfig, *, cancellation: CancellationToken | None = None
    ) -> Generation:
        """Generate for one source whose token ids were changed, for instance masked; ``text`` has as many tokens."""
        sources = self.codec.encode([text], config, [list(ids)])
        return self.codec.generations(sources, self._search(sources, config, cancellation), config)[0]

    def stream(self, text: str, config: DecodingConfig) -> Iterator[str]:
        """Yield the output in pieces as it is generated; raises ``OptionError`` for beam search."""
        config.check_streamable()
        sources = self.codec.encode([text], config)
        source, copies = self._tensors(sources)
        tokens = stream(self._stepper(), source, config, sources.rules, max_length=sources.limits[0], copy_ids=copies)
        yield from self.codec.stream_text((token for token, _ in tokens), sources.words[0])

    @torch.inference_mode()
    def perplexity(self, pairs: Pairs) -> float:
        """Return the perplexity per target token, including the end token; an ensemble's probabilities are averaged."""
        examples = encode_examples(pairs.sources, pairs.targets, self.source, self.target, self.copy)
        total, tokens = 0.0, 0
        for _, source, target, copies in padded_batches(examples, batch_tokens=8192, batch_size=256):
            source_ids, target_ids = (torch.as_tensor(ids, device=self.device) for ids in (source, target))
            copy_ids = None if copies is None else torch.as_tensor(copies, device=self.device)
            logs = [network.log_probabilities(source_ids, target_ids, copy_ids) for network in self.networks]
            mean = torch.logsumexp(torch.stack(logs), 0) - math.log(len(logs))
            total -= float(mean.sum())  # zero at padding in every network, and so in the mean
            tokens += int((target[:, 1:] != 0).sum())
        return math.exp(total / max(1, tokens))

    @torch.inference_mode()
    def alternatives(
        self, text: str, ids: Sequence[int], count: int, *, cancellation: CancellationToken | None = None
    ) -> list[list[Alternative]]:
        """Return what could have been generated at each position of an output, given the tokens before it.

        Args:
            text: the source.
            ids: token ids of the output, without the end token.
            count: number of alternatives per position, likeliest first.
            cancellation: ends the computation with ``Cancelled`` at its next step.

        Returns:
            one list per token, and a last one for the position of the end token.
        """
        stepper, sources = self._stepper(), self.codec.encode([text], DecodingConfig())
        source, copies = self._tensors(sources)
        state = stepper.start(source, 1, copies)
        alternatives: list[list[Alternative]] = []
        for last in (BOS, *ids):
            if cancellation is not None:
                cancellation.raise_if_cancelled()
            logs, _, state = stepper.step(torch.full((1, 1), last, device=self.device), state)
            best = logs[0, 0].float().topk(min(count, logs.shape[-1]))
            candidates = zip(to_list(best.indices), to_list(best.values), strict=True)
            alternatives.append(
                [
                    Alternative(token, self.codec.token(token, sources.words[0]), math.exp(log_probability))
                    for token, log_probability in candidates
                    if log_probability > -math.inf
                ]
            )
        return alternatives

    # One search ---------------------------------------------------------------------------------------------------

    def _search(
        self, sources: EncodedSources, config: DecodingConfig, cancellation: CancellationToken | None
    ) -> list[list[Hypothesis]]:
        texts, stepper = len(sources.texts), self._stepper(config.precision)
        source, copies = self._tensors(sources)

        def search(shared: CancellationToken, indices: slice) -> list[list[Hypothesis]]:
            return decode(
                stepper,
                source[indices],
                config,
                sources.rules,
                max_length=sources.limits[indices],
                copy_ids=None if copies is None else copies[indices],
                cancellation=shared,
            )

        parts = self._split_sources(texts, config)
        results = run_parallel(
            [partial(search, indices=indices) for indices in parts],
            cancellation,
            one_thread=self.device.type == "cpu" and (threads_spin() or self._step_size(texts, config) < LARGE_STEP),
        )
        hypotheses: list[list[Hypothesis]] = [[] for _ in range(texts)]
        for indices, part in zip(parts, results, strict=True):
            hypotheses[indices] = part
        return hypotheses

    def _split_sources(self, texts: int, config: DecodingConfig) -> list[slice]:
        """Split the sources into searches that run in parallel.

        On a CPU there is one search per core, if each has a full batch, or steps that are large enough without one.
        """
        cores = torch.get_num_threads() if self.device.type == "cpu" else 1
        large = min(texts, int(self._step_size(texts, config) // LARGE_STEP))
        count = max(1, min(cores, max(texts // config.batch_size, large)))
        return [slice(first, None, count) for first in range(count)]

    def _step_size(self, texts: int, config: DecodingConfig) -> float:
        """Return rows x hidden size squared of a search for ``texts`` sources."""
        rows = min(texts, config.batch_size) * config.beam
        return rows * (self.networks[0].config.hidden_size or 0) ** 2

    def _stepper(self, precision: str = "fp32") -> Stepper:
        """Return the network, or the ensemble of networks, in the number format ``precision``."""
        steppers = [self._network(number, precision) for number in range(len(self.networks))]
        return steppers[0] if len(steppers) == 1 else Ensemble(steppers)

    def _network(self, number: int, precision: str) -> Stepper:
        """Return a network in the number format ``DecodingConfig.precision``; it is quantized once.

        Raises:
            OptionError: for 8-bit integers on a GPU.
        """
        network = self.networks[number]
        if precision == "fp32" or (precision == "auto" and not int8_is_faster(network)):
            return network
        if self.device.type != "cpu":
            raise OptionError("--precision int8 works on a CPU only; use --precision auto.")
        if number not in self._quantized:
            self._quantized[number] = Int8Seq2Seq(network)
        return self._quantized[number]

    def _tensors(self, sources: EncodedSources) -> tuple[Tensor, Tensor | None]:
        """Return token ids and copy ids on the device of the networks."""
        copies = None if sources.copy_ids is None else torch.as_tensor(sources.copy_ids, device=self.device)
        return torch.as_tensor(sources.ids, device=self.device), copies
