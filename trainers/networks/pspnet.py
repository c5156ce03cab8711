"""PSPNet: Pyramid Scene Parsing Network (arXiv 1612.01105), at this study's scale.

3,467,886 parameters at width 1.0 with 7 classes. Shapes: B batch, C channels, H and W pixels of the image, K classes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainers.networks.blocks import average_pool, resize_bilinear, scaled
from trainers.networks.residual import Encoder, conv_bn_relu

GRIDS = (1, 2, 3, 6)


class PSPNet(nn.Module):
    """A residual encoder that stays at 1/8 by dilation, then means over the whole image and over its parts beside every
    feature. An auxiliary prediction after the third stage, in training."""

    output_weights = (1.0, 0.4)

    def __init__(self, num_classes: int, width: float = 1.0) -> None:
        super().__init__()
        self.encoder = Encoder(width, dilations=((2, 2), (4, 4)))
        *_, third, fourth = self.encoder.channels
        self.pyramid = PyramidPooling(fourth)
        c128 = scaled(128, width)
        self.head = nn.Sequential(
            conv_bn_relu(self.pyramid.outputs, c128), nn.Dropout(0.1), nn.Conv2d(c128, num_classes, 1)
        )
        self.auxiliary = nn.Conv2d(third, num_classes, 1)

    def forward(self, images_BCHW: Tensor) -> tuple[Tensor, ...]:
        """logits_BKHW; in training also those of 1/8 resolution. H and W must be multiples of 8."""
        *_, third, fourth = self.encoder(images_BCHW)
        logits = resize_bilinear(self.head(self.pyramid(fourth)), *images_BCHW.shape[2:])
        return (logits, self.auxiliary(third)) if self.training else (logits,)


class PyramidPooling(nn.Module):
    """The features, and behind them their means over grids of regions, each reduced to a quarter of the channels."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        quarter = scaled(inputs, 0.25)
        self.reduce = nn.ModuleList(conv_bn_relu(inputs, quarter, kernel=1) for _ in GRIDS)
        self.outputs = inputs + len(GRIDS) * quarter

    def forward(self, features_BCHW: Tensor) -> Tensor:
        height, width = features_BCHW.shape[2:]
        pooled = [
            resize_bilinear(reduce(average_pool(features_BCHW, grid)), height, width)
            for grid, reduce in zip(GRIDS, self.reduce, strict=True)
        ]
        return torch.cat([features_BCHW, *pooled], dim=1)
