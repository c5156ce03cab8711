"""What the losses share: probabilities of every pixel, which pixels count, and sums over them.

Shapes: B batch, K classes, H and W pixels. Computed in float32 (in float64 if the logits are), whatever autocast says.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from trainers.cpu import softmax
from trainers.data.class_names import IGNORED


def counted_pixels(target_BHW: Tensor) -> tuple[Tensor, Tensor]:
    """Which pixels count, as booleans, and the labels, 0 in place of IGNORED; shape (B, H, W) both."""
    counted_BHW = target_BHW != IGNORED
    return counted_BHW, target_BHW.where(counted_BHW, 0)


def mean_over(values_BHW: Tensor, counted_BHW: Tensor) -> Tensor:
    """The mean over all pixels that count; 0 where none does."""
    return divided((values_BHW * counted_BHW).sum(), counted_BHW.sum().clamp(min=1))


def divided(total: Tensor, number: Tensor) -> Tensor:
    """Rounded as torch rounds a mean, or a quotient by a plain number: on a GPU it multiplies by the reciprocal."""
    return total / number if total.device.type == "cpu" else total * number.to(total.dtype).reciprocal()


def log_probabilities(logits_BKHW: Tensor) -> Tensor:
    """log p of every class at every pixel."""
    exact = logits_BKHW if logits_BKHW.dtype == torch.float64 else logits_BKHW.float()
    with torch.autocast(exact.device.type, enabled=False):
        return F.log_softmax(exact, dim=1)


def log_probability_of_truth(logits_BKHW: Tensor, target_BHW: Tensor) -> tuple[Tensor, Tensor]:
    """log p of every pixel's own class, and whether the pixel counts; shape (B, H, W) both."""
    counted_BHW, labels_BHW = counted_pixels(target_BHW)
    if logits_BKHW.dtype == torch.bfloat16 and logits_BKHW.device.type == "cpu":
        return softmax.log_probability_of_truth(logits_BKHW, labels_BHW), counted_BHW
    return at_truth(log_probabilities(logits_BKHW), labels_BHW), counted_BHW


def at_truth(values_BKHW: Tensor, labels_BHW: Tensor) -> Tensor:
    """Each pixel's value at its class."""
    return (gathered if values_BKHW.device.type == "cpu" else picked)(values_BKHW, labels_BHW)


def gathered(values_BKHW: Tensor, labels_BHW: Tensor) -> Tensor:
    """Each pixel's value at its class. Half the time of `picked` on a CPU."""
    return values_BKHW.gather(1, labels_BHW.unsqueeze(1)).squeeze(1)


def picked(values_BKHW: Tensor, labels_BHW: Tensor) -> Tensor:
    """The same bits with one-hot labels: the backward pass of gathering is not deterministic on CUDA."""
    return (values_BKHW * one_hot(labels_BHW, values_BKHW.shape[1]).to(values_BKHW.dtype)).sum(1)


def one_hot(labels_BHW: Tensor, num_classes: int) -> Tensor:
    """Where each class is the true one, as booleans_BKHW, in the layout of channels-last logits."""
    classes = torch.arange(num_classes, device=labels_BHW.device)
    return (labels_BHW.unsqueeze(-1) == classes).permute(0, 3, 1, 2)


def mean_over_shown_classes(values_K: Tensor, truth_BKHW: Tensor) -> Tensor:
    """The mean over the classes that some pixel of the batch shows; 0 where there is none.

    :param truth_BKHW: where each class is the true one, of the pixels that count.
    """
    shown_K = truth_BKHW.any(3).any(2).any(0)
    return divided((values_K * shown_K).sum(), shown_K.sum().clamp(min=1))
