"""What the networks share. Shapes: B batch, C channels, H and W pixels."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainers.cpu import layers as cpu_layers
from trainers.cpu.convolution import Geometry
from trainers.networks import upsampling
from trainers.networks.upsampling import Kernels


class FusedLayers(Protocol):
    """A module of layers that take fewer passes over memory than torch's own, one after another."""

    @property
    def kernels(self) -> Kernels: ...

    def conv_relu(
        self, x_BCHW: Tensor, convolution: nn.Conv2d, geometry: Geometry, norm: nn.BatchNorm2d | None = None, /
    ) -> Tensor: ...
    def norm_and_classify(self, x_BCHW: Tensor, norm: nn.BatchNorm2d, classify: nn.Conv2d, /) -> Tensor: ...


def fused_layers(x_BCHW: Tensor) -> FusedLayers | None:
    """The layers for x, if torch would now compute its convolution in bfloat16 on a CPU or a GPU."""
    device = x_BCHW.device.type
    if device not in ("cpu", "cuda") or not torch.is_autocast_enabled(device):
        return None
    if torch.get_autocast_dtype(device) != torch.bfloat16:
        return None
    if device == "cpu":
        return cpu_layers
    from trainers.gpu import layers as gpu_layers  # needs Triton, which comes with torch for a GPU, and with no other

    return gpu_layers


