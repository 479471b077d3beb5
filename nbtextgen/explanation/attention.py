"""Attention weights of the decoder for a given output."""

from __future__ import annotations

import threading

import numpy as np
import torch
from torch import Tensor

from nbtextgen.core.errors import OptionError
from nbtextgen.explanation.attributions import Values
from nbtextgen.explanation.scoring import decode, decode_stepwise
from nbtextgen.explanation.subject import ExplainedOutput, Subject
from nbtextgen.model.attention import Attention, Memory
from nbtextgen.model.seq2seq import Seq2Seq


@torch.inference_mode()
def head_weights(networks: list[Seq2Seq], subject: Subject, output: ExplainedOutput) -> Values:
    """Weights of every head, ``(heads, output tokens, source_length)``; the mean over an ensemble.

    Raises:
        OptionError: for a model without attention.
    """
    if networks[0].config.attention == "none":
        raise OptionError("This model has no attention to show (--attention=none); use --method=shap or occlusion.")
    device = networks[0].output_bias.device
    source = torch.as_tensor(subject.ids[None], device=device)
    copies = None if subject.copy_ids is None else torch.as_tensor(subject.copy_ids[None], device=device)
    inputs = torch.as_tensor(output.inputs, device=device)
    return np.mean([_network_weights(network, source, copies, inputs) for network in networks], axis=0)


def _network_weights(network: Seq2Seq, source: Tensor, copies: Tensor | None, inputs: Tensor) -> Values:
    """A hook computes the weights of every head at each call of the layer, since the decoder keeps only their mean.

    With coverage the decoder attends from all steps without calling the layer; step by step it calls it.
    """
    layer = network.decoder.attention
    assert layer is not None
    calls: list[Tensor] = []
    thread = threading.get_ident()

    def record(module: Attention, arguments: tuple[Tensor, Memory, Tensor | None], _: object) -> None:
        if threading.get_ident() == thread:  # not the calls of another thread that uses the model at the same time
            calls.append(module.head_weights(*arguments))

    memory, summary = network.encode(source, copies)
    handle = layer.register_forward_hook(record)
    try:
        if network.decoder.coverage:
            decode_stepwise(network, inputs, memory, summary)
        else:
            decode(network, inputs, memory, summary)
    finally:
        handle.remove()
    return torch.cat(calls, 2)[0].double().cpu().numpy()
