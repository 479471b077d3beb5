"""``Predictor``: trained networks and their tokenizers, from texts to generations."""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nbtextgen.confidence.confidence import Confidence
from nbtextgen.confidence.features import Observation
from nbtextgen.core.cancellation import CancellationToken, current_token
from nbtextgen.core.errors import MemoryShortError, ModelFileError, OptionError
from nbtextgen.data.batching import CopyMap, Examples, Ids, encode_examples, padded_batches
from nbtextgen.data.pairs import Pairs
from nbtextgen.decoding.batch import to_list
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.decoding.hypothesis import Hypothesis
from nbtextgen.decoding.parallel import run_parallel
from nbtextgen.decoding.search import decode
from nbtextgen.decoding.stepper import Ensemble, Stepper
from nbtextgen.decoding.streaming import stream
from nbtextgen.inference.generation import Generation, Generations
from nbtextgen.inference.sources import EncodedSources
from nbtextgen.inference.text_codec import MAX_SOURCE_TOKENS, OutputLength, TextCodec
from nbtextgen.model.int8 import Int8Seq2Seq, int8_is_faster
from nbtextgen.model.isolation import isolated_methods
from nbtextgen.model.memory import in_fitting_parts, is_out_of_memory, make_room, memory_errors
from nbtextgen.model.seq2seq import Seq2Seq
from nbtextgen.tokenizers.base import BOS, EOS, PAD, Tokenizer

FINGERPRINT_SAMPLE = 256
"""Weights of each tensor that a model's fingerprint depends on: training changes them all."""

MAX_SCORED_LOGITS = 1 << 26
"""Log-probabilities that are computed together to score given targets: 256 MB."""

MAX_SEARCH_SOURCES = 4096
"""Sources per search. The search holds the tokens of all of them, and decodes a batch at a time."""

LARGE_STEP = 48 * 512**2
"""Rows x hidden size squared that each of several searches must have: smaller steps wait for Python more than they calculate.

Two searches instead of one, on two quiet cores and beside a busy process: 0.8 to 1.05 and 0.6 to 0.75 times as fast
with half of this size for each, 1.2 to 1.4 and 0.84 to 0.97 times with more than this size. One search with two threads is 1.2 times as
fast with half of this size on quiet cores, and 0.7 times beside a busy process."""


@dataclass(frozen=True)
class Alternative:
    """A token that could have been generated: its id (``EOS`` for the end), its text and its probability."""

    id: int
    text: str
    probability: float


