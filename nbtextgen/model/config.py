"""Options of the network."""

from __future__ import annotations

from dataclasses import dataclass

from nbtextgen.core.options import option

CELLS = ("rnn", "gru", "lstm")
ATTENTIONS = ("none", "dot", "general", "additive", "multihead")
TYINGS = ("none", "target", "inputs", "all")


@dataclass(frozen=True)
class ModelConfig:
    """Shape of the encoder-decoder; ``None`` is chosen from the data by ``TextGenerator.fit``."""

    cell: str = option("lstm", "recurrent cell", choices=CELLS)
    attention: str = option("general", "attention score; 'none' is the Seq2Seq of a fixed vector", choices=ATTENTIONS)
    heads: int = option(4, "heads of multihead attention", minimum=1, maximum=64, usual=(1, 16))
    embedding_size: int | None = option(None, "width of the token embeddings", minimum=1, maximum=8192, usual=(16, 512))
    hidden_size: int | None = option(None, "width of the recurrent layers", minimum=1, maximum=8192, usual=(16, 1024))
    encoder_layers: int = option(
        1,
        "recurrent layers of the encoder; 0: the decoder reads the source itself, to continue a text",
        minimum=0,
        maximum=16,
        usual=(1, 4),
    )
    decoder_layers: int = option(1, "recurrent layers of the decoder", minimum=1, maximum=16, usual=(1, 4))
    bidirectional: bool = option(True, "read the source in both directions")
    input_feeding: bool = option(False, "feed the attention result of each step into the next step (slower to train)")
    tied_embeddings: str = option(
        "target",
        "share weights: target embedding with output layer, both embeddings (inputs), or all three",
        choices=TYINGS,
    )
    layer_norm: bool = option(False, "layer normalization after every recurrent layer")
    dropout: float | None = option(None, "dropout between layers, probability", minimum=0.0, below=1.0, usual=(0, 0.7))
    embedding_dropout: float | None = option(
        None, "dropout on embeddings; default: the value of --dropout", minimum=0.0, below=1.0, usual=(0, 0.7)
    )
    output_dropout: float | None = option(
        None, "dropout before the output layer; default: the value of --dropout", minimum=0.0, below=1.0, usual=(0, 0.7)
    )
    variational_dropout: bool = option(False, "one dropout mask per sequence instead of per step")
    copy: bool | None = option(
        None,
        "copy head: the output may copy words of the source (needs attention); default: on if targets repeat source words",
    )
    coverage: bool = option(False, "add past attention weights to the attention score (needs attention)")
    source_embeddings: str | None = option(None, "word2vec or GloVe text file for the source embeddings")
    target_embeddings: str | None = option(None, "word2vec or GloVe text file for the target embeddings")

    @property
    def untied_output(self) -> bool:
        """Whether the output layer has its own weights; then its width is the hidden size, not the embedding size."""
        return self.tied_embeddings in ("none", "inputs")

    @property
    def shared_embedding(self) -> bool:
        """Whether source and target share one embedding, and therefore one vocabulary."""
        return self.tied_embeddings in ("inputs", "all")
