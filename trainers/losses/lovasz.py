"""The Lovasz-Softmax loss: the Jaccard index itself, made continuous.

Shapes: B batch, K classes, H and W pixels, N = B x H x W; pixels labelled IGNORED do not count.
"""

from __future__ import annotations

import torch
from torch import Tensor

from trainers.losses.pixels import counted_pixels, log_probabilities, mean_over_shown_classes, one_hot


def lovasz_softmax(logits_BKHW: Tensor, target_BHW: Tensor) -> Tensor:
    """Of each class the Lovasz extension of 1 - Jaccard at the errors |y - p| of all pixels of the batch, the mean over
    the classes that the batch shows (Berman et al. 2018, arXiv 1705.08790, equation 9). 0 where no pixel counts.

    The extension is the sum of each error times a slope that depends on the order of the errors alone. So the slopes
    are found without gradients, and brought back to their pixels: nothing is scattered, and no sum is left to chance.
    """
    counted_BHW, labels_BHW = counted_pixels(target_BHW)
    truth_BKHW = one_hot(labels_BHW, logits_BKHW.shape[1])
    probability_BKHW = log_probabilities(logits_BKHW).exp()
    error_BKHW = torch.where(truth_BKHW, 1 - probability_BKHW, probability_BKHW) * counted_BHW.unsqueeze(1)
    truth_BKHW = truth_BKHW & counted_BHW.unsqueeze(1)
    counted_BKHW = counted_BHW.unsqueeze(1).expand_as(truth_BKHW)
    error_KN, truth_KN, counted_KN = (
        each.transpose(0, 1).flatten(1) for each in (error_BKHW, truth_BKHW, counted_BKHW)
    )
    loss_K = (error_KN * _slopes(error_KN.detach(), truth_KN, counted_KN)).sum(1)
    return mean_over_shown_classes(loss_K, truth_BKHW)


def _slopes(error_KN: Tensor, truth_KN: Tensor, counted_KN: Tensor) -> Tensor:
    """How fast 1 - Jaccard of each class grows with each pixel's error: its step from the pixels with larger errors to
    these and the pixel (algorithm 1). Pixels that do not count add nothing to the sets, and have a slope of 0."""
    order_KN = error_KN.argsort(dim=1, descending=True, stable=True)
    truth_KN, counted_KN = (each.gather(1, order_KN) for each in (truth_KN, counted_KN))
    # Whole numbers: on a GPU their running sums are the same every time.
    num_truth_K1 = truth_KN.sum(1, keepdim=True)
    intersection_KN = num_truth_K1 - truth_KN.cumsum(1)
    union_KN = num_truth_K1 + (counted_KN & ~truth_KN).cumsum(1)
    lost_KN = 1 - intersection_KN.to(error_KN.dtype) / union_KN.clamp(min=1)
    slope_KN = lost_KN.diff(dim=1, prepend=torch.zeros_like(lost_KN[:, :1]))
    return slope_KN.gather(1, order_KN.argsort(1))
