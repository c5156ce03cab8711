"""Convolutions in bfloat16 on a CPU: oneDNN's, and one matrix product where that is faster.

Shapes: B batch, C channels, O output channels, H and W pixels, P pixels of a batch; channels last in memory.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

FEW_PIXELS = 2048
"""In a batch, up to which oneDNN takes longer for the gradient of a convolution's weights than one product does: with
1024 and 512 channels and 8 x 8 pixels of 16 images, three times as long (on an Intel Xeon with AMX)."""


class Geometry(NamedTuple):
    """Of a convolution that is square and pads evenly."""

    stride: int
    padding: int
    dilation: int


def convolve_relu(x_BCHW: Tensor, weight: Tensor, bias: Tensor, geometry: Geometry) -> Tensor:
    """`relu(convolution(x))`: the same bits as one after the other, in one pass."""
    stride, padding, dilation = ([side, side] for side in geometry)
    y: Tensor = torch.ops.mkldnn._convolution_pointwise(
        x_BCHW, weight, bias.bfloat16(), padding, stride, dilation, 1, "relu", [], ""
    )
    return y


def convolution_backward(
    gradient_BOHW: Tensor, x_BCHW: Tensor, weight: Tensor, geometry: Geometry, of_x: bool
) -> tuple[Tensor | None, Tensor]:
    """The gradients of x, if it is asked for, and of the weights (float32)."""
    stride, padding, dilation = ([side, side] for side in geometry)
    few = geometry.stride == 1 and gradient_BOHW.numel() <= FEW_PIXELS * gradient_BOHW.shape[1]
    asked = [of_x, not few, False]
    for_x, for_weight, _ = torch.ops.aten.convolution_backward(
        gradient_BOHW, x_BCHW, weight, None, stride, padding, dilation, False, [0, 0], 1, asked
    )
    if few:
        for_weight = _of_weight_as_product(gradient_BOHW, x_BCHW, weight.shape[2], geometry)
    return for_x, for_weight.float()


def _of_weight_as_product(gradient_BOHW: Tensor, x_BCHW: Tensor, side: int, geometry: Geometry) -> Tensor:
    """The gradient of the weights (stride 1) as one matrix product, of the gradient and the window at every pixel.

    The windows take as many times x's memory as a kernel has weights: for few pixels that is little.
    """
    (B, outputs, H, W), C = gradient_BOHW.shape, x_BCHW.shape[1]
    margin, dilation = geometry.padding, geometry.dilation
    padded_BHWC = F.pad(x_BCHW.permute(0, 2, 3, 1), (0, 0, margin, margin, margin, margin)).contiguous()
    image, row, pixel, channel = padded_BHWC.stride()
    strides = (image, row, pixel, dilation * row, dilation * pixel, channel)
    windows = padded_BHWC.as_strided((B, H, W, side, side, C), strides).reshape(B * H * W, -1)
    gradient_PO = gradient_BOHW.permute(0, 2, 3, 1).reshape(-1, outputs)
    return (gradient_PO.t() @ windows).view(outputs, side, side, C).permute(0, 3, 1, 2)
