"""The whole network: embeddings, encoder, decoder, output layer, and the copy head."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nbtextgen.core.errors import OptionError
from nbtextgen.model.attention import Memory
from nbtextgen.model.config import ModelConfig
from nbtextgen.model.copy_loss import copy_loss
from nbtextgen.model.decoder import Decoded, Decoder, DecoderState
from nbtextgen.model.encoder import Encoder
from nbtextgen.model.initialization import EMBEDDING_STD, OUTPUT_GAIN, fan_in_normal_
from nbtextgen.model.loss import fused_loss, position_blocks
from nbtextgen.model.recurrent import Dropout
from nbtextgen.tokenizers.base import BOS, MASK, PAD, UNK

EMBEDDING_SCALE = 16.0
"""Factor on embeddings in networks without an encoder (compare Vaswani et al. 2017, sec. 3.4)."""


ENCODED_ROWS = 64
"""Rows that are encoded together when decoding begins; 32 would waste less on padding, but their products are slower."""
MAX_GROUPED = 0.8
"""Largest share of a batch's positions, padding included, that its groups may have: otherwise they are not worth their calls."""


class ScaledEmbedding(nn.Embedding):
    """An embedding with small weights, as a tied output layer needs them, that scales its output up.

    A recurrent layer learns slowly from small inputs: after 150 updates on a text (hidden size 128, characters) the loss
    was 4.09 bits without the factor and 2.95 with it.
    """

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) * EMBEDDING_SCALE


@dataclass(frozen=True)
class DecodingState:
    """State between two decoding steps: the memory once per source, the rest once per hypothesis."""

    memory: Memory
    decoder: DecoderState
    width: int

    def hypotheses(self, rows: Tensor) -> Tensor:
        """Return the rows of the decoder's state that belong to ``rows (count,)`` of the batch."""
        return (rows[:, None] * self.width + torch.arange(self.width, device=rows.device)).flatten()


@dataclass(frozen=True)
class Loss:
    """The training loss of a batch.

    Attributes:
        total: the objective, summed over tokens, differentiable.
        nll: negative log-likelihood in nats, summed over tokens, without smoothing or coverage.
        tokens: number of target tokens, including the end token.
    """

    total: Tensor
    nll: Tensor
    tokens: int


@dataclass(frozen=True)
class TokenScores:
    """How well a network predicts the reference tokens of a batch.

    Attributes:
        nll: negative log-likelihood in nats, summed over tokens.
        correct: number of reference tokens with the highest probability.
        tokens: number of reference tokens, including the end token.
        whole: number of references of which all tokens have the highest probability and none is unknown: greedy search
            generates these.
    """

    nll: float
    correct: int
    tokens: int
    whole: int


def check_model(config: ModelConfig) -> None:
    """Check that the options fit together.

    Raises:
        OptionError: for a copy head or coverage without attention, or a hidden size that cannot be divided.
    """
    hidden = config.hidden_size or 0
    for option in ("copy", "coverage"):
        if getattr(config, option) and config.attention == "none":
            raise OptionError(f"--{option} needs attention: choose an --attention other than none.")
    if config.encoder_layers and config.bidirectional and hidden % 2:
        raise OptionError(f"--hidden-size must be even for a --bidirectional encoder (got {hidden}).")
    if config.attention == "multihead" and hidden % config.heads:
        raise OptionError(f"--hidden-size must be a multiple of --heads (got {hidden} and {config.heads}).")


