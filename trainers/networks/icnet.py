"""The paper's "adjusted ICNet" as its authors built it: 961,783 parameters at width 1.0 with 7 classes.

Shapes: B batch, H and W pixels of the image, K classes.
"""

from __future__ import annotations

from torch import Tensor, nn

from trainers.networks.blocks import BatchNorm, ConvReLU, ConvReLUNorm, norm_and_classify, scaled, upsample_and_add


class ICNet(nn.Module):
    """Three branches at full, half and quarter resolution, fused from the coarsest to the finest; one output."""

    def __init__(self, num_classes: int, width: float = 1.0) -> None:
        super().__init__()
        c16, c32, c64, c128, c256 = (scaled(channels, width) for channels in (16, 32, 64, 128, 256))
        self.full = nn.Sequential(ConvReLUNorm(3, c16), ConvReLUNorm(c16, c16), ConvReLUNorm(c16, c32))
        self.halved = nn.Sequential(
            ConvReLU(3, c16, stride=2), ConvReLUNorm(c16, c64), ConvReLUNorm(c64, c64), ConvReLUNorm(c64, c64)
        )
        self.quartered = nn.Sequential(
            ConvReLU(c64, c128, stride=2), ConvReLUNorm(c128, c128), ConvReLUNorm(c128, c128), ConvReLUNorm(c128, c256)
        )
        # The authors upsample first and dilate by 2. Between repeated pixels that is this convolution, repeated: the
        # same function of the same weights, for a quarter of the arithmetic.
        self.before_half = ConvReLU(c256, c64)
        self.after_half = ConvReLUNorm(c64, c64, dilation=2)
        self.before_full = ConvReLU(c64, c32)
        self.after_full = BatchNorm(c32)
        self.classify = nn.Conv2d(c32, num_classes, 1)

    def forward(self, images_BCHW: Tensor) -> tuple[Tensor, ...]:
        """(logits_BKHW,); H and W must be multiples of 4."""
        full = self.full(images_BCHW)
        half = self.halved(images_BCHW)
        quarter = self.quartered(half)
        fused = self.after_half(upsample_and_add(self.before_half(quarter), half))
        fused = upsample_and_add(self.before_full(fused), full)
        return (norm_and_classify(fused, self.after_full, self.classify),)
