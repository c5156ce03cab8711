"""SwiftNet: In Defense of Pre-trained ImageNet Architectures for Real-time Semantic Segmentation of Road-driving Images
(arXiv 1903.08469), with one scale, at this study's scale and from scratch.

2,968,519 parameters at width 1.0 with 7 classes. Shapes: B batch, C channels, H and W pixels of the image, h and w of
features, K classes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainers.networks.blocks import average_pool, resize_bilinear, scaled
from trainers.networks.residual import Encoder, bn_relu, bn_relu_conv

GRIDS = (4, 2, 1)


class SwiftNet(nn.Module):
    """A residual encoder, pyramid pooling at 1/32, and a slim decoder, to 1/4: each of its steps adds the features of
    that size, as they are before the last ReLU of their stage."""

    def __init__(self, num_classes: int, width: float = 1.0) -> None:
        super().__init__()
        self.encoder = Encoder(width, before_relu=True)
        c64 = scaled(64, width)
        *skips, fourth = self.encoder.channels
        self.pyramid = PyramidPooling(fourth, c64)
        self.up = nn.ModuleList(Up(skip, c64) for skip in reversed(skips))
        self.head = bn_relu(c64).append(nn.Conv2d(c64, num_classes, 1))

    def forward(self, images_BCHW: Tensor) -> tuple[Tensor, ...]:
        """(logits_BKHW,); H and W must be multiples of 4."""
        *skips, at_32 = self.encoder(images_BCHW)
        features = self.pyramid(at_32)
        for up, skip in zip(self.up, reversed(skips), strict=True):
            features = up(features, skip)
        return (resize_bilinear(self.head(features), *images_BCHW.shape[2:]),)


class PyramidPooling(nn.Module):
    """The features with fewer channels, and their means over grids of regions; then all of them fused."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        third = scaled(outputs, 1 / len(GRIDS))
        self.reduce = bn_relu_conv(inputs, outputs, kernel=1)
        self.levels = nn.ModuleList(bn_relu_conv(outputs, third, kernel=1) for _ in GRIDS)
        self.fuse = bn_relu_conv(outputs + len(GRIDS) * third, outputs, kernel=1)

    def forward(self, features_BChw: Tensor) -> Tensor:
        reduced = self.reduce(features_BChw)
        pooled = [
            resize_bilinear(level(average_pool(reduced, grid)), *reduced.shape[2:])
            for grid, level in zip(GRIDS, self.levels, strict=True)
        ]
        fused: Tensor = self.fuse(torch.cat([reduced, *pooled], dim=1))
        return fused


class Up(nn.Module):
    """Bilinear upsampling to the skip's size, the skip added, and a convolution of both."""

    def __init__(self, skip: int, channels: int) -> None:
        super().__init__()
        self.lateral = bn_relu_conv(skip, channels, kernel=1)
        self.blend = bn_relu_conv(channels, channels)

    def forward(self, coarse_BChw: Tensor, skip_BChw: Tensor) -> Tensor:
        blended: Tensor = self.blend(resize_bilinear(coarse_BChw, *skip_BChw.shape[2:]) + self.lateral(skip_BChw))
        return blended
