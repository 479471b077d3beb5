"""``OnnxGenerator``: an exported model with the generation methods of ``TextGenerator``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack, overload

from nbtextgen.confidence.confidence import Confidence, find_acceptance
from nbtextgen.core.errors import ModelFileError, NbTextGenError, OptionError
from nbtextgen.core.files import checked_path, read_json, read_sealed_json, recover, verify
from nbtextgen.core.options import build
from nbtextgen.data.batching import CopyMap
from nbtextgen.data.readers.columns import ColumnName
from nbtextgen.data.readers.texts import read_texts
from nbtextgen.decoding.config import DecodingConfig
from nbtextgen.decoding.hypothesis import Hypothesis
from nbtextgen.inference.bulk import GeneratedTable, generate_table
from nbtextgen.inference.generation import Generation, Generations, accept_outputs
from nbtextgen.inference.sources import EncodedSources, validate_sources
from nbtextgen.inference.text_codec import MAX_SOURCE_TOKENS, OutputLength, TextCodec
from nbtextgen.serving.network import (
    CONFIDENCE,
    DECODER,
    ENCODER,
    FORMAT,
    MANIFEST,
    SOURCE,
    TARGET,
    OnnxEnsemble,
    OnnxNetwork,
    network_count,
)
from nbtextgen.serving.search import decode, stream
from nbtextgen.tokenizers.registry import tokenizer_from_dict

if TYPE_CHECKING:
    from nbtextgen.core.option_types import DecodingOptions


@dataclass(frozen=True)
class OnnxGenerator:
    """A model that was exported with ``TextGenerator.export``; needs NumPy and onnxruntime, not torch.

    Attributes:
        codec: turns texts into token ids and hypotheses into generations.
        networks: predict the next token.
        clean: cleaning steps applied to every source, or ``None``.

    Example:
        >>> from nbtextgen import OnnxGenerator
        >>> OnnxGenerator.load(model.export("onnx", "words-onnx")).generate("abc").text
        'cba'
    """

    codec: TextCodec
    networks: OnnxEnsemble
    clean: str | None

    @classmethod
    def load(cls, folder: str | Path, *, threads: int = 0) -> OnnxGenerator:
        """Read an exported model. Checksums are verified; nothing in the folder is executed except its graphs.

        Args:
            folder: the folder that ``TextGenerator.export`` wrote.
            threads: threads per operator; 0 uses all cores.

        Raises:
            ModelFileError: if a file is missing, damaged or of a later format; the message names it.
            MissingPackageError: if onnxruntime is not installed.
        """
        folder = checked_path(folder)
        recover(folder, MANIFEST)
        if not (folder / MANIFEST).is_file():
            raise ModelFileError(f"{folder} is not an exported model: it has no {MANIFEST}.")
        manifest = read_sealed_json(folder / MANIFEST, FORMAT)
        try:
            numbers = range(1, network_count(manifest["networks"]) + 1)
            _check_listed(folder, manifest["files"], numbers)
            verify(folder, manifest["files"], MANIFEST)
            source = tokenizer_from_dict(read_json(folder / SOURCE))
            target = tokenizer_from_dict(read_json(folder / TARGET)) if TARGET in manifest["files"] else source
            limit, copy = (
                OutputLength.from_dict(manifest["limit"]),
                CopyMap(source, target) if manifest["copy"] else None,
            )
            networks = [
                OnnxNetwork(folder / ENCODER.format(number), folder / DECODER.format(number), threads)
                for number in numbers
            ]
            codec = TextCodec(
                source,
                target,
                limit,
                bool(manifest["attention"]),
                copy,
                str(manifest.get("fingerprint", "")),
                int(manifest.get("max_source", MAX_SOURCE_TOKENS)),
                Confidence.from_dict(read_json(folder / CONFIDENCE)) if CONFIDENCE in manifest["files"] else None,
            )
            return cls(codec, OnnxEnsemble(networks), manifest["clean"])
        except NbTextGenError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelFileError(f"{folder / MANIFEST} is damaged ({type(error).__name__}: {error}).") from error

    @overload
    def generate(self, text: str, **decoding: Unpack[DecodingOptions]) -> Generation: ...  # pyright: ignore[reportOverlappingOverload]
    @overload
    def generate(
        self,
        text: object,
        *,
        source: ColumnName | None = None,
        encoding: str | None = None,
        accept: float | None = None,
        **decoding: Unpack[DecodingOptions],
    ) -> Generations: ...
    def generate(
        self,
        text: object,
        *,
        source: ColumnName | None = None,
        encoding: str | None = None,
        accept: float | None = None,
        **decoding: Unpack[DecodingOptions],
    ) -> Generation | Generations:
        """Generate the target for one source or for many; the same as ``TextGenerator.generate`` does in fp32.

        Sampling draws from the same distribution, and repeatably for a seed, but with other random numbers than PyTorch.

        Args:
            text: a source, or many: a list, a series, or a column of a frame.
            source, encoding: the column of sources, by name or number, if there are several; and the encoding of a ``Path``.
            accept: as in ``TextGenerator.generate``; the calibration of the exported model counts.
            decoding: fields of ``DecodingConfig``: ``beam``, ``n_best``, ``sample``, ``temperature``, ...

        Raises:
            DataError: for a source that is empty or not text; the message names its position.
            OptionError: for an unknown option or a value out of range.
        """
        config = _config(decoding)
        single = isinstance(text, str)
        sources = validate_sources(read_texts(text, source, encoding), self.clean, allow_empty=not single)
        acceptance = find_acceptance(self.codec.confidence, config, accept)
        generations = accept_outputs(self._generations(sources, config), acceptance)
        return generations[0] if single else generations

    def _generations(self, sources: list[str], config: DecodingConfig) -> Generations:
        length = self.codec.output_length
        settled = config.with_penalties(length.penalty, length.coverage)

        def search(batch: EncodedSources, hypotheses: list[list[Hypothesis]]) -> None:
            hypotheses[:] = decode(self.networks, batch.ids, batch.copy_ids, settled, batch.limits, batch.rules)

        return self.codec.generate(sources, config, config.batch_size, search)

    def generate_file(
        self,
        data: object,
        into: str | Path | None = None,
        *,
        source: ColumnName | None = None,
        encoding: str | None = None,
        accept: float | None = None,
        on_progress: Callable[[int, int], None] | None = None,
        **decoding: Unpack[DecodingOptions],
    ) -> GeneratedTable:
        """Generate for a column or a file of many sources; the same as ``TextGenerator.generate_file``."""
        config = _config(decoding)

        def generate(texts: list[str]) -> Generations:
            return self._generations(validate_sources(texts, self.clean, allow_empty=True), config)

        return generate_table(
            generate,
            data,
            into,
            source=source,
            encoding=encoding,
            config=config,
            model=self.codec.fingerprint,
            on_progress=on_progress,
            confidence=self.codec.confidence,
            accept=accept,
        )

    def predict(self, sources: Iterable[str]) -> list[str]:
        """The generated texts alone."""
        return [generation.text for generation in self.generate(read_texts(sources))]

    def stream(self, text: str, **decoding: Unpack[DecodingOptions]) -> Iterator[str]:
        """Yield the output in pieces as it is generated, greedily or with ``sample=True`` by sampling."""
        config = _config(decoding)
        config.check_streamable()
        sources = self.codec.encode(validate_sources([text], self.clean), config)
        tokens = stream(self.networks, sources.ids, sources.copy_ids, config, sources.limits[0], sources.rules)
        yield from self.codec.stream_text(tokens, sources.words[0])


def _config(decoding: Mapping[str, object]) -> DecodingConfig:
    config = build(DecodingConfig, decoding)
    if config.precision == "int8":
        raise OptionError("--precision=int8 does not apply to exported models, which compute in fp32.")
    if config.has_terms:
        raise OptionError(
            "--glossary, --must-include and --carry-over do not apply to exported models; generate with the saved model."
        )
    return config


def _check_listed(folder: Path, files: object, numbers: range) -> None:
    """Check that the manifest has a checksum for every file that will be read."""
    graphs = [name for number in numbers for name in (ENCODER.format(number), DECODER.format(number))]
    missing = [name for name in (SOURCE, *graphs) if not isinstance(files, dict) or name not in files]
    if missing or not numbers:
        raise ModelFileError(f"{folder / MANIFEST} is damaged: it does not list {(missing or ['any graph'])[0]}.")
