"""The elements of the original ICNet (arXiv 1704.08545) that the paper describes and its authors left out.

Image cascade at 1, 1/2 and 1/4; pyramid pooling; cascade feature fusion; cascade label guidance. Under 1M parameters at
width 1.0. Shapes: B batch, C channels, H and W pixels of the image, K classes.
"""

from __future__ import annotations

from torch import Tensor, nn

from trainers.models.blocks import SameConv, average_pool, batch_norm, resize_bilinear, scaled

PYRAMID_BINS = (1, 2, 3, 6)


class ICNetCascade(nn.Module):
    """The low branch is deep and sees much, the high one is shallow and sees detail; each fusion doubles the scale."""

    def __init__(self, num_classes: int, width: float = 1.0) -> None:
        super().__init__()
        c32, c64, c96, c128 = (scaled(channels, width) for channels in (32, 64, 96, 128))
        self.high = nn.Sequential(_conv_bn_relu(3, c32, stride=2), _conv_bn_relu(c32, c64, stride=2))
        # Shared by the half and the quarter image: up to 1/8 of the image that goes in.
        self.shared = nn.Sequential(
            _conv_bn_relu(3, c32, stride=2),
            _conv_bn_relu(c32, c32),
            _conv_bn_relu(c32, c64, stride=2),
            ResidualBlock(c64, c64),
        )
        self.low = nn.Sequential(
            ResidualBlock(c64, c96, dilation=2),
            ResidualBlock(c96, c128, dilation=2),
            ResidualBlock(c128, c128, dilation=4),
        )
        self.reduce = _conv_bn_relu(c128, c64, kernel=1)
        self.fuse_half = CascadeFeatureFusion(c64, c64, c64)
        self.fuse_full = CascadeFeatureFusion(c64, c64, c64)
        self.classify_16, self.classify_8, self.classify_4 = (nn.Conv2d(c64, num_classes, 1) for _ in range(3))

    def forward(self, images_BCHW: Tensor) -> tuple[Tensor, ...]:
        """logits_BKHW; in training also those of 1/8 and 1/16 resolution. H and W must be multiples of 16."""
        height, width = images_BCHW.shape[2:]
        half_image = resize_bilinear(images_BCHW, height // 2, width // 2)
        quarter_image = resize_bilinear(images_BCHW, height // 4, width // 4)
        low = self.low(self.shared(quarter_image))
        low = self.reduce(low + sum(resize_bilinear(average_pool(low, bins), *low.shape[2:]) for bins in PYRAMID_BINS))
        middle = self.fuse_half(low, self.shared(half_image))
        high = self.fuse_full(middle, self.high(images_BCHW))
        logits = resize_bilinear(self.classify_4(high), height, width)
        if not self.training:
            return (logits,)
        # The guidance: predictions made before each fusion doubles the scale, as wide as the features they come from.
        return logits, self.classify_8(middle), self.classify_16(low)


class CascadeFeatureFusion(nn.Module):
    """Low features, upsampled bilinearly and convolved with dilation, plus the high ones."""

    def __init__(self, low: int, high: int, outputs: int) -> None:
        super().__init__()
        self.low = nn.Sequential(SameConv(low, outputs, dilation=2), batch_norm(outputs))
        self.high = nn.Sequential(nn.Conv2d(high, outputs, 1), batch_norm(outputs))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, low_BCHW: Tensor, high_BCHW: Tensor) -> Tensor:
        upsampled = resize_bilinear(low_BCHW, *high_BCHW.shape[2:])
        fused: Tensor = self.relu(self.low(upsampled) + self.high(high_BCHW))
        return fused


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, dilated, beside the identity (or a 1x1 convolution where the channels change)."""

    def __init__(self, inputs: int, outputs: int, dilation: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _conv_bn_relu(inputs, outputs, dilation=dilation),
            SameConv(outputs, outputs, dilation=dilation),
            batch_norm(outputs),
        )
        self.skip = (
            nn.Identity() if inputs == outputs else nn.Sequential(nn.Conv2d(inputs, outputs, 1), batch_norm(outputs))
        )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, features_BCHW: Tensor) -> Tensor:
        features: Tensor = self.relu(self.body(features_BCHW) + self.skip(features_BCHW))
        return features


def _conv_bn_relu(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """The order of the original, unlike that of the paper's authors."""
    return nn.Sequential(
        SameConv(inputs, outputs, kernel, stride, dilation), batch_norm(outputs), nn.ReLU(inplace=True)
    )
