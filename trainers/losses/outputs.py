"""The loss of a network that gives several outputs. Shapes: B batch, K classes, H and W pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainers.losses import Loss
from trainers.printable import counted


def output_weights(model: nn.Module, given: Sequence[float]) -> tuple[float, ...]:
    """Of the losses of a network's outputs: those given by the recipe, else its own; empty if there are none."""
    return tuple(given or getattr(model, "output_weights", ()))


def weighted(outputs: Sequence[Tensor], weights: Sequence[float]) -> list[tuple[Tensor, float]]:
    """Every output that counts in training, with its weight; without weights the main one alone. Raises ValueError for
    more outputs than weights."""
    if weights and len(outputs) > len(weights):
        given = (
            f"{counted(len(outputs), 'output')} in training, and output_weights has {counted(len(weights), 'weight')}"
        )
        raise ValueError(f"the network gives {given}: give as many")
    return list(zip(outputs, weights or (1.0,), strict=False))


def total_loss(loss: Loss, outputs: Sequence[Tensor], target_BHW: Tensor, weights: Sequence[float]) -> Tensor:
    """The loss of every output that counts (see `weighted`). The first is at full size; a coarser one is compared with
    the labels of every n-th row and column, the one in the middle of the n (nearest resizing)."""
    losses = [weight * loss(logits, _resized(target_BHW, logits)) for logits, weight in weighted(outputs, weights)]
    return torch.stack(losses).sum()


def _resized(target_BHW: Tensor, logits_BKHW: Tensor) -> Tensor:
    rows, columns = (target_BHW.shape[axis] // logits_BKHW.shape[axis + 1] for axis in (1, 2))
    return target_BHW[:, rows // 2 :: rows, columns // 2 :: columns]
