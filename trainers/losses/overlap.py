"""Losses by the overlap of what is predicted with what is there: soft counts over a whole batch.

Shapes: B batch, K classes, H and W pixels; those labelled IGNORED do not count.
"""

from __future__ import annotations

import torch
from torch import Tensor

from trainers.losses.arguments import check_number
from trainers.losses.pixels import (
    counted_pixels,
    divided,
    log_probabilities,
    log_probability_of_truth,
    mean_over,
    mean_over_shown_classes,
    one_hot,
)

SMOOTHING = 1.0


def cross_entropy_dice(logits_BKHW: Tensor, target_BHW: Tensor) -> Tensor:
    """Cross-entropy + (1 - D), where D = (2 sum(y p) + 1) / (sum(y) + sum(p) + 1) is one soft Dice over the batch, all
    its pixels that count and all classes together: "naive and unconstrained" (section 3.4).

    At every pixel y and p sum to 1 over the classes, so sum(y) and sum(p) are both the number of pixels.
    """
    log_probability_BHW, counted_BHW = log_probability_of_truth(logits_BKHW, target_BHW)
    overlap = (log_probability_BHW.exp() * counted_BHW).sum()
    soft_dice = divided(2 * overlap + SMOOTHING, 2 * counted_BHW.sum() + SMOOTHING)
    return -mean_over(log_probability_BHW, counted_BHW) + (1 - soft_dice)


def tversky(logits_BKHW: Tensor, target_BHW: Tensor, *, alpha: float = 0.3, beta: float = 0.7) -> Tensor:
    """1 - T, where T = TP / (TP + alpha FP + beta FN) of the soft counts of a class over the batch, the mean over the
    classes that the batch shows (Salehi et al. 2017, arXiv 1706.05721, equation 2, there of one class). 0 where no
    pixel counts.

    :param alpha: weighs false positives: pixels that are given to a class and are not of it.
    :param beta: weighs false negatives: pixels of a class that are not given to it. (Both 0.5: a soft Dice.)
    :raises ValueError: unless both are at least 0 and finite, and one is above 0.
    """
    check_number("alpha", alpha)
    check_number("beta", beta)
    if not alpha and not beta:
        raise ValueError("alpha and beta are both 0, and nothing would be learnt: one must be above 0")
    counted_BHW, labels_BHW = counted_pixels(target_BHW)
    truth_BKHW = one_hot(labels_BHW, logits_BKHW.shape[1]) & counted_BHW.unsqueeze(1)
    probability_BKHW = log_probabilities(logits_BKHW).exp() * counted_BHW.unsqueeze(1)
    hits_K, given_K = (each.sum((0, 2, 3)) for each in (probability_BKHW * truth_BKHW, probability_BKHW))
    total_K = hits_K + alpha * (given_K - hits_K) + beta * (truth_BKHW.sum((0, 2, 3)) - hits_K)
    return mean_over_shown_classes(1 - hits_K / total_K.clamp(min=torch.finfo(total_K.dtype).tiny), truth_BKHW)
