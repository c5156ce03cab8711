"""A network's weights as bytes that others can read: safetensors hold tensors and text, and nothing that runs."""

from __future__ import annotations

import json
from collections.abc import Mapping

import safetensors
import safetensors.torch
from torch import nn

FACTS = "facts"
"""The one key of the file's metadata; its value is JSON."""


class NotWeights(Exception):
    """These bytes are not the weights of this network. The message says why."""


def weights_in_bytes(model: nn.Module, facts: Mapping[str, str]) -> bytes:
    """All parameters and buffers, bit for bit, and some words about them: as one text, as the library writes several in
    any order, and equal weights are to be equal files.

    What two names share, such as tied weights, is written under both.
    """
    state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.state_dict().items()}
    return safetensors.torch.save(state, {FACTS: json.dumps(facts, sort_keys=True)})


def facts_in(content: bytes) -> dict[str, str]:
    """The words about these weights, which are read whole and are sound. Raises NotWeights."""
    try:
        safetensors.deserialize(content)  # type: ignore[no-untyped-call]
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        facts: dict[str, str] = json.loads(header["__metadata__"][FACTS])
    except (ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
        raise NotWeights(" ".join(str(error).split())) from None
    return facts


def load_weights(model: nn.Module, content: bytes) -> None:
    """Put weights into a network of the same architecture. Raises NotWeights."""
    try:
        model.load_state_dict(safetensors.torch.load(content))
    except (safetensors.SafetensorError, RuntimeError) as error:
        raise NotWeights(" ".join(str(error).split())) from None
