"""Names of the files in an exported folder."""

from __future__ import annotations

FORMAT = 1
"""Version of the folder's layout; raised when an older nbtextgen could not read it."""
MANIFEST = "export.json"
SOURCE, TARGET = "source_tokenizer.json", "target_tokenizer.json"


def encoder_name(number: int) -> str:
    """The graph that reads, of one network."""
    return f"encoder-{number}.onnx"


def decoder_name(number: int) -> str:
    """The graph that writes one token, of one network."""
    return f"decoder-{number}.onnx"
