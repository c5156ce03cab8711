"""Operations that mix neighbouring pixels, and fog.

Shapes: N images, H and W pixels, C = 3 colours (RGB). Outside, an image is mirrored at the middle of its outermost
pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from trainers.augment import Drawn
from trainers.faster.fog import blur_side
from trainers.gpu.sending import sent

Kernel = NDArray[np.floating]


def box_blurred(images_NHWC: Tensor, draws: Sequence[Drawn]) -> Tensor:
    """Each by the mean of a square."""
    sides = np.array([draw.params["kernel"] for draw in draws])
    sums = _summed(images_NHWC, [np.ones((side, side)) for side in sides])  # whole numbers: exact
    return (sums / sent(sides**2, images_NHWC.device)[:, None, None, None]).round().to(torch.uint8)


def motion_blurred(images_NHWC: Tensor, draws: Sequence[Drawn]) -> Tensor:
    """Each by its kernel, a line."""
    sums = _summed(images_NHWC, [draw.params["kernel"] for draw in draws])
    return sums.round().clamp(0, 255).to(torch.uint8)


def gaussian_blurred(images_NHWC: Tensor, draws: Sequence[Drawn]) -> Tensor:
    """Each by its kernel, along both axes."""
    sums = _summed(images_NHWC, [np.outer(draw.params["kernel"], draw.params["kernel"]) for draw in draws])
    return sums.round().clamp(0, 255).to(torch.uint8)


def _summed(images_NHWC: Tensor, kernels: Sequence[Kernel]) -> Tensor:
    """The sums under each image's square kernel, float32; smaller kernels are filled up with zeros."""
    number, height, width, colours = images_NHWC.shape
    largest = max(len(kernel) for kernel in kernels)
    same = np.stack([np.pad(kernel, (largest - len(kernel)) // 2) for kernel in kernels]).astype(np.float32)
    weights = sent(same, images_NHWC.device).repeat_interleave(colours, 0)[:, None]
    images_NCHW = images_NHWC.permute(0, 3, 1, 2).float()
    mirrored = functional.pad(images_NCHW, (largest // 2,) * 4, mode="reflect")
    sums = functional.conv2d(mirrored.reshape(1, number * colours, *mirrored.shape[2:]), weights, groups=len(weights))
    return sums.reshape(number, colours, height, width).permute(0, 2, 3, 1)


def fogged(images_NHWC: Tensor, draws: Sequence[Drawn]) -> Tensor:
    """Each behind its fog (`trainers.faster.fog`): what becomes of its levels under so many particles; then a blur."""
    counts_NHW = np.stack([draw.transform.counts(**draw.params) for draw in draws])
    most = int(counts_NHW.max())
    tables = sent(np.stack([draw.transform.levels(most, **draw.params) for draw in draws]), images_NHWC.device)
    places = sent(counts_NHW, images_NHWC.device)[..., None] * 256 + images_NHWC
    veiled = tables.flatten(1).gather(1, places.flatten(1)).reshape(images_NHWC.shape)
    kernel = cv2.getGaussianKernel(blur_side(images_NHWC.shape[1:]), 0)
    return (_summed(veiled, [np.outer(kernel, kernel)] * len(draws)) + 0.5).floor().to(torch.uint8)
