"""Settings of the network."""

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
    attention: str = option(
        "general", "score between decoder and source; 'none' is the fixed-vector Seq2Seq", choices=ATTENTIONS
    )
    heads: int = option(4, "heads of multihead attention", minimum=1, maximum=64, usual=(1, 16))
    embedding_size: int | None = option(None, "width of the token embeddings", minimum=1, maximum=8192, usual=(16, 512))
    hidden_size: int | None = option(None, "width of the recurrent layers", minimum=1, maximum=8192, usual=(16, 1024))
    encoder_layers: int = option(
        1,
        "recurrent layers that read the source; 0: the decoder reads it itself, for a text that goes on",
        minimum=0,
        maximum=16,
        usual=(1, 4),
    )
    decoder_layers: int = option(1, "recurrent layers that write the target", minimum=1, maximum=16, usual=(1, 4))
    bidirectional: bool = option(True, "read the source in both directions")
    input_feeding: bool = option(False, "feed each attention result to the next step (slower to train)")
    tied_embeddings: str = option(
        "target",
        "share weights: target embedding with output layer, both embeddings (inputs), or all three",
        choices=TYINGS,
    )
    layer_norm: bool = option(False, "layer normalisation after every recurrent layer")
    dropout: float | None = option(None, "dropout between layers, probability", minimum=0.0, below=1.0, usual=(0, 0.7))
    embedding_dropout: float | None = option(
        None, "dropout on embeddings; default: as --dropout", minimum=0.0, below=1.0, usual=(0, 0.7)
    )
    output_dropout: float | None = option(
        None, "dropout before the output layer; default: as --dropout", minimum=0.0, below=1.0, usual=(0, 0.7)
    )
    variational_dropout: bool = option(False, "one dropout mask per sequence instead of per step")
    copy: bool | None = option(
        None, "copy head: words may be pointed at in the source; by default where targets repeat it (needs attention)"
    )
    coverage: bool = option(
        False, "attention remembers what it has read (needs attention and input feeding's step loop)"
    )
    source_embeddings: str | None = option(None, "word2vec or GloVe text file for the source embeddings")
    target_embeddings: str | None = option(None, "word2vec or GloVe text file for the target embeddings")

    @property
    def own_output(self) -> bool:
        """Whether the output layer has weights of its own, and so the hidden width rather than an embedding's."""
        return self.tied_embeddings in ("none", "inputs")

    @property
    def one_embedding(self) -> bool:
        """Whether source and target share their embedding, and so their vocabulary."""
        return self.tied_embeddings in ("inputs", "all")
