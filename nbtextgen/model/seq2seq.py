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
from nbtextgen.model.loss import blocks, fused_loss
from nbtextgen.model.recurrent import Dropout
from nbtextgen.tokenizers.base import BOS, MASK, PAD, UNK

EMBEDDING_SCALE = 16.0
"""What a decoder that reads for itself multiplies embeddings by (compare Vaswani et al. 2017, sec. 3.4)."""


class ScaledEmbedding(nn.Embedding):
    """An embedding whose vectors are small, as an output layer needs them that shares its weights, but are read louder.

    From small vectors a recurrent layer takes long to hear anything: after 150 updates on a text (hidden size 128,
    characters) the loss was 4.09 bits with the vectors as they are and 2.95 with this.
    """

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) * EMBEDDING_SCALE


@dataclass(frozen=True)
class DecodingState:
    """What decoding carries from step to step: the memory once per source, the rest once per hypothesis."""

    memory: Memory
    decoder: DecoderState
    width: int


@dataclass(frozen=True)
class Loss:
    """The training loss of a batch.

    Attributes:
        total: what is minimised, summed over tokens, differentiable.
        nll: negative log-likelihood in nats, summed over tokens, without smoothing or coverage.
        tokens: target tokens counted, the end mark included.
    """

    total: Tensor
    nll: Tensor
    tokens: int


@dataclass(frozen=True)
class TokenScores:
    """How a network predicts the reference tokens of a batch.

    Attributes:
        nll: negative log-likelihood in nats, summed over tokens.
        correct: tokens that have the highest probability.
        tokens: tokens scored, the end mark included.
    """

    nll: float
    correct: int
    tokens: int


def check_model(config: ModelConfig) -> None:
    """Refuse combinations that have no meaning.

    Raises:
        OptionError: for a copy head or coverage without attention, or sizes that do not divide.
    """
    hidden = config.hidden_size or 0
    if config.copy and config.attention == "none":
        raise OptionError("--copy points at source tokens through attention: choose an --attention other than none.")
    if config.coverage and config.attention == "none":
        raise OptionError("--coverage adds up attention: choose an --attention other than none.")
    if config.encoder_layers and config.bidirectional and hidden % 2:
        raise OptionError(f"--hidden-size must be even for a --bidirectional encoder (got {hidden}).")
    if config.attention == "multihead" and hidden % config.heads:
        raise OptionError(f"--hidden-size must be a multiple of --heads (got {hidden} and {config.heads}).")