class BatchNorm(nn.BatchNorm2d):
    """Keras's, as the paper's authors used it: momentum 0.99 there is 0.01 in torch's convention."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-3, momentum=0.01)


def scaled(channels: int, width: float) -> int:
    """A hidden layer's channels at a width multiplier: the nearest multiple of 8 (which matrix units want), at least 8;
    exact at 1.0, as the published counts are such multiples."""
    return max(8, 8 * round(channels * width / 8))


class SameConv(nn.Conv2d):
    """A convolution that pads as Keras's "same" does: evenly where it can, else one more at the bottom and the right.

    For an even input that is: a 3x3 kernel with stride 2, and a 2x2 kernel with stride 1, pad bottom and right by one.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, dilation: int = 1) -> None:
        total = dilation * (kernel - 1) + 1 - stride
        super().__init__(inputs, outputs, kernel, stride, padding=total // 2, dilation=dilation)
        self.geometry = Geometry(stride, total // 2, dilation)
        self._more_at_the_end = total % 2

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return super().forward(self.padded(images_BCHW))

    def padded(self, images_BCHW: Tensor) -> Tensor:
        """With what cannot be padded evenly; the convolution pads the rest."""
        return F.pad(images_BCHW, (0, 1, 0, 1)) if self._more_at_the_end else images_BCHW


class ConvReLU(SameConv):
    """A convolution, then ReLU."""

    def forward(self, images_BCHW: Tensor) -> Tensor:
        if layers := fused_layers(images_BCHW):
            return layers.conv_relu(self.padded(images_BCHW), self, self.geometry)
        return F.relu(super().forward(images_BCHW), inplace=True)


class UpConvReLU(SameConv):
    """Nearest upsampling to twice the size, a 2x2 convolution, ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, kernel=2)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        if layers := fused_layers(images_BCHW):
            return layers.conv_relu(upsampling.upsample_and_pad(layers.kernels, images_BCHW), self, self.geometry)
        return F.relu(super().forward(upsample_nearest(images_BCHW)), inplace=True)


class ConvReLUNorm(nn.Module):
    """The authors' order: convolution, ReLU, then batch norm."""

    def __init__(self, inputs: int, outputs: int, dilation: int = 1) -> None:
        super().__init__()
        self.conv, self.norm = SameConv(inputs, outputs, dilation=dilation), BatchNorm(outputs)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        if layers := fused_layers(images_BCHW):
            return layers.conv_relu(self.conv.padded(images_BCHW), self.conv, self.conv.geometry, self.norm)
        normed: Tensor = self.norm(F.relu(self.conv(images_BCHW), inplace=True))
        return normed


def norm_and_classify(features_BCHW: Tensor, norm: BatchNorm, classify: nn.Conv2d) -> Tensor:
    """logits_BKHW, of a 1x1 convolution of the normalised features."""
    if layers := fused_layers(features_BCHW):
        return layers.norm_and_classify(features_BCHW, norm, classify)
    logits: Tensor = classify(norm(features_BCHW))
    return logits


# On a GPU, a ReLU's output may have channels of zeros behind its own (trainers/gpu/layers.py).


def classify(features_BCHW: Tensor, classifier: nn.Conv2d) -> Tensor:
    """logits_BKHW, of a 1x1 convolution."""
    if features_BCHW.shape[1] > classifier.in_channels:
        from trainers.gpu import layers as gpu_layers

        return gpu_layers.classify(features_BCHW, classifier)
    logits: Tensor = classifier(features_BCHW)
    return logits


def concatenate(relu_BCHW: Tensor, skip_BCHW: Tensor, channels: int) -> Tensor:
    """The channels of a ReLU's output, which are so many, then those of `skip`."""
    if relu_BCHW.shape[1] > channels:
        from trainers.gpu import layers as gpu_layers

        return gpu_layers.concatenate(relu_BCHW, skip_BCHW, channels)
    return torch.cat([relu_BCHW, skip_BCHW], dim=1)


def upsample_nearest(images_BCHW: Tensor) -> Tensor:
    """Each pixel becomes 2 x 2. Its backward pass is deterministic on CUDA too, which that of bilinear is not."""
    return F.interpolate(images_BCHW, scale_factor=2.0, mode="nearest")


def upsample_and_add(coarse_BCHW: Tensor, fine_BCHW: Tensor) -> Tensor:
    """`coarse`, upsampled to twice its size, plus `fine`."""
    if layers := fused_layers(coarse_BCHW):
        return upsampling.upsample_and_add(layers.kernels, coarse_BCHW, fine_BCHW)
    return upsample_nearest(coarse_BCHW) + fine_BCHW


# Interpolation and pooling are linear along each axis. As products with fixed matrices they have gradients that are the
# same in every run on CUDA; those of torch's own bilinear interpolation and adaptive pooling are not.

Matrix = Callable[[int, int, torch.dtype, torch.device], Tensor]


def resize_bilinear(images_BCHW: Tensor, height: int, width: int) -> Tensor:
    """Bilinear, half-pixel centres, edges repeated: `F.interpolate(..., align_corners=False)`."""
    return _resample(images_BCHW, height, width, _bilinear_matrix)


def average_pool(images_BCHW: Tensor, bins: int) -> Tensor:
    """Means over bins x bins regions that may overlap by a pixel: `F.adaptive_avg_pool2d`."""
    return _resample(images_BCHW, bins, bins, _pooling_matrix)


def _resample(images_BCHW: Tensor, height: int, width: int, matrix: Matrix) -> Tensor:
    """(B, C, H, W) -> (B, C, height, width), channels last: `matrix` along both axes."""
    images_BHWC = images_BCHW.permute(0, 2, 3, 1)
    for size in (height, width):  # each pass maps the first of the two axes and swaps them
        B, H, W, C = images_BHWC.shape
        weights_YH = matrix(size, H, images_BHWC.dtype, images_BHWC.device)
        images_BHWC = (weights_YH @ images_BHWC.reshape(B, H, W * C)).view(B, size, W, C).transpose(1, 2)
    return images_BHWC.contiguous().permute(0, 3, 1, 2)


@cache  # else every use would wait for a copy to the device
@torch.inference_mode(False)  # or a matrix first used under inference mode could take no part in training
def _bilinear_matrix(outputs: int, inputs: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(outputs, inputs): the weights of each input in each output along one axis; rows sum to 1."""
    centres = ((np.arange(outputs) + 0.5) * inputs / outputs - 0.5).clip(0, inputs - 1)
    weights = (1 - abs(centres[:, None] - np.arange(inputs))).clip(0)
    return torch.tensor(weights, dtype=dtype, device=device)


@cache
@torch.inference_mode(False)
def _pooling_matrix(bins: int, inputs: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(bins, inputs): bin b averages the inputs from floor(b n / bins) to ceil((b + 1) n / bins)."""
    region, pixel = np.arange(bins)[:, None], np.arange(inputs)
    inside = (pixel >= region * inputs // bins) & (pixel < -(-(region + 1) * inputs // bins))
    return torch.tensor(inside / inside.sum(1, keepdims=True), dtype=dtype, device=device)
