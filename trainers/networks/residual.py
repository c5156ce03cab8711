"""What the networks after ResNet (arXiv 1512.03385) share. Batch norms have torch's own momentum and epsilon, not those
of the paper's authors' Keras. Shapes: B batch, C channels, H and W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainers.networks.blocks import scaled

_PLAIN = (1, 1)
"""Dilations of a stage's blocks: two, which leave no pixel out."""


class Encoder(nn.Module):
    """A small ResNet: a stem to 1/4 of the image's size, then four stages of basic blocks at 1/4, 1/8, 1/16 and 1/32.

    :param dilations: of the blocks of the last two stages, which then stay at 1/8
    :param before_relu: the features are those before the last ReLU of each stage
    """

    def __init__(self, width: float, dilations: Sequence[Sequence[int]] = (), *, before_relu: bool = False) -> None:
        super().__init__()
        self.channels = c32, c64, c128, c256 = tuple(scaled(channels, width) for channels in (32, 64, 128, 256))
        self._before_relu = before_relu
        self.stem = nn.Sequential(conv_bn_relu(3, c32, stride=2), conv_bn_relu(c32, c32, stride=2))
        third, fourth = dilations or (_PLAIN, _PLAIN)
        stride = 1 if dilations else 2
        self.stages = nn.ModuleList(
            [
                stage(c32, c32, stride=1),
                stage(c32, c64, stride=2),
                stage(c64, c128, stride, third),
                stage(c128, c256, stride, fourth),
            ]
        )

    def forward(self, images_BCHW: Tensor) -> list[Tensor]:
        """Features of the four stages; sides that are odd are halved upwards."""
        features, of_stages = self.stem(images_BCHW), []
        for blocks in self.stages:
            summed = blocks(features)
            features = torch.relu(summed)
            of_stages.append(summed if self._before_relu else features)
        return of_stages


def stage(inputs: int, outputs: int, stride: int, dilations: Sequence[int] = _PLAIN) -> nn.Sequential:
    """A basic block for each dilation, a ReLU between each two, none after the last."""
    first, *others = dilations
    blocks: list[nn.Module] = [BasicBlock(inputs, outputs, stride, first)]
    for dilation in others:
        blocks += [nn.ReLU(inplace=True), BasicBlock(outputs, outputs, dilation=dilation)]
    return nn.Sequential(*blocks)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside the shortcut; their sum, to which a ReLU has yet to be applied."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv_bn_relu(inputs, outputs, stride=stride, dilation=dilation),
            conv_bn(outputs, outputs, dilation=dilation),
        )
        self.shortcut = shortcut(inputs, outputs, stride)

    def forward(self, features_BCHW: Tensor) -> Tensor:
        summed: Tensor = self.body(features_BCHW) + self.shortcut(features_BCHW)
        return summed


def shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    """The identity, or a 1x1 convolution where the shape changes."""
    if inputs == outputs and stride == 1:
        return nn.Identity()
    return projection(inputs, outputs, stride).append(nn.BatchNorm2d(outputs))


def projection(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """A 1x1 convolution of every `stride`-th pixel.

    Of eight channels, those pixels are taken first: oneDNN 3.12's own strided convolution of so few writes the gradient
    of its weights beyond its memory (in float32, with AVX-512), and the process ends.
    """
    if inputs > 8:
        return nn.Sequential(conv(inputs, outputs, kernel=1, stride=stride))
    return nn.Sequential(nn.AvgPool2d(1, stride), conv(inputs, outputs, kernel=1))


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    """Padded to keep the size at stride 1. No bias: a batch norm has one."""
    return nn.Conv2d(inputs, outputs, kernel, stride, dilation * (kernel // 2), dilation, bias=False)


def conv_bn(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(conv(inputs, outputs, kernel, stride, dilation), nn.BatchNorm2d(outputs))


def conv_bn_relu(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """The order of ResNet, unlike that of the paper's authors."""
    return conv_bn(inputs, outputs, kernel, stride, dilation).append(nn.ReLU(inplace=True))


def bn_relu(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(inplace=True))


def bn_relu_conv(inputs: int, outputs: int, kernel: int = 3, dilation: int = 1) -> nn.Sequential:
    """Pre-activation: the order of ResNet's second edition (arXiv 1603.05027)."""
    return bn_relu(inputs).append(conv(inputs, outputs, kernel, dilation=dilation))