@isolated_methods
@dataclass
class Predictor:
    """Trained networks with everything that generation needs.

    Attributes:
        source, target: tokenizers of both sides.
        networks: one, or several used as an ensemble.
        output_length: longest output for a source length, and the length penalty.
        copy: maps source tokens to target-side ids; only with a copy head.
        max_source: source tokens that are read.
        second: another network, which scores outputs for their confidence; or ``None``.
        confidence: calibrations of the confidence of outputs, or ``None``.
    """

    source: Tokenizer
    target: Tokenizer
    networks: list[Seq2Seq]
    output_length: OutputLength
    copy: CopyMap | None = field(default=None)
    max_source: int = MAX_SOURCE_TOKENS
    second: Seq2Seq | None = field(default=None, repr=False)
    confidence: Confidence | None = field(default=None, repr=False)
    _quantized: dict[int, Int8Seq2Seq] = field(default_factory=dict[int, Int8Seq2Seq], repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.networks[0].config.copy and self.copy is None:
            self.copy = CopyMap(self.source, self.target)
        for network in self._all_networks:
            network.eval()

    def __getstate__(self) -> dict[str, object]:
        """For pickle and copies: the 8-bit networks are left out, and made again when they are needed."""
        return {**vars(self), "_quantized": {}}

    @property
    def _all_networks(self) -> list[Seq2Seq]:
        return self.networks if self.second is None else [*self.networks, self.second]

    @property
    def codec(self) -> TextCodec:
        """The tokenizers and the copy map."""
        has_attention = self.networks[0].config.attention != "none"
        return TextCodec(
            self.source,
            self.target,
            self.output_length,
            has_attention,
            self.copy,
            self.fingerprint,
            self.max_source,
            self.confidence,
            None if self.second is None else self._second_scores,
        )

    @cached_property
    def fingerprint(self) -> str:
        """A short text that two models share only if their weights are the same, also after saving and loading."""
        digest = hashlib.sha256()
        for network in self.networks:
            for name, parameter in network.named_parameters():
                values = parameter.detach().flatten()
                sample = values[:: max(1, len(values) // FINGERPRINT_SAMPLE)].float()
                digest.update(f"{name} {tuple(parameter.shape)}".encode() + sample.numpy(force=True).tobytes())
        return digest.hexdigest()[:16]

    @property
    def device(self) -> torch.device:
        """The device of the networks."""
        return self.networks[0].output_bias.device

    def to(self, device: torch.device) -> Predictor:
        """Move the networks to a device; return the predictor."""
        for network in self._all_networks:
            network.to(device)
        return self

    def check_finite(self) -> None:
        """Raise ``ModelFileError`` if a weight is NaN or infinite, so that it is not written to a file."""
        for network in self._all_networks:
            for name, parameter in network.named_parameters():
                if not parameter.isfinite().all():
                    raise ModelFileError(
                        f"Weight {name!r} holds NaN or infinity, so the model cannot be saved; train it again."
                    )

    def predict(
        self,
        texts: Sequence[str],
        config: DecodingConfig,
        prefix_ids: Sequence[int] = (),
        *,
        cancellation: CancellationToken | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Generations:
        """Generate for every source.

        Args:
            texts: the sources.
            config: beam, sampling, penalties and limits.
            prefix_ids: token ids that every output begins with, instead of ``config.prefix``.
            cancellation: ends the search with ``Cancelled`` at its next step; by default the token of the job that this runs in.
            on_progress: called at every step with (sources done, sources in all), by one thread at a time; what it raises ends
                the search.
        """
        searched, lock = [0], threading.Lock()
        cancellation = current_token() if cancellation is None else cancellation

        def search(sources: EncodedSources, hypotheses: list[list[Hypothesis]]) -> None:
            def count() -> None:
                if on_progress is not None:
                    with lock:
                        on_progress(searched[0] + sum(map(bool, hypotheses)), len(texts))

            self._search(sources, hypotheses, config, CancellationToken(cancellation, count))
            searched[0] += len(hypotheses)

        return self.codec.generate(texts, config, max(MAX_SEARCH_SOURCES, config.batch_size), search, prefix_ids)

    def predict_ids(
        self,
        text: str,
        ids: Sequence[int],
        config: DecodingConfig,
        *,
        prefix_ids: Sequence[int] = (),
        cancellation: CancellationToken | None = None,
    ) -> Generation:
        """Generate for one source whose token ids were changed, for instance masked; ``text`` has as many tokens.

        The output begins with ``prefix_ids``, if there are any.
        """
        sources, hypotheses = self.codec.encode([text], config, [list(ids)], prefix_ids), [list[Hypothesis]()]
        self._search(sources, hypotheses, config, cancellation)
        return self.codec.generation(text, hypotheses[0], sources.words[0], config)

    def stream(self, text: str, config: DecodingConfig) -> Iterator[str]:
        """Yield the output in pieces as it is generated; raises ``OptionError`` for beam search."""
        config.check_streamable()
        sources = self.codec.encode([text], config)
        source, copies = self._tensors(sources)
        tokens = stream(self._stepper(), source, config, sources.rules, max_length=sources.limits[0], copy_ids=copies)
        with memory_errors(_memory_message(sources.ids[0], config)):
            yield from self.codec.stream_text((token for token, _ in tokens), sources.words[0])

    @memory_errors("There is not enough memory to score a target of this length; score shorter texts.")
    @torch.inference_mode()
    def target_scores(self, pairs: Pairs) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the log-probability of every target given its source, and its number of tokens, ``(pairs,)`` each.

        Both include the end token. An ensemble's probabilities are averaged. As in a search, the rest of a source of more than
        ``max_source`` tokens is not read.
        """
        return self._scores(
            self.networks, encode_examples(pairs.sources, pairs.targets, self.source, self.target, self.copy)
        )

    @torch.inference_mode()
    def _second_scores(self, texts: Sequence[str], observations: Sequence[Observation]) -> NDArray[np.float64]:
        """Return the log-probability of outputs by the second network, ``(outputs,)``; ``texts`` are their sources."""
        assert self.second is not None
        sources = [np.array(each.source_ids, np.int64) for each in observations]
        targets = [np.array([BOS, *each.target_ids, EOS], np.int64) for each in observations]
        copies = None if self.copy is None else [self.copy.ids(text)[0] for text in texts]
        return self._scores([self.second], Examples(sources, targets, copies))[0]

    def _scores(self, networks: Sequence[Seq2Seq], examples: Examples) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the log-probability of every target by some networks, and its number of tokens, ``(pairs,)`` each."""
        copied = examples.copies
        examples = Examples(
            [ids[: self.max_source] for ids in examples.sources],
            examples.targets,
            None if copied is None else [ids[: self.max_source] for ids in copied],
        )
        totals, tokens = np.zeros(len(examples)), np.zeros(len(examples), np.int64)
        batch_tokens = max(256, min(8192, MAX_SCORED_LOGITS // self.target.size))
        for rows, source, target, copies in padded_batches(examples, batch_tokens=batch_tokens, batch_size=256):
            parts = in_fitting_parts(
                lambda part, batch=(source, target, copies): self._target_scores(networks, *batch, part),
                np.arange(len(rows)),
            )
            for part, scores in parts:
                totals[rows[part]] = scores
            tokens[rows] = (target[:, 1:] != PAD).sum(1)
        return totals, tokens

    def _target_scores(
        self, networks: Sequence[Seq2Seq], source: Ids, target: Ids, copies: Ids | None, rows: NDArray[np.intp]
    ) -> Tensor:
        source_ids, target_ids = (torch.as_tensor(ids[rows], device=self.device) for ids in (source, target))
        copy_ids = None if copies is None else torch.as_tensor(copies[rows], device=self.device)
        logs = [network.log_probabilities(source_ids, target_ids, copy_ids) for network in networks]
        mean = torch.logsumexp(torch.stack(logs), 0) - math.log(len(logs))
        return mean.double().sum(1).cpu()  # zero at padding in every network, and so in the mean

    def perplexity(self, pairs: Pairs) -> float:
        """Return the perplexity per target token, including the end token."""
        totals, tokens = self.target_scores(pairs)
        return math.exp(-totals.sum() / max(1, tokens.sum()))

    @memory_errors("There is not enough memory to list alternatives for a source of this length; use a shorter source.")
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
        self,
        sources: EncodedSources,
        hypotheses: list[list[Hypothesis]],
        config: DecodingConfig,
        cancellation: CancellationToken | None,
    ) -> None:
        """Add the hypotheses of every source to its list in ``hypotheses``, in parallel searches."""
        texts, stepper = len(sources.texts), self._stepper(config.precision)
        source, copies = self._tensors(sources)
        config = config.with_penalties(self.output_length.penalty, self.output_length.coverage)

        def search(rows: list[int], shared: CancellationToken) -> None:
            decode(
                stepper,
                source[rows],
                config,
                sources.rules,
                max_length=[sources.limits[row] for row in rows],
                copy_ids=None if copies is None else copies[rows],
                terms=[sources.required[row].terms for row in rows],
                borders=sources.borders,
                hypotheses=[hypotheses[row] for row in rows],
                cancellation=shared,
            )

        def search_within_memory(shared: CancellationToken, rows: list[int]) -> None:
            """Search for all rows at once, or for as many at a time as fit into the memory."""
            size = len(rows)
            while rows:
                try:
                    search(rows[:size], shared)
                    rows = rows[size:]
                    continue
                except (MemoryError, RuntimeError) as error:
                    if not is_out_of_memory(error):
                        raise
                    if size == 1:
                        raise MemoryShortError(_memory_message(sources.ids[rows[0]], config)) from error
                for row in rows[:size]:
                    hypotheses[row].clear()
                make_room()
                size = max(1, min(size, config.batch_size) // 2)

        run_parallel(
            [partial(search_within_memory, rows=rows) for rows in self._split_sources(texts, config)],
            cancellation,
        )

    def _split_sources(self, texts: int, config: DecodingConfig) -> list[list[int]]:
        """Split the sources into searches that run in parallel.

        On a CPU there is one search per core, if each has a full batch, or steps that are large enough without one.
        """
        cores = torch.get_num_threads() if self.device.type == "cpu" else 1
        large = min(texts, int(self._step_size(texts, config) // LARGE_STEP))
        count = max(1, min(cores, max(texts // config.batch_size, large)))
        return [list(range(first, texts, count)) for first in range(count)]

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
            raise OptionError("--precision=int8 works on a CPU only; use --precision=auto.")
        if number not in self._quantized:
            self._quantized[number] = Int8Seq2Seq(network)
        return self._quantized[number]

    def _tensors(self, sources: EncodedSources) -> tuple[Tensor, Tensor | None]:
        """Return token ids and copy ids on the device of the networks."""
        copies = None if sources.copy_ids is None else torch.as_tensor(sources.copy_ids, device=self.device)
        return torch.as_tensor(sources.ids, device=self.device), copies


def _memory_message(ids: NDArray[np.int64], config: DecodingConfig) -> str:
    tokens = int((ids != PAD).sum())
    smaller = "a smaller --beam or --max-length" if max(config.beam, config.n_best) > 1 else "a smaller --max-length"
    return (
        f"There is not enough memory to generate for a source of {tokens:,} tokens; use {smaller}, or a shorter source."
    )
