"""Settings of the peers for the learning curves of curves.py; how they were chosen is in README.md."""

from __future__ import annotations

from typing import Any

ONMT_RNN: dict[str, Any] = {
    "encoder_type": "brnn",
    "decoder_type": "rnn",
    "rnn_type": "LSTM",
    "global_attention": "general",
    "input_feed": 0,
    "word_vec_size": 256,
    "hidden_size": 512,
    "layers": 1,
    "dropout": [0.2],
    "optim": "adam",
    "learning_rate": 0.001,
    "learning_rate_decay": 0.85,
    "start_decay_steps": 1800,
    "decay_steps": 450,
    "average_decay": 0.002,
    "batch_type": "sents",
    "batch_size": 64,
}
ONMT_TRANSFORMER: dict[str, Any] = {
    "encoder_type": "transformer",
    "decoder_type": "transformer",
    "position_encoding": True,
    "enc_layers": 3,
    "dec_layers": 3,
    "heads": 4,
    "hidden_size": 256,
    "word_vec_size": 256,
    "transformer_ff": 1024,
    "dropout": [0.3],
    "attention_dropout": [0.1],
    "label_smoothing": 0.1,
    "param_init": 0,
    "param_init_glorot": True,
    "share_embeddings": True,
    "share_decoder_embeddings": True,
    "optim": "adam",
    "adam_beta2": 0.998,
    "decay_method": "noam",
    "warmup_steps": 300,
    "learning_rate": 0.3,
    "max_grad_norm": 0,
    "average_decay": 0.002,
    "batch_type": "tokens",
    "batch_size": 1024,
    "normalization": "tokens",
}
JOEYNMT_RNN: dict[str, Any] = {
    "model": {
        "encoder": {"type": "recurrent", "rnn_type": "lstm", "num_layers": 1, "dropout": 0.2, "hidden_size": 256,
                    "bidirectional": True, "embeddings": {"embedding_dim": 256, "scale": False, "dropout": 0.2}},
        "decoder": {"type": "recurrent", "rnn_type": "lstm", "num_layers": 1, "dropout": 0.2, "hidden_size": 512,
                    "attention": "luong", "input_feeding": False, "init_hidden": "bridge",
                    "embeddings": {"embedding_dim": 256, "scale": False, "dropout": 0.2}},
    },
    "loss": ("crossentropy", 0.0),
    "training": {"optimizer": "adam", "learning_rate": 0.001, "scheduling": "exponential", "decrease_factor": 0.95,
                 "batch_size": 64, "batch_type": "sentence"},
}  # fmt: skip
JOEYNMT_TRANSFORMER: dict[str, Any] = {
    "model": {
        "initializer": "xavier_uniform",
        "embed_initializer": "xavier_uniform",
        "init_gain": 1.0,
        "embed_init_gain": 1.0,
        "tied_embeddings": True,
        "tied_softmax": True,
        "encoder": {"type": "transformer", "num_layers": 3, "num_heads": 4, "hidden_size": 256, "ff_size": 1024,
                    "dropout": 0.3, "layer_norm": "pre",
                    "embeddings": {"embedding_dim": 256, "scale": True, "dropout": 0.0}},
        "decoder": {"type": "transformer", "num_layers": 3, "num_heads": 4, "hidden_size": 256, "ff_size": 1024,
                    "dropout": 0.3, "layer_norm": "pre",
                    "embeddings": {"embedding_dim": 256, "scale": True, "dropout": 0.0}},
    },
    "loss": ("crossentropy", 0.1),
    "training": {"optimizer": "adam", "adam_betas": [0.9, 0.998], "learning_rate": 0.0001, "scheduling": "noam",
                 "learning_rate_factor": 0.6, "learning_rate_warmup": 300, "normalization": "tokens",
                 "batch_size": 1024, "batch_type": "token"},
}  # fmt: skip
SETTINGS = {
    "onmt-rnn": ONMT_RNN,
    "onmt-transformer": ONMT_TRANSFORMER,
    "joeynmt-rnn": JOEYNMT_RNN,
    "joeynmt-transformer": JOEYNMT_TRANSFORMER,
}
