"""What the networks share. Shapes: B batch, C channels, H and W pixels."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Keras's batch norm, as the paper's authors used it: momentum 0.99 there is 0.01 in torch's convention.
BN_EPS, BN_MOMENTUM = 1e-3, 0.01


def batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=BN_EPS, momentum=BN_MOMENTUM)


def scaled(channels: int, width: float) -> int:
    """A hidden layer's channels at a width multiplier: the nearest multiple of 4, hence exact at 1.0; at least 4."""
    return max(4, 4 * round(channels * width / 4))


class SameConv(nn.Conv2d):
    """A convolution that pads as Keras's "same" does: evenly where it can, else one more at the bottom and the right.

    For an even input that is: a 3x3 kernel with stride 2, and a 2x2 kernel with stride 1, pad bottom and right by one.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, dilation: int = 1) -> None:
        total = dilation * (kernel - 1) + 1 - stride
        super().__init__(inputs, outputs, kernel, stride, padding=total // 2, dilation=dilation)
        self._more_at_the_end = total % 2

    def forward(self, images_BCHW: Tensor) -> Tensor:
        if self._more_at_the_end:
            images_BCHW = F.pad(images_BCHW, (0, 1, 0, 1))
        return super().forward(images_BCHW)


def conv_relu(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(SameConv(inputs, outputs, kernel, stride, dilation), nn.ReLU(inplace=True))


def conv_relu_bn(inputs: int, outputs: int) -> nn.Sequential:
    """The authors' order: convolution, ReLU, then batch norm."""
    return nn.Sequential(SameConv(inputs, outputs), nn.ReLU(inplace=True), batch_norm(outputs))


def upsample_nearest(images_BCHW: Tensor) -> Tensor:
    """Each pixel becomes 2 x 2. Its backward pass is deterministic on CUDA too, which that of bilinear is not."""
    return F.interpolate(images_BCHW, scale_factor=2.0, mode="nearest")


def resample(images_BCHW: Tensor, rows_YH: Tensor, columns_XW: Tensor) -> Tensor:
    """Rows and columns resampled by one matrix each, (B, C, H, W) -> (B, C, Y, X); products are deterministic."""
    rows, columns = (matrix.to(images_BCHW.device, images_BCHW.dtype) for matrix in (rows_YH, columns_XW))
    resampled = torch.einsum("yh,bchw,xw->bcyx", rows, images_BCHW, columns)
    return resampled.contiguous(memory_format=torch.channels_last)


def resize_bilinear(images_BCHW: Tensor, height: int, width: int) -> Tensor:
    """Bilinear, half-pixel centres, edges repeated: `F.interpolate(..., align_corners=False)`."""
    return resample(images_BCHW, *_matrices(_bilinear_matrix, images_BCHW, height, width))


def average_pool(images_BCHW: Tensor, bins: int) -> Tensor:
    """Means over bins x bins regions that may overlap by a pixel: `F.adaptive_avg_pool2d`."""
    return resample(images_BCHW, *_matrices(_pooling_matrix, images_BCHW, bins, bins))


def _matrices(
    matrix: Callable[[int, int], Tensor], images_BCHW: Tensor, height: int, width: int
) -> tuple[Tensor, Tensor]:
    return matrix(height, images_BCHW.shape[2]), matrix(width, images_BCHW.shape[3])


def _bilinear_matrix(outputs: int, inputs: int) -> Tensor:
    """(outputs, inputs): the weights of each input in each output along one axis; rows sum to 1."""
    centres = (torch.arange(outputs, dtype=torch.float64) + 0.5) * inputs / outputs - 0.5
    centres = centres.clamp(0, inputs - 1)
    return (1 - (centres[:, None] - torch.arange(inputs)).abs()).clamp(min=0)


def _pooling_matrix(bins: int, inputs: int) -> Tensor:
    """(bins, inputs): bin b averages the inputs from floor(b n / bins) to ceil((b + 1) n / bins)."""
    matrix = torch.zeros(bins, inputs, dtype=torch.float64)
    for b in range(bins):
        first, behind = b * inputs // bins, -(-(b + 1) * inputs // bins)
        matrix[b, first:behind] = 1 / (behind - first)
    return matrix
