"""A network's weights as bytes that others can read: safetensors hold tensors and text, and nothing that runs."""

from __future__ import annotations

from collections.abc import Mapping

import safetensors
import safetensors.torch
from torch import nn


class NotWeights(Exception):
    """These bytes are not the weights of this network. The message says why."""


def weights_in_bytes(model: nn.Module, facts: Mapping[str, str]) -> bytes:
    """All parameters and buffers, bit for bit, and some words about them.

    What two names share, such as tied weights, is written under both.
    """
    state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.state_dict().items()}
    return safetensors.torch.save(state, dict(facts))


def load_weights(model: nn.Module, content: bytes) -> None:
    """Put weights into a network of the same architecture. Raises NotWeights."""
    try:
        model.load_state_dict(safetensors.torch.load(content))
    except (safetensors.SafetensorError, RuntimeError) as error:
        raise NotWeights(" ".join(str(error).split())) from None