class Seq2Seq(nn.Module):
    """An encoder-decoder over token ids; ``forward`` for training, ``start`` and ``step`` for decoding.

    State is passed in and returned, never kept on the module.
    """

    never_written: Tensor

    def __init__(self, config: ModelConfig, source_size: int, target_size: int) -> None:
        """Build the network.

        Args:
            config: with ``embedding_size`` and ``hidden_size`` given.
            source_size: types in the source vocabulary.
            target_size: types in the target vocabulary.

        Raises:
            OptionError: when the options contradict one another.
        """
        super().__init__()
        check_model(config)
        if config.one_embedding and source_size != target_size:
            raise OptionError(
                f"--tied-embeddings {config.tied_embeddings} needs --shared-vocabulary: both sides share one embedding."
            )
        if config.embedding_size is None or config.hidden_size is None:
            raise OptionError("--embedding-size and --hidden-size must be given to build a network.")
        embedding, hidden = config.embedding_size, config.hidden_size
        dropout = config.dropout or 0.0
        self.config = config
        self.vocabulary_size = target_size
        kind = nn.Embedding if config.encoder_layers else ScaledEmbedding
        self.source_embedding = kind(source_size, embedding, padding_idx=PAD)
        self.target_embedding = (
            self.source_embedding if config.one_embedding else kind(target_size, embedding, padding_idx=PAD)
        )
        width = hidden if config.own_output else embedding
        self.output_weight = nn.Parameter(torch.empty(target_size, width))
        self.output_bias = nn.Parameter(torch.zeros(target_size))
        for table in dict.fromkeys([self.source_embedding, self.target_embedding]):  # one, if they are the same
            nn.init.normal_(table.weight, std=EMBEDDING_STD if config.encoder_layers else 1 / EMBEDDING_SCALE)
            table.weight.data[PAD].zero_()
        fan_in_normal_(self.output_weight, OUTPUT_GAIN)
        if not config.own_output:
            self.output_weight = self.target_embedding.weight
        between = Dropout(dropout, config.variational_dropout)
        self.encoder = None
        if config.encoder_layers:
            self.encoder = Encoder(
                config.cell, embedding, hidden, config.encoder_layers, config.bidirectional, config.layer_norm, between
            )
        self.decoder = Decoder(config, embedding, hidden, between)
        first = dropout if config.embedding_dropout is None else config.embedding_dropout
        last = dropout if config.output_dropout is None else config.output_dropout
        self.embedding_dropout = Dropout(first, config.variational_dropout)
        self.output_dropout = Dropout(last, config.variational_dropout)
        self.register_buffer("never_written", torch.tensor([PAD, BOS, MASK]), persistent=False)

    # Training and scoring -----------------------------------------------------------------------------------------

    def encode(self, source: Tensor, copy_ids: Tensor | None = None) -> tuple[Memory, Tensor]:
        """Read ``source (batch, source_length)``; gives the memory and the summary that the decoder begins from.

        A masked token can only be copied as the unknown one: its copy id would give away what the mask hides, in training
        (the model would learn to point at masks) as in explanations and changed inputs.
        """
        mask = source != PAD
        mask[:, 0] = True  # an empty source still has one position to attend to
        embedded = self.embedding_dropout(self.source_embedding(source))
        encoded, summary = self.read(embedded, mask)
        attention = self.decoder.attention
        keys, values = (encoded, encoded) if attention is None else attention.project(encoded)
        if copy_ids is not None:
            copy_ids = copy_ids.masked_fill(source == MASK, UNK) if self.config.copy else None
        return Memory(keys, values, mask, copy_ids), summary

    def read(self, embedded: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Run the encoder, or in its absence the decoder, over an embedded source; gives outputs and summary."""
        return self.decoder.read(embedded, mask) if self.encoder is None else self.encoder(embedded, mask)

    def forward(self, source: Tensor, inputs: Tensor, copy_ids: Tensor | None = None) -> tuple[Decoded, Memory]:
        """Teacher-forced pass over all output positions at once.

        Args:
            source: ``(batch, source_length)``, padded with PAD.
            inputs: previous token of every position, ``(batch, steps)``, beginning with BOS.
            copy_ids: for the copy head, the target-side id of every source token ``(batch, source_length)``.
        """
        memory, summary = self.encode(source, copy_ids)
        return self._decode(inputs, memory, summary), memory

    def _decode(self, inputs: Tensor, memory: Memory, summary: Tensor) -> Decoded:
        return self.decoder(self.embed(inputs), self.decoder.initial(summary, memory), memory)

    def embed(self, inputs: Tensor) -> Tensor:
        """Target embeddings of ``inputs``; a copied word, which has none, reads as unknown."""
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

        With ``teacher_forcing`` below one, that share of the inputs is the right token and the rest is what the
        model itself would have written there, found in a first pass (parallel scheduled sampling, Duckworth et al. 2019).
        """
        inputs, wanted = target[:, :-1], target[:, 1:]
        memory, summary = self.encode(source, copy_ids)
        if teacher_forcing < 1.0 and self.training:
            inputs = self._mixed_inputs(inputs, memory, summary, teacher_forcing)
        decoded = self._decode(inputs, memory, summary)
        real = wanted != PAD
        hidden, right = self.output_dropout(decoded.hidden)[real], wanted[real]
        if decoded.gate is None:
            total, nll = fused_loss(hidden, self.output_weight, self.output_bias, right, smoothing)
        else:
            total, nll = self._copy_loss(hidden, right, decoded, memory, real, smoothing)
        if decoded.repeated is not None:
            total = total + coverage_weight * decoded.repeated[real].sum()
        return Loss(total, nll, int(right.numel()))

    @torch.no_grad()
    def token_scores(self, source: Tensor, target: Tensor, copy_ids: Tensor | None = None) -> TokenScores:
        """Score the reference tokens of a batch, each given the ones before it; arguments as ``loss``."""
        inputs, references = target[:, :-1], target[:, 1:]
        decoded, memory = self.forward(source, inputs, copy_ids)
        real = references != PAD
        right, hidden = references[real], decoded.hidden[real]
        nll, correct = 0.0, 0
        if decoded.gate is None:
            for block in blocks(len(right), self.vocabulary_size):
                logits = nn.functional.linear(hidden[block], self.output_weight, self.output_bias).float()
                nll += float(nn.functional.cross_entropy(logits, right[block], reduction="sum"))
                correct += int((logits.argmax(-1) == right[block]).sum())
        else:
            logs = self._distribution(decoded, memory)[real]
            known = right.clamp(max=logs.shape[-1] - 1)
            nll = -float(logs.gather(-1, known[:, None]).sum())
            correct = int((logs.argmax(-1) == right).sum())
        return TokenScores(nll, correct, len(right))

    def log_probabilities(self, source: Tensor, target: Tensor, copy_ids: Tensor | None = None) -> Tensor:
        """Log-probability of every given target token, ``(batch, steps)``, zero at padding."""
        inputs, wanted = target[:, :-1], target[:, 1:]
        decoded, memory = self.forward(source, inputs, copy_ids)
        logs = self._distribution(decoded, memory)
        picked = logs.gather(-1, wanted.clamp(max=logs.shape[-1] - 1).unsqueeze(-1)).squeeze(-1)
        return picked.masked_fill(wanted == PAD, 0.0)

    def _mixed_inputs(self, inputs: Tensor, memory: Memory, summary: Tensor, teacher_forcing: float) -> Tensor:
        with torch.no_grad():
            guessed = self._distribution(self._decode(inputs, memory, summary), memory).argmax(-1)
            own = torch.rand(inputs[:, 1:].shape, device=inputs.device) >= teacher_forcing
            own &= inputs[:, 1:] != PAD
            mixed = inputs.clone()
            mixed[:, 1:] = torch.where(own, guessed[:, :-1], inputs[:, 1:])
        return mixed

    def _copy_loss(
        self, hidden: Tensor, right: Tensor, decoded: Decoded, memory: Memory, real: Tensor, smoothing: float
    ) -> tuple[Tensor, Tensor]:
        """Loss of the mixture of writing and pointing (See et al. 2017, eq. 9)."""
        assert decoded.gate is not None and memory.copy_ids is not None
        gate = decoded.gate[real].clamp(1e-6, 1 - 1e-6)
        copy_ids = memory.copy_ids[real.nonzero()[:, 0]]
        points_at = copy_ids == right[:, None]
        lost = (right >= self.vocabulary_size) & ~points_at.any(-1)
        if lost.any():  # the only places to copy the word from are masked: it is unknown, as if the source lacked it
            right = right.masked_fill(lost, UNK)
            points_at = copy_ids == right[:, None]
        pointed = (decoded.weights[real] * points_at).sum(-1)
        return copy_loss(hidden, self.output_weight, self.output_bias, right, gate, pointed, smoothing)

    def _distribution(self, decoded: Decoded, memory: Memory) -> Tensor:
        """Log-probabilities over the vocabulary, ``(batch, steps, vocabulary)``; wider with a copy head."""
        return self._mixture(self._written(decoded), decoded, memory)

    def _written(self, decoded: Decoded) -> Tensor:
        """Log-probabilities of the output layer alone."""
        outputs = nn.functional.linear(decoded.hidden, self.output_weight, self.output_bias).float()
        if torch.is_inference_mode_enabled():
            return torch.log_softmax(outputs, -1, out=outputs)
        return outputs.log_softmax(-1)

    def _mixture(self, logs: Tensor, decoded: Decoded, memory: Memory) -> Tensor:
        """Log-probabilities with the copy head's share mixed in, from those of the output layer."""
        if decoded.gate is None or memory.copy_ids is None:
            return logs
        batch, steps, size = logs.shape
        extra = max(0, int(memory.copy_ids.max()) + 1 - size)
        gate = decoded.gate.clamp(1e-6, 1 - 1e-6).unsqueeze(-1)
        mixed = nn.functional.pad(gate * logs.exp(), (0, extra))
        ids = memory.copy_ids[:, None].expand(batch, steps, -1)
        mixed = mixed.scatter_add(-1, ids, (1 - gate) * decoded.weights)
        return mixed.clamp_min(1e-12).log()

    # Decoding -----------------------------------------------------------------------------------------------------

    def start(self, source: Tensor, width: int, copy_ids: Tensor | None = None) -> DecodingState:
        """Encode ``source (batch, source_length)`` once, for ``width`` hypotheses a row."""
        memory, summary = self.encode(source, copy_ids)
        state = self.decoder.initial(summary, memory)
        rows = torch.arange(source.shape[0], device=source.device).repeat_interleave(width)
        return DecodingState(memory, state.select(rows) if width > 1 else state, width)

    def step(self, tokens: Tensor, state: DecodingState) -> tuple[Tensor, Tensor, DecodingState]:
        """Advance every hypothesis by one token.

        Args:
            tokens: the last token of each, ``(batch, width)``.
            state: as ``start`` or the last ``step`` gave it.

        Returns:
            log-probabilities ``(batch, width, vocabulary)``, attention ``(batch, width, source_length)``, next state.
        """
        decoded, after = self.decoder.step(self.embed(tokens), state.decoder, state.memory)
        logs = self.writable(self._written(decoded), decoded, state.memory)
        return logs, decoded.weights, DecodingState(state.memory, after, state.width)

    def writable(self, logs: Tensor, decoded: Decoded, memory: Memory) -> Tensor:
        """Log-probabilities for decoding, from the output layer's: tokens that are never written are impossible."""
        logs = self._mixture(logs, decoded, memory)
        return logs.index_fill_(-1, self.never_written, float("-inf"))

    def reorder(self, state: DecodingState, parents: Tensor) -> DecodingState:
        """Continue from the hypotheses ``parents (batch, new_width)`` of each row."""
        offsets = torch.arange(parents.shape[0], device=parents.device)[:, None] * state.width
        return DecodingState(state.memory, state.decoder.select((offsets + parents).flatten()), parents.shape[1])

    def keep(self, state: DecodingState, rows: Tensor) -> DecodingState:
        """Continue with some rows of the batch only: ``rows (kept,)``."""
        inside = torch.arange(state.width, device=rows.device)
        kept = (rows[:, None] * state.width + inside).flatten()
        return DecodingState(state.memory.keep(rows), state.decoder.select(kept), state.width)

    def replace(self, state: DecodingState, places: Tensor, other: DecodingState, rows: Tensor) -> DecodingState:
        """Continue with ``rows (count,)`` of a state that has just started in ``places (count,)`` of this batch.

        Both have as many hypotheses a row. The storage of ``state`` is reused.
        """
        inside = torch.arange(state.width, device=rows.device)
        flat = [(each[:, None] * state.width + inside).flatten() for each in (places, rows)]
        memory = state.memory.replace(places, other.memory, rows)
        decoder = state.decoder.replace(flat[0], other.decoder, flat[1], memory.mask.shape[1])
        return DecodingState(memory, decoder, state.width)