class Seq2Seq(nn.Module):
    """An encoder-decoder over token ids: ``loss`` for training, ``start`` and ``step`` for decoding.

    State is passed in and returned, never stored on the module.
    """

    never_generated: Tensor

    def __init__(self, config: ModelConfig, source_size: int, target_size: int) -> None:
        """Build the network for vocabularies of the given sizes; ``config`` must have the sizes of the layers.

        Raises:
            OptionError: if the options contradict each other.
        """
        super().__init__()
        check_model(config)
        if config.shared_embedding and source_size != target_size:
            raise OptionError(
                f"--tied-embeddings={config.tied_embeddings} needs --shared-vocabulary: both sides share one embedding."
            )
        if config.embedding_size is None or config.hidden_size is None:
            raise OptionError("--embedding-size and --hidden-size must be given to build a network.")
        embedding, hidden = config.embedding_size, config.hidden_size
        dropout = config.dropout or 0.0
        self.config = config
        self.vocabulary_size = target_size
        embedding_class = nn.Embedding if config.encoder_layers else ScaledEmbedding
        self.source_embedding = embedding_class(source_size, embedding, padding_idx=PAD)
        self.target_embedding = (
            self.source_embedding
            if config.shared_embedding
            else embedding_class(target_size, embedding, padding_idx=PAD)
        )
        width = hidden if config.untied_output else embedding
        self.output_weight = nn.Parameter(torch.empty(target_size, width))
        self.output_bias = nn.Parameter(torch.zeros(target_size))
        self._initialize_tables()
        layer_dropout = Dropout(dropout, config.variational_dropout)
        self.encoder = Encoder(config, embedding, hidden, layer_dropout) if config.encoder_layers else None
        self.decoder = Decoder(config, embedding, hidden, layer_dropout)
        embedding_dropout = dropout if config.embedding_dropout is None else config.embedding_dropout
        output_dropout = dropout if config.output_dropout is None else config.output_dropout
        self.embedding_dropout = Dropout(embedding_dropout, config.variational_dropout)
        self.output_dropout = Dropout(output_dropout, config.variational_dropout)
        self.register_buffer("never_generated", torch.tensor([PAD, BOS, MASK]), persistent=False)

    def _initialize_tables(self) -> None:
        """Initialize the embeddings and the output layer, and tie the output layer to the target embedding."""
        std = EMBEDDING_STD if self.config.encoder_layers else 1 / EMBEDDING_SCALE
        for table in dict.fromkeys([self.source_embedding, self.target_embedding]):  # one table if they are shared
            nn.init.normal_(table.weight, std=std)
            table.weight.data[PAD].zero_()
        fan_in_normal_(self.output_weight, OUTPUT_GAIN)
        if not self.config.untied_output:
            self.output_weight = self.target_embedding.weight

    # Training and scoring -----------------------------------------------------------------------------------------

    def encode(self, source: Tensor, copy_ids: Tensor | None = None) -> tuple[Memory, Tensor]:
        """Encode ``source (batch, source_length)``; return the memory, and the summary that the decoder starts from.

        A masked token is copied as the unknown token. Its own copy id would leak what the mask hides, both in training,
        where the model would learn to point at masks, and in explanations and edited inputs.
        """
        mask = source != PAD
        mask[:, 0] = True  # an empty source still has one position to attend to
        embedded = self.embedding_dropout(self.source_embedding(source))
        encoded, summary = self.encode_embedded(embedded, mask)
        attention = self.decoder.attention
        keys, values = (encoded, encoded) if attention is None else attention.project(encoded)
        if copy_ids is not None:
            copy_ids = copy_ids.masked_fill(source == MASK, UNK) if self.config.copy else None
        return Memory(keys, values, mask, copy_ids), summary

    def encode_embedded(self, embedded: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Run the encoder, or the decoder if there is none, over ``embedded (batch, source_length, embedding_size)``.

        ``mask (batch, source_length)`` is true at tokens. Returns outputs and summary.
        """
        return self.decoder.encode(embedded, mask) if self.encoder is None else self.encoder(embedded, mask)

    def forward(self, source: Tensor, inputs: Tensor, copy_ids: Tensor | None = None) -> tuple[Decoded, Memory]:
        """Teacher-forced pass over all output positions at once.

        Args:
            source: ``(batch, source_length)``, padded with PAD; ``copy_ids``, for a copy head, has the same shape.
            inputs: previous token of every position, ``(batch, steps)``; the first is BOS.
        """
        memory, summary = self.encode(source, copy_ids)
        return self._decode(inputs, memory, summary), memory

    def _decode(self, inputs: Tensor, memory: Memory, summary: Tensor) -> Decoded:
        return self.decoder(self.embed(inputs), self.decoder.initial_state(summary, memory), memory)

    def embed(self, inputs: Tensor) -> Tensor:
        """Embed target tokens; a copied word outside the vocabulary has the embedding of the unknown token."""
        if self.config.copy:
            inputs = inputs.masked_fill(inputs >= self.vocabulary_size, UNK)
        return self.embedding_dropout(self.target_embedding(inputs))

    def loss(
        self,
        source: Tensor,
        target: Tensor,
        copy_ids: Tensor | None = None,
        *,
        smoothing: float = 0.0,
        teacher_forcing: float = 1.0,
        coverage_weight: float = 1.0,
    ) -> Loss:
        """Loss of a batch: ``source (batch, source_length)``, ``target (batch, steps + 1)`` from BOS to EOS.

        With ``teacher_forcing`` below one, that share of the inputs is the reference token, and the rest is the prediction
        of the model in a first pass (parallel scheduled sampling, Duckworth et al. 2019).
        """
        inputs, references = target[:, :-1], target[:, 1:]
        memory, summary = self.encode(source, copy_ids)
        if teacher_forcing < 1.0 and self.training:
            inputs = self._mixed_inputs(inputs, memory, summary, teacher_forcing)
        decoded = self._decode(inputs, memory, summary)
        real = references != PAD
        hidden, targets = self.output_dropout(decoded.hidden)[real], references[real]
        if decoded.gate is None:
            total, nll = fused_loss(hidden, self.output_weight, self.output_bias, targets, smoothing)
        else:
            total, nll = self._copy_loss(hidden, targets, decoded, memory, real, smoothing)
        if decoded.coverage_loss is not None:
            total = total + coverage_weight * decoded.coverage_loss[real].sum()
        return Loss(total, nll, int(targets.numel()))

    @torch.no_grad()
    def token_scores(self, source: Tensor, target: Tensor, copy_ids: Tensor | None = None) -> TokenScores:
        """Score every reference token of a batch given the ones before it; arguments as in ``loss``."""
        inputs, references = target[:, :-1], target[:, 1:]
        decoded, memory = self.forward(source, inputs, copy_ids)
        real = references != PAD
        targets, hidden = references[real], decoded.hidden[real]
        nll, right = 0.0, torch.ones_like(real)
        if decoded.gate is None:
            likeliest = torch.empty_like(targets)
            for block in position_blocks(len(targets), self.vocabulary_size):
                logits = nn.functional.linear(hidden[block], self.output_weight, self.output_bias).float()
                nll += float(nn.functional.cross_entropy(logits, targets[block], reduction="sum"))
                likeliest[block] = logits.argmax(-1)
        else:
            logs = self._log_probabilities(decoded, memory)[real]
            ids = targets.clamp(max=logs.shape[-1] - 1)
            nll = -float(logs.gather(-1, ids[:, None]).sum())
            likeliest = logs.argmax(-1)
        right[real] = likeliest == targets
        return TokenScores(
            nll, int((right & real).sum()), len(targets), int((right & (references != UNK)).all(1).sum())
        )

    def log_probabilities(self, source: Tensor, target: Tensor, copy_ids: Tensor | None = None) -> Tensor:
        """Return the log-probability of every target token, ``(batch, steps)``, zero at padding."""
        inputs, references = target[:, :-1], target[:, 1:]
        decoded, memory = self.forward(source, inputs, copy_ids)
        logs = self._log_probabilities(decoded, memory)
        target_logs = logs.gather(-1, references.clamp(max=logs.shape[-1] - 1).unsqueeze(-1)).squeeze(-1)
        return target_logs.masked_fill(references == PAD, 0.0)

    def _mixed_inputs(self, inputs: Tensor, memory: Memory, summary: Tensor, teacher_forcing: float) -> Tensor:
        """Replace a random share of ``inputs`` by the model's own predictions."""
        with torch.no_grad():
            predictions = self._log_probabilities(self._decode(inputs, memory, summary), memory).argmax(-1)
            replaced = torch.rand(inputs[:, 1:].shape, device=inputs.device) >= teacher_forcing
            replaced &= inputs[:, 1:] != PAD
            mixed = inputs.clone()
            mixed[:, 1:] = torch.where(replaced, predictions[:, :-1], inputs[:, 1:])
        return mixed

    def _copy_loss(
        self, hidden: Tensor, targets: Tensor, decoded: Decoded, memory: Memory, real: Tensor, smoothing: float
    ) -> tuple[Tensor, Tensor]:
        """Loss of the mixture of generating and copying (See et al. 2017, eq. 9)."""
        assert decoded.gate is not None and memory.copy_ids is not None
        gate = decoded.gate[real].clamp(1e-6, 1 - 1e-6)
        copy_ids = memory.copy_ids[real.nonzero()[:, 0]]
        matches = copy_ids == targets[:, None]
        uncopyable = (targets >= self.vocabulary_size) & ~matches.any(-1)
        if uncopyable.any():  # every source token equal to the target is masked: it counts as unknown
            targets = targets.masked_fill(uncopyable, UNK)
            matches = copy_ids == targets[:, None]
        pointed = (decoded.weights[real] * matches).sum(-1)
        return copy_loss(hidden, self.output_weight, self.output_bias, targets, gate, pointed, smoothing)

    def _log_probabilities(self, decoded: Decoded, memory: Memory) -> Tensor:
        """Log-probabilities ``(batch, steps, vocabulary)``; with a copy head also of source words outside the vocabulary."""
        return self._mix_in_copies(self._output_log_probabilities(decoded), decoded, memory)

    def _output_log_probabilities(self, decoded: Decoded) -> Tensor:
        """Log-probabilities of the output layer alone, ``(batch, steps, vocabulary)``."""
        outputs = nn.functional.linear(decoded.hidden, self.output_weight, self.output_bias).float()
        if torch.is_inference_mode_enabled():
            return torch.log_softmax(outputs, -1, out=outputs)
        return outputs.log_softmax(-1)

    def _mix_in_copies(self, logs: Tensor, decoded: Decoded, memory: Memory) -> Tensor:
        """Mix the copy distribution into the log-probabilities of the output layer (See et al. 2017, eq. 9)."""
        if decoded.gate is None or memory.copy_ids is None:
            return logs
        batch, steps, size = logs.shape
        extra = max(0, int(memory.copy_ids.max()) + 1 - size)
        gate = decoded.gate.float().clamp(1e-6, 1 - 1e-6).unsqueeze(-1)  # under autocast, gate and weights are bf16
        mixture = nn.functional.pad(gate * logs.exp(), (0, extra))
        ids = memory.copy_ids[:, None].expand(batch, steps, -1)
        mixture = mixture.scatter_add(-1, ids, (1 - gate) * decoded.weights.float())
        return mixture.clamp_min(1e-12).log()

    # Decoding -----------------------------------------------------------------------------------------------------

    def start(self, source: Tensor, width: int, copy_ids: Tensor | None = None) -> DecodingState:
        """Encode ``source (batch, source_length)`` once, for ``width`` hypotheses per source."""
        memory, summary = self._encode_by_length(source, copy_ids)
        state = self.decoder.initial_state(summary, memory)
        rows = torch.arange(source.shape[0], device=source.device).repeat_interleave(width)
        return DecodingState(memory, state.select(rows) if width > 1 else state, width)

    def _encode_by_length(self, source: Tensor, copy_ids: Tensor | None) -> tuple[Memory, Tensor]:
        """Like ``encode``, in groups of rows: padding costs as much as tokens, and a group has less of it than the batch.

        Rows that are sorted by length give the least padding.
        """
        if source.device.type != "cpu" or len(source) <= ENCODED_ROWS:
            return self.encode(source, copy_ids)
        groups = torch.split((source != PAD).sum(1).clamp_min(1), ENCODED_ROWS)
        longest_of = [int(lengths.max()) for lengths in groups]
        positions = sum(len(group) * longest for group, longest in zip(groups, longest_of, strict=True))
        if positions > MAX_GROUPED * source.numel():
            return self.encode(source, copy_ids)
        memories, summaries = list[Memory](), list[Tensor]()
        for rows, longest in zip(torch.split(torch.arange(len(source)), ENCODED_ROWS), longest_of, strict=True):
            memory, summary = self.encode(
                source[rows, :longest], None if copy_ids is None else copy_ids[rows, :longest]
            )
            memories.append(memory)
            summaries.append(summary)
        return Memory.joined(memories, source.shape[1]), torch.cat(summaries)

    def step(self, tokens: Tensor, state: DecodingState) -> tuple[Tensor, Tensor, DecodingState]:
        """Advance every hypothesis by one token; ``tokens (batch, width)`` are the last tokens.

        Returns:
            log-probabilities ``(batch, width, vocabulary)``, attention ``(batch, width, source_length)``, next state.
        """
        decoded, after = self.decoder.step(self.embed(tokens), state.decoder, state.memory)
        logs = self.decoding_log_probabilities(self._output_log_probabilities(decoded), decoded, state.memory)
        return logs, decoded.weights, DecodingState(state.memory, after, state.width)

    def decoding_log_probabilities(self, logs: Tensor, decoded: Decoded, memory: Memory) -> Tensor:
        """Mix copies into the output layer's log-probabilities, and rule out tokens that are never generated."""
        logs = self._mix_in_copies(logs, decoded, memory)
        return logs.index_fill_(-1, self.never_generated, float("-inf"))

    def reorder(self, state: DecodingState, parents: Tensor) -> DecodingState:
        """Continue from the hypotheses ``parents (batch, new_width)`` of each source."""
        offsets = torch.arange(parents.shape[0], device=parents.device)[:, None] * state.width
        return DecodingState(state.memory, state.decoder.select((offsets + parents).flatten()), parents.shape[1])

    def keep(self, state: DecodingState, rows: Tensor) -> DecodingState:
        """Continue with the batch ``rows (kept,)`` only."""
        return DecodingState(state.memory.keep(rows), state.decoder.select(state.hypotheses(rows)), state.width)

    def replace(self, state: DecodingState, rows: Tensor, other: DecodingState, other_rows: Tensor) -> DecodingState:
        """Overwrite ``rows (count,)`` of the batch with ``other_rows (count,)`` of a state that has just started.

        Both have the same number of hypotheses per source. The storage of ``state`` is reused.
        """
        memory = state.memory.replace(rows, other.memory, other_rows)
        mine, new = state.hypotheses(rows), state.hypotheses(other_rows)
        return DecodingState(memory, state.decoder.replace(mine, other.decoder, new, memory.mask.shape[1]), state.width)
