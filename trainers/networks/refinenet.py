"""RefineNet: Multi-Path Refinement Networks for High-Resolution Semantic Segmentation (arXiv 1611.06612), at this
study's scale: 4,954,311 parameters at width 1.0 with 7 classes.

Shapes: B batch, C channels, H and W pixels of the image, h and w of features, K classes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainers.networks.blocks import resize_bilinear, scaled
from trainers.networks.residual import Encoder

_POOLS = 2
_SHARE = 0.1
"""Of what is added to features, as in Inception-ResNet (arXiv 1602.07261). If all of it were, sum after sum without a
batch norm, a new network's logits would have a standard deviation of 20, and it would learn little."""


class RefineNet(nn.Module):
    """A residual encoder, and four blocks that refine the coarse features by the fine ones, from 1/32 to 1/4."""

    def __init__(self, num_classes: int, width: float = 1.0) -> None:
        super().__init__()
        self.encoder = Encoder(width)
        c64, c96 = scaled(64, width), scaled(96, width)
        first, second, third, fourth = self.encoder.channels
        self.refine = nn.ModuleList(
            [
                RefineBlock(fourth, c96),
                RefineBlock(third, c64, coarser=c96),
                RefineBlock(second, c64, coarser=c64),
                RefineBlock(first, c64, coarser=c64),
            ]
        )
        self.head = nn.Sequential(nn.Dropout(0.5), _conv(c64, num_classes))

    def forward(self, images_BCHW: Tensor) -> tuple[Tensor, ...]:
        """(logits_BKHW,); H and W must be multiples of 4."""
        refined = None
        for refine, features in zip(self.refine, reversed(self.encoder(images_BCHW)), strict=True):
            refined = refine(features, refined)
        return (resize_bilinear(self.head(refined), *images_BCHW.shape[2:]),)


class RefineBlock(nn.Module):
    """Residual units, fusion with the coarser block's output, chained residual pooling, a last residual unit. Without
    batch norms, and with identities all the way, for the sake of the gradients.

    :param coarser: channels of the coarser block's output; 0: there is none, and nothing to fuse
    """

    def __init__(self, inputs: int, channels: int, coarser: int = 0) -> None:
        super().__init__()
        self.adapt = nn.Sequential(_conv(inputs, channels), ResidualUnit(channels), ResidualUnit(channels))
        self.fuse = nn.ModuleList(_conv(each, channels) for each in (channels, coarser)) if coarser else None
        self.pool = ChainedResidualPooling(channels)
        self.refine = ResidualUnit(channels)

    def forward(self, features_BChw: Tensor, coarser: Tensor | None) -> Tensor:
        fused = self.adapt(features_BChw)
        if self.fuse is not None and coarser is not None:
            of_features, of_coarser = self.fuse
            fused = of_features(fused) + resize_bilinear(of_coarser(coarser), *features_BChw.shape[2:])
        refined: Tensor = self.refine(self.pool(torch.relu(fused)))
        return refined


class ResidualUnit(nn.Module):
    """ReLU and a 3x3 convolution, twice, added to the features."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = _conv(channels, channels), _conv(channels, channels)

    def forward(self, features_BChw: Tensor) -> Tensor:
        added: Tensor = features_BChw + _SHARE * self.second(torch.relu(self.first(torch.relu(features_BChw))))
        return added


class ChainedResidualPooling(nn.Module):
    """Maxima of 5x5 pixels and a 3x3 convolution, one after the other, each added to the features."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(_conv(channels, channels) for _ in range(_POOLS))

    def forward(self, features_BChw: Tensor) -> Tensor:
        summed = pooled = features_BChw
        for convolution in self.convolutions:
            pooled = convolution(F.max_pool2d(pooled, 5, stride=1, padding=2))
            summed = summed + _SHARE * pooled
        return summed


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    """With a bias, as no batch norm follows."""
    return nn.Conv2d(inputs, outputs, 3, padding=1)
