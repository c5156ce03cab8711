"""BiSeNet: Bilateral Segmentation Network for Real-time Semantic Segmentation (arXiv 1808.00897), at the scale of this
study: 3,330,965 parameters at width 1.0 with 7 classes.

Shapes: B batch, C channels, H and W pixels of the image, h and w of features, K classes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainers.networks.blocks import resize_bilinear, scaled
from trainers.networks.residual import Encoder, conv, conv_bn, conv_bn_relu


class BiSeNet(nn.Module):
    """A wide and shallow path keeps detail at 1/8, a deep one sees the whole image; then both are fused. Two auxiliary
    predictions by the deep path, in training."""

    output_weights = (1.0, 1.0, 1.0)

    def __init__(self, num_classes: int, width: float = 1.0) -> None:
        super().__init__()
        c32, c64 = scaled(32, width), scaled(64, width)
        self.spatial = nn.Sequential(
            conv_bn_relu(3, c32, kernel=7, stride=2),
            conv_bn_relu(c32, c32, stride=2),
            conv_bn_relu(c32, c32, stride=2),
            conv_bn_relu(c32, c64, kernel=1),
        )
        self.context = ContextPath(c64, width)
        self.fuse = FeatureFusion(2 * c64)
        self.head, self.head_8, self.head_16 = (
            nn.Sequential(conv_bn_relu(inputs, c64), nn.Conv2d(c64, num_classes, 1)) for inputs in (2 * c64, c64, c64)
        )

    def forward(self, images_BCHW: Tensor) -> tuple[Tensor, ...]:
        """logits_BKHW; in training also those of 1/8 and 1/16 resolution. H and W must be multiples of 16."""
        at_8, at_16 = self.context(images_BCHW)
        fused = self.fuse(torch.cat([self.spatial(images_BCHW), at_8], dim=1))
        logits = resize_bilinear(self.head(fused), *images_BCHW.shape[2:])
        return (logits, self.head_8(at_8), self.head_16(at_16)) if self.training else (logits,)


class ContextPath(nn.Module):
    """A residual encoder. Its features at 1/32 and 1/16 are weighted by attention and summed, with the image's mean."""

    def __init__(self, outputs: int, width: float) -> None:
        super().__init__()
        self.encoder = Encoder(width)
        *_, third, fourth = self.encoder.channels
        self.of_all = conv_bn_relu(fourth, outputs, kernel=1)
        self.refine_32, self.refine_16 = AttentionRefinement(fourth, outputs), AttentionRefinement(third, outputs)
        self.smooth_16, self.smooth_8 = conv_bn_relu(outputs, outputs), conv_bn_relu(outputs, outputs)

    def forward(self, images_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Features at 1/8 and at 1/16."""
        _, at_8, at_16, at_32 = self.encoder(images_BCHW)
        summed_32 = self.refine_32(at_32) + self.of_all(_mean(at_32))
        up_16 = self.smooth_16(resize_bilinear(summed_32, *at_16.shape[2:]))
        summed_16 = self.refine_16(at_16) + up_16
        return self.smooth_8(resize_bilinear(summed_16, *at_8.shape[2:])), up_16


class AttentionRefinement(nn.Module):
    """A convolution whose channels are weighted by what the whole image has in them."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.features = conv_bn_relu(inputs, outputs)
        self.attention = conv_bn(outputs, outputs, kernel=1).append(nn.Sigmoid())

    def forward(self, features_BChw: Tensor) -> Tensor:
        features = self.features(features_BChw)
        refined: Tensor = features * self.attention(_mean(features))
        return refined


class FeatureFusion(nn.Module):
    """A 1x1 convolution of both paths' features, some channels of which are then strengthened, by what the whole image
    has in them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        quarter = scaled(channels, 0.25)
        self.features = conv_bn_relu(channels, channels, kernel=1)
        self.attention = nn.Sequential(
            conv(channels, quarter, kernel=1), nn.ReLU(inplace=True), conv(quarter, channels, kernel=1), nn.Sigmoid()
        )

    def forward(self, features_BChw: Tensor) -> Tensor:
        features = self.features(features_BChw)
        fused: Tensor = features + features * self.attention(_mean(features))
        return fused


def _mean(features_BChw: Tensor) -> Tensor:
    """(B, C, 1, 1): global average pooling."""
    return features_BChw.mean(dim=(2, 3), keepdim=True)
