"""``OnnxGenerator``: an exported model, used as ``TextGenerator`` is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, overload

import numpy as np

from nbtextgen.core.errors import ModelFileError, NbTextGenError, OptionError
from nbtextgen.core.files import check_format, read_json, recover, verify
from nbtextgen.core.options import build
from nbtextgen.data.batching import CopyMap, pad
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.inference.generation import Generation, Generations
from nbtextgen.inference.text_codec import LengthLimit, TextCodec, validate_sources
from nbtextgen.serving.layout import FORMAT, MANIFEST, SOURCE, TARGET, decoder_name, encoder_name
from nbtextgen.serving.network import Ids, OnnxEnsemble, OnnxNetwork
from nbtextgen.serving.search import decode, stream
from nbtextgen.tokenizers.registry import tokenizer_from_dict

if TYPE_CHECKING:
    from nbtextgen.core.option_types import DecodingOptions


@dataclass(frozen=True)
class OnnxGenerator:
    """A model that was exported with ``TextGenerator.export``; needs NumPy and onnxruntime, not torch.

    Attributes:
        codec: its text side.
        networks: what gives the next token's probabilities.
        limit: longest output for a source length.
        attended: whether it has attention.
        clean: cleaning steps that its input goes through, or ``None``.

    Example:
        >>> from nbtextgen import OnnxGenerator
        >>> OnnxGenerator.load("dates-onnx").generate("the 4th of July, 1976").text   # doctest: +SKIP
        '1976-07-04'
    """

    codec: TextCodec
    networks: OnnxEnsemble
    limit: LengthLimit
    attended: bool
    clean: str | None

    @classmethod
    def load(cls, folder: str | Path, *, threads: int = 0) -> OnnxGenerator:
        """Read an exported model; checksums are verified and nothing in the folder is executed but its graphs.

        Args:
            folder: what ``TextGenerator.export`` wrote.
            threads: for each operator; 0 is as many as there are cores.

        Raises:
            ModelFileError: naming what is missing, damaged or of a later format.
            MissingPackageError: without onnxruntime.
        """
        folder = Path(folder)
        recover(folder, MANIFEST)
        if not (folder / MANIFEST).is_file():
            raise ModelFileError(f"{folder} is not an exported model: it has no {MANIFEST}.")
        manifest = read_json(folder / MANIFEST)
        check_format(manifest, folder / MANIFEST, FORMAT)
        try:
            numbers = range(1, int(manifest["networks"]) + 1)
            _check_listed(folder, manifest["files"], numbers)
            verify(folder, manifest["files"], MANIFEST)
            source = tokenizer_from_dict(read_json(folder / SOURCE))
            target = tokenizer_from_dict(read_json(folder / TARGET)) if TARGET in manifest["files"] else source
            return cls(
                TextCodec(source, target, CopyMap(source, target) if manifest["copy"] else None),
                OnnxEnsemble(
                    [OnnxNetwork(folder / encoder_name(one), folder / decoder_name(one), threads) for one in numbers]
                ),
                LengthLimit.read(manifest["limit"]),
                bool(manifest["attention"]),
                manifest["clean"],
            )
        except NbTextGenError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelFileError(f"{folder / MANIFEST} is damaged ({type(error).__name__}: {error}).") from error

    @overload
    def generate(self, text: str, **decoding: Unpack[DecodingOptions]) -> Generation: ...  # pyright: ignore[reportOverlappingOverload]
    @overload
    def generate(self, text: Sequence[str], **decoding: Unpack[DecodingOptions]) -> Generations: ...
    def generate(self, text: str | Sequence[str], **decoding: Unpack[DecodingOptions]) -> Generation | Generations:
        """Write the target for one source or for many; the same as ``TextGenerator.generate`` writes in fp32.

        Sampling draws from the same distribution, repeatably for a seed, but other numbers than PyTorch does.

        Args:
            text: a source, or a list of them.
            decoding: fields of ``DecodingConfig``: ``beam``, ``n_best``, ``sample``, ``temperature``, ...

        Raises:
            DataError: for a source that is empty or not text; names its position.
            OptionError: for an unknown option or a value out of range.
        """
        config = _config(decoding)
        sources = validate_sources([text] if isinstance(text, str) else text, self.clean)
        found = self.codec.generate(
            sources, config.batch_size, lambda texts, encoded: self._search(texts, encoded, config)
        )
        return found[0] if isinstance(text, str) else found

    def stream(self, text: str, **decoding: Unpack[DecodingOptions]) -> Iterator[str]:
        """Yield the output piece by piece, as it is written (greedy, or sampling with ``sample=True``)."""
        config = _config(decoding)
        if config.beam > 1:
            raise OptionError("--beam cannot be streamed: it only knows its best text at the end; use --beam 1.")
        [source] = validate_sources([text], self.clean)
        encoded = self.codec.encode([source])
        copies, extras = self.codec.copies([source])
        limit = config.max_length or self.limit(len(encoded[0]))
        rules = self.codec.rules(config)
        tokens = stream(
            self.networks, _padded(encoded), None if copies is None else _padded(copies), config, limit, rules
        )
        yield from self.codec.stream_text(tokens, extras[0])

    def _search(self, texts: list[str], encoded: list[list[int]], config: DecodingConfig) -> list[Generation]:
        copies, extras = self.codec.copies(texts)
        limits = [config.max_length or self.limit(len(ids)) for ids in encoded]
        rules = self.codec.rules(config)
        found = decode(
            self.networks, _padded(encoded), None if copies is None else _padded(copies), config, limits, rules
        )
        replace = config.replace_unknown
        return [
            self.codec.generation(text, hypotheses, extra, attended=self.attended, replace_unknown=replace)
            for text, hypotheses, extra in zip(texts, found, extras, strict=True)
        ]


def _config(decoding: Mapping[str, Any]) -> DecodingConfig:
    config = build(DecodingConfig, decoding)
    if config.precision == "int8":
        raise OptionError("--precision int8 is for models with PyTorch; exported ones write in fp32.")
    return config


def _padded(rows: list[list[int]]) -> Ids:
    return pad([np.array(row, dtype=np.int64) for row in rows])


def _check_listed(folder: Path, files: Any, numbers: range) -> None:
    """Everything that will be read has a checksum."""
    graphs = [name for one in numbers for name in (encoder_name(one), decoder_name(one))]
    missing = [name for name in (SOURCE, *graphs) if not isinstance(files, dict) or name not in files]
    if missing or not numbers:
        raise ModelFileError(f"{folder / MANIFEST} is damaged: it does not list {(missing or ['any graph'])[0]}.")
