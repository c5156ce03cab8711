"""The elements of the original ICNet (arXiv 1704.08545) that the paper describes and its authors left out.

Image cascade at 1, 1/2 and 1/4; pyramid pooling; cascade feature fusion; cascade label guidance. Under 1M parameters at
width 1.0. Shapes: B batch, C channels, H and W pixels of the image, K classes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainers.networks.blocks import average_pool, resize_bilinear, scaled
from trainers.networks.residual import conv_bn, conv_bn_relu, shortcut

PYRAMID_BINS = (1, 2, 3, 6)


class ICNetCascade(nn.Module):
    """The low branch is deep and sees much, the high one is shallow and sees detail; each fusion doubles the scale.

    The low branch, the quarter image's, goes on from the middle one's features at half their size, as in the original:
    so the two images share the early weights, which run once, and their batch norms keep the statistics of one scale.
    """

    output_weights = (1.0, 0.4, 0.16)
    """Of the losses at 1/4, 1/8 and 1/16, unless the recipe gives others: the original's cascade label guidance."""

    def __init__(self, num_classes: int, width: float = 1.0) -> None:
        super().__init__()
        c32, c64, c128, c256 = (scaled(channels, width) for channels in (32, 64, 128, 256))
        self.high = nn.Sequential(  # of the image, to 1/8 of its size
            conv_bn_relu(3, c32, stride=2), conv_bn_relu(c32, c32, stride=2), conv_bn_relu(c32, c64, stride=2)
        )
        self.middle = nn.Sequential(  # of the half image, to 1/16
            conv_bn_relu(3, c32, stride=2),
            conv_bn_relu(c32, c32),
            conv_bn_relu(c32, c64),
            ResidualBlock(c64, c128, stride=2),
            ResidualBlock(c128, c128),
            ResidualBlock(c128, c256, stride=2),
        )
        # Onwards at 1/32. The original also dilates by 4: in the 4 x 4 features of a 128-pixel image, that is padding.
        self.low = nn.Sequential(ResidualBlock(c256, c256), *(ResidualBlock(c256, c256, dilation=2) for _ in range(4)))
        self.reduce = conv_bn_relu(c256, c128, kernel=1)
        self.fuse_16 = CascadeFeatureFusion(c128, c256, c128)
        self.fuse_8 = CascadeFeatureFusion(c128, c64, c128)
        self.classify_16, self.classify_8, self.classify_4 = (nn.Conv2d(c128, num_classes, 1) for _ in range(3))

    def forward(self, images_BCHW: Tensor) -> tuple[Tensor, ...]:
        """logits_BKHW; in training also those of 1/8 and 1/16 resolution. H and W must be multiples of 16."""
        height, width = images_BCHW.shape[2:]
        high = self.high(images_BCHW)
        middle = self.middle(resize_bilinear(images_BCHW, height // 2, width // 2))
        low = self.low(resize_bilinear(middle, -(-height // 32), -(-width // 32)))
        low = low + sum(resize_bilinear(average_pool(low, bins), *low.shape[2:]) for bins in PYRAMID_BINS)

        at_16 = resize_bilinear(self.reduce(low), height // 16, width // 16)
        at_8 = resize_bilinear(self.fuse_16(at_16, middle), height // 8, width // 8)
        at_4 = resize_bilinear(self.fuse_8(at_8, high), height // 4, width // 4)
        logits = resize_bilinear(self.classify_4(at_4), height, width)
        if not self.training:
            return (logits,)
        # The guidance: a prediction from what each branch has been upsampled to.
        return logits, self.classify_8(at_8), self.classify_16(at_16)


class CascadeFeatureFusion(nn.Module):
    """Low features, upsampled bilinearly and convolved with dilation, plus the high ones of that size."""

    def __init__(self, low: int, high: int, outputs: int) -> None:
        super().__init__()
        self.low, self.high = conv_bn(low, outputs, dilation=2), conv_bn(high, outputs, kernel=1)

    def forward(self, low_BCHW: Tensor, high_BCHW: Tensor) -> Tensor:
        return torch.relu_(self.low(low_BCHW) + self.high(high_BCHW))


class ResidualBlock(nn.Module):
    """A bottleneck: 1x1 convolution to a quarter of the channels, 3x3, 1x1 back; beside the identity, or a 1x1
    convolution where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        inner = scaled(outputs, 0.25)
        self.body = nn.Sequential(
            conv_bn_relu(inputs, inner, kernel=1),
            conv_bn_relu(inner, inner, stride=stride, dilation=dilation),
            conv_bn(inner, outputs, kernel=1),
        )
        self.skip = shortcut(inputs, outputs, stride)

    def forward(self, features_BCHW: Tensor) -> Tensor:
        return torch.relu_(self.body(features_BCHW) + self.skip(features_BCHW))
