"""Write the folder of an exported model: graphs, tokenizers, and a manifest with checksums."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

from nbtextgen.core.errors import ModelFileError, OptionError
from nbtextgen.core.files import as_json, as_sealed_json, checksums, replaced, write
from nbtextgen.core.optional_imports import optional_import
from nbtextgen.inference.predictor import Predictor
from nbtextgen.pipeline.defaults import Plan
from nbtextgen.pipeline.model_folder import write_tokenizers
from nbtextgen.serving.network import CONFIDENCE, DECODER, ENCODER, FORMAT, MANIFEST

MAX_FILE_SIZE = 2**31 - 2**20
"""Bytes of weights that fit into one ONNX file."""


def export(format: str, folder: Path, predictor: Predictor, plan: Plan) -> Path:
    """Export a model, as a whole or not at all; see ``TextGenerator.export``."""
    if format != "onnx":
        raise OptionError(f"--format must be onnx (got {format!r}).")
    with optional_import("An export", "onnx", "export"):
        from nbtextgen.export.graphs import decoder, encoder
    predictor.check_finite()
    with replaced(folder, MANIFEST, "an exported model") as work:
        write_tokenizers(work, predictor.source, predictor.target)
        if predictor.confidence is not None:
            confidence = predictor.confidence
            if predictor.second is not None:  # it is not exported, and the calibrations need it
                confidence = replace(confidence, calibrations=())
            write(work / CONFIDENCE, as_json(confidence.as_dict()))
        for number, network in enumerate(predictor.networks, 1):
            weights = {name: value.detach().cpu().float().numpy() for name, value in network.state_dict().items()}
            if sum(array.nbytes for array in weights.values()) > MAX_FILE_SIZE:
                raise ModelFileError("The network is too large for an ONNX file, which can hold two gigabytes.")
            write(work / ENCODER.format(number), encoder(network.config, weights).SerializeToString())
            write(work / DECODER.format(number), decoder(network.config, weights).SerializeToString())
        manifest = {
            "format": FORMAT,
            "networks": len(predictor.networks),
            "attention": predictor.networks[0].config.attention != "none",
            "copy": predictor.networks[0].config.copy,
            "limit": asdict(predictor.output_length),
            "clean": plan.data.clean,
            "max_source": predictor.max_source,
            "fingerprint": predictor.fingerprint,
            "settings": plan.as_dict(),
            "files": checksums(work),
        }
        write(work / MANIFEST, as_sealed_json(manifest))
    return folder
