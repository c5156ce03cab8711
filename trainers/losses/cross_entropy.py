"""Cross-entropy and what is made of it by other weights or other truths.

Shapes: B batch, K classes, H and W pixels; those labelled IGNORED do not count.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

from trainers.losses.arguments import check_number, is_number
from trainers.losses.pixels import (
    at_truth,
    counted_pixels,
    divided,
    log_probabilities,
    log_probability_of_truth,
    mean_over,
)
from trainers.printable import counted

_LEAST_DOUBT = 1e-12
"""Below it, a power of 1 - p below 1 would have a slope that is no number."""


def cross_entropy(logits_BKHW: Tensor, target_BHW: Tensor) -> Tensor:
    """Categorical cross-entropy, the mean over all pixels that count; 0 where none does."""
    log_probability_BHW, counted_BHW = log_probability_of_truth(logits_BKHW, target_BHW)
    return -mean_over(log_probability_BHW, counted_BHW)


def weighted_cross_entropy(logits_BKHW: Tensor, target_BHW: Tensor, *, weights: Sequence[float]) -> Tensor:
    """Each pixel's cross-entropy times the weight of its true class, divided by the sum of these weights; for instance
    by median-frequency balancing (Eigen and Fergus 2015, arXiv 1411.4734: the median of the classes' frequencies over
    the class's own).

    The weights are given, and not taken from a split's training images: they would be others on every split, and what
    a study compares across splits would not be one loss. (And composites have no frequencies before they are drawn.)

    :param weights: one for each class, the background's first where there is one; at least 0, not all 0.
    :raises ValueError: for other weights, or another number of them.
    """
    if not isinstance(weights, list | tuple) or not all(map(is_number, weights)):
        raise ValueError(f"weights must be a list of numbers, one for each class, not {weights!r}")
    if len(weights) != logits_BKHW.shape[1]:
        given, needed = counted(len(weights), "number"), counted(logits_BKHW.shape[1], "class", "classes")
        raise ValueError(f"weights has {given}, and there are {needed}: give each one")
    log_probability_BHW, counted_BHW = log_probability_of_truth(logits_BKHW, target_BHW)
    weights_K = _weights(tuple(weights), logits_BKHW.device)
    weight_BHW = weights_K[target_BHW.where(counted_BHW, 0)].to(log_probability_BHW.dtype) * counted_BHW
    total = weight_BHW.sum()
    return -divided((log_probability_BHW * weight_BHW).sum(), total.where(total > 0, 1))


def smoothed_cross_entropy(logits_BKHW: Tensor, target_BHW: Tensor, *, smoothing: float = 0.1) -> Tensor:
    """Cross-entropy with label smoothing (Szegedy et al. 2016, arXiv 1512.00567, section 7): of the truth
    (1 - smoothing) one-hot + smoothing / K, the mean over all pixels that count.

    :raises ValueError: unless 0 <= smoothing < 1.
    """
    check_number("smoothing", smoothing, below=1)
    counted_BHW, labels_BHW = counted_pixels(target_BHW)
    log_probability_BKHW = log_probabilities(logits_BKHW)
    of_truth_BHW, of_any_BHW = at_truth(log_probability_BKHW, labels_BHW), log_probability_BKHW.mean(1)
    return -mean_over((1 - smoothing) * of_truth_BHW + smoothing * of_any_BHW, counted_BHW)


def focal(logits_BKHW: Tensor, target_BHW: Tensor, *, gamma: float = 2.0) -> Tensor:
    """The focal loss (Lin et al. 2017, arXiv 1708.02002, equation 4): -(1 - p)^gamma log p of the probability p of the
    true class, the mean over all pixels that count. With gamma = 0 it is cross-entropy.

    :raises ValueError: unless gamma is at least 0 and finite.
    """
    check_number("gamma", gamma)
    log_probability_BHW, counted_BHW = log_probability_of_truth(logits_BKHW, target_BHW)
    doubt_BHW = (-log_probability_BHW.expm1()).clamp(min=_LEAST_DOUBT)
    return -mean_over(doubt_BHW**gamma * log_probability_BHW, counted_BHW)


@cache  # else every step would wait for a copy to the device
@torch.inference_mode(False)
def _weights(weights: tuple[float, ...], device: torch.device) -> Tensor:
    if min(weights) < 0 or not any(weights) or not all(map(math.isfinite, weights)):
        raise ValueError(f"weights must be finite, at least 0, and not all 0: {', '.join(f'{w:g}' for w in weights)}")
    return torch.tensor(weights, dtype=torch.float64, device=device)
