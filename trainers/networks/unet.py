"""The paper's "adjusted U-Net" as its authors built it: 24,049,237 parameters at width 1.0 with 7 classes.

Shapes: B batch, H and W pixels of the image, K classes.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from trainers.networks.blocks import ConvReLU, ConvReLUNorm, UpConvReLU, classify, concatenate, scaled


class UNet(nn.Module):
    """Four levels down, a bottleneck, four levels up; the skip connections carry the batch norms' outputs."""

    def __init__(self, num_classes: int, width: float = 1.0) -> None:
        super().__init__()
        levels = [scaled(channels, width) for channels in (64, 128, 256, 512)]
        below, bottleneck = levels[-1], scaled(1024, width)
        self.down = nn.ModuleList(
            nn.Sequential(
                ConvReLU(inputs, outputs),
                ConvReLU(outputs, outputs),
                ConvReLUNorm(outputs, outputs),
            )
            for inputs, outputs in zip([3, *levels], levels, strict=False)
        )
        self.bottleneck = nn.Sequential(ConvReLUNorm(below, bottleneck), ConvReLU(bottleneck, below))
        self.halve, self.up, self.halved = nn.ModuleList(), nn.ModuleList(), []
        for skip in reversed(levels):
            halved = below // 2
            outputs = (halved + skip) // 2
            self.halved.append(halved)
            self.halve.append(UpConvReLU(below, halved))
            self.up.append(nn.Sequential(ConvReLU(halved + skip, outputs), ConvReLUNorm(outputs, outputs)))
            below = outputs
        self.classify = nn.Conv2d(below, num_classes, 1)

    def forward(self, images_BCHW: Tensor) -> tuple[Tensor, ...]:
        """(logits_BKHW,); H and W must be multiples of 16."""
        features, skips = images_BCHW, []
        for level in self.down:
            skips.append(level(features))
            features = F.max_pool2d(skips[-1], 2)
        features = self.bottleneck(features)
        for halve, up, halved, skip in zip(self.halve, self.up, self.halved, reversed(skips), strict=True):
            features = up(concatenate(halve(features), skip, halved))
        return (classify(features, self.classify),)
