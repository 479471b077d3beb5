"""Attention as the decoder used it, for a given output."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from nbtextgen.core.errors import OptionError
from nbtextgen.explanation.scoring import decode
from nbtextgen.explanation.subject import Output, Subject
from nbtextgen.model.attention import Attention, Memory
from nbtextgen.model.seq2seq import Seq2Seq

Values = NDArray[np.float64]


@torch.inference_mode()
def attention(networks: list[Seq2Seq], subject: Subject, output: Output) -> Values:
    """Weights of every head, ``(heads, output tokens, source_length)``; the mean over an ensemble.

    Raises:
        OptionError: for a model without attention.
    """
    if networks[0].config.attention == "none":
        raise OptionError("This model has no attention to show (--attention none); use --method shap or occlusion.")
    device = networks[0].output_bias.device
    source = torch.from_numpy(subject.ids)[None].to(device)
    copies = None if subject.copy_ids is None else torch.from_numpy(subject.copy_ids)[None].to(device)
    found = [_of_one(network, source, copies, torch.from_numpy(output.inputs).to(device)) for network in networks]
    return np.mean(found, axis=0)


def _of_one(network: Seq2Seq, source: torch.Tensor, copies: torch.Tensor | None, inputs: torch.Tensor) -> Values:
    """The decoder only keeps the mean over heads, so the heads are asked for at each of its calls."""
    layer = network.decoder.attention
    assert layer is not None
    calls: list[torch.Tensor] = []

    def note(module: Attention, given: tuple[torch.Tensor, Memory, torch.Tensor | None], _: object) -> None:
        calls.append(module.head_weights(*given))

    memory, summary = network.encode(source, copies)
    handle = layer.register_forward_hook(note)
    try:
        decode(network, inputs, memory, summary)
    finally:
        handle.remove()
    return torch.cat(calls, 2)[0].double().cpu().numpy()
