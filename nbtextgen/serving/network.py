"""The files of an exported model, and its graphs behind the interface that decoding needs: start, step, reorder and keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbtextgen.core.errors import ModelFileError
from nbtextgen.core.files import JsonObject, checksum, verify
from nbtextgen.core.optional_imports import optional_import

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]
Values = dict[str, NDArray[Any]]
FORMAT = 1
"""Version of an exported folder's format; increased when an older nbtextgen cannot read a new folder."""
MANIFEST = "export.json"
CONFIDENCE = "confidence.json"
"""Calibrations of the confidence, if there are any; no text of the data."""
SOURCE, TARGET = "source_tokenizer.json", "target_tokenizer.json"
ENCODER, DECODER = "encoder-{}.onnx", "decoder-{}.onnx"
"""File names of the graphs of one network, by its number."""
_MEMORY = ("keys", "values", "mask", "copy_ids")
_LOG_ERRORS = 3


def network_count(count: object) -> int:
    """Return the number of networks in a manifest.

    Raises:
        ModelFileError: if it is not a positive whole number.
    """
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise ModelFileError(f'"networks" must be a positive whole number, but is {count!r}.')
    return count


@dataclass(frozen=True)
class OnnxState:
    """State between two decoding steps.

    Attributes:
        memory: the encoded sources, one row each.
        parts: tensors of the decoder's state, ``(batch, width, size)`` each.
        length: padded length of the sources, in tokens.
    """

    memory: Values
    parts: Values
    length: int


class OnnxNetwork:
    """One network: the graph of its encoder, and that of one step of its decoder."""

    def __init__(self, encoder: Path, decoder: Path, threads: int) -> None:
        """Load both graphs; ``threads`` per operator of onnxruntime, where 0 uses all cores.

        Raises:
            ModelFileError: if onnxruntime cannot load a file.
            MissingPackageError: if onnxruntime is not installed.
        """
        self.encoder, self.decoder = _Graph(encoder, threads), _Graph(decoder, threads)

    def start(self, source: Ids, copies: Ids | None) -> OnnxState:
        """Encode ``source (batch, source_length)``, for one hypothesis per source; ``reorder`` makes more."""
        outputs = self.encoder.run({"source": source})
        memory = {name: value for name, value in outputs.items() if name in _MEMORY}
        if copies is not None:
            memory["copy_ids"] = copies
        parts = {name: value for name, value in outputs.items() if name not in memory}
        return OnnxState(memory, parts, source.shape[1])

    def step(self, tokens: Ids, state: OnnxState) -> tuple[Floats, Floats, OnnxState]:
        """Advance by ``tokens (batch, width)``; return log-probabilities, attention (or zeros), and the next state."""
        outputs = self.decoder.run({"tokens": tokens, **state.memory, **state.parts})
        attention = outputs.get("attention")
        if attention is None:
            attention = np.zeros((*tokens.shape, state.length), np.float32)
        parts = {name: outputs[f"next_{name}"] for name in state.parts}
        return outputs["log_probabilities"], attention, OnnxState(state.memory, parts, state.length)

    def reorder(self, state: OnnxState, parents: Ids) -> OnnxState:
        """Continue from the hypotheses ``parents (batch, new_width)`` of each source."""
        rows = np.arange(len(parents))[:, None]
        return OnnxState(state.memory, {name: part[rows, parents] for name, part in state.parts.items()}, state.length)

    def keep(self, state: OnnxState, rows: Ids) -> OnnxState:
        """Continue with the batch ``rows (kept,)`` only."""
        memory = {name: value[rows] for name, value in state.memory.items()}
        return OnnxState(memory, {name: part[rows] for name, part in state.parts.items()}, state.length)


class OnnxEnsemble:
    """Several networks decoding together: the mean of their probabilities and of their attention."""

    def __init__(self, members: Sequence[OnnxNetwork]) -> None:
        self.members = list(members)

    def start(self, source: Ids, copies: Ids | None) -> list[OnnxState]:
        """Encode the sources with every member."""
        return [member.start(source, copies) for member in self.members]

    def step(self, tokens: Ids, state: list[OnnxState]) -> tuple[Floats, Floats, list[OnnxState]]:
        """Advance every member."""
        results = [member.step(tokens, each) for member, each in zip(self.members, state, strict=True)]
        if len(results) == 1:
            return results[0][0], results[0][1], [results[0][2]]
        logs = np.stack([result[0] for result in results])
        highest = np.maximum(logs.max(0), np.float32(-1e30))  # a token that all members rule out stays impossible
        with np.errstate(divide="ignore"):
            mean = np.log(np.exp(logs - highest).sum(0)) + highest - np.float32(np.log(len(results)))
        attention = np.stack([result[1] for result in results]).mean(0)
        return mean, attention, [result[2] for result in results]

    def reorder(self, state: list[OnnxState], parents: Ids) -> list[OnnxState]:
        """Continue from the parents in every member."""
        return [member.reorder(each, parents) for member, each in zip(self.members, state, strict=True)]

    def keep(self, state: list[OnnxState], rows: Ids) -> list[OnnxState]:
        """Continue with some rows in every member."""
        return [member.keep(each, rows) for member, each in zip(self.members, state, strict=True)]


class _Graph:
    """A graph that onnxruntime runs."""

    def __init__(self, path: Path, threads: int) -> None:
        with optional_import("An exported model", "onnxruntime"):
            import onnxruntime  # pyright: ignore[reportMissingTypeStubs]
        runtime: Any = onnxruntime  # its compiled classes have no types
        options = runtime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = threads, _LOG_ERRORS
        self._path, self._threads = path.resolve(), threads
        try:
            self._session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions have no common base class
            raise ModelFileError(f"{path} is not a graph that onnxruntime can run ({error}).") from error
        self._inputs: list[str] = [value.name for value in self._session.get_inputs()]
        self._outputs: list[str] = [value.name for value in self._session.get_outputs()]

    def __getstate__(self) -> dict[str, object]:
        """For pickle and copies: the file, which must still be there, since onnxruntime does not give its graphs back."""
        try:
            return {"path": self._path, "threads": self._threads, "checksum": checksum(self._path)}
        except OSError as error:
            raise ModelFileError(f"{self._path} cannot be read: {error.strerror}; export the model again.") from error

    def __setstate__(self, state: JsonObject) -> None:
        path: Path = state["path"]
        verify(path.parent, {path.name: state["checksum"]}, MANIFEST)
        self.__init__(path, state["threads"])

    def run(self, values: Values) -> Values:
        """Return the outputs by name; values that the graph does not use are ignored."""
        arrays = self._session.run(self._outputs, {name: values[name] for name in self._inputs})
        return dict(zip(self._outputs, arrays, strict=True))
