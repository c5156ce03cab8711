"""The paper's "adjusted ICNet" as its authors built it: 961,783 parameters at width 1.0 with 7 classes.

Shapes: B batch, H and W pixels of the image, K classes.
"""

from __future__ import annotations

from torch import Tensor, nn

from trainers.models.blocks import batch_norm, conv_relu, conv_relu_bn, scaled, upsample_nearest


class ICNet(nn.Module):
    """Three branches at full, half and quarter resolution, fused from the coarsest to the finest; one output."""

    def __init__(self, num_classes: int, width: float = 1.0) -> None:
        super().__init__()
        c16, c32, c64, c128, c256 = (scaled(channels, width) for channels in (16, 32, 64, 128, 256))
        self.full = nn.Sequential(conv_relu_bn(3, c16), conv_relu_bn(c16, c16), conv_relu_bn(c16, c32))
        self.halved = nn.Sequential(
            conv_relu(3, c16, stride=2), conv_relu_bn(c16, c64), conv_relu_bn(c64, c64), conv_relu_bn(c64, c64)
        )
        self.quartered = nn.Sequential(
            conv_relu(c64, c128, stride=2), conv_relu_bn(c128, c128), conv_relu_bn(c128, c128), conv_relu_bn(c128, c256)
        )
        # The authors upsample first and dilate by 2. Between repeated pixels that is this convolution, repeated: the
        # same function of the same weights, for a quarter of the arithmetic.
        self.before_half = conv_relu(c256, c64)
        self.after_half = nn.Sequential(conv_relu(c64, c64, dilation=2), batch_norm(c64))
        self.before_full = conv_relu(c64, c32)
        self.after_full = batch_norm(c32)
        self.classify = nn.Conv2d(c32, num_classes, 1)

    def forward(self, images_BCHW: Tensor) -> tuple[Tensor, ...]:
        """(logits_BKHW,); H and W must be multiples of 4."""
        full = self.full(images_BCHW)
        half = self.halved(images_BCHW)
        quarter = self.quartered(half)
        fused = self.after_half(upsample_nearest(self.before_half(quarter)) + half)
        fused = self.after_full(upsample_nearest(self.before_full(fused)) + full)
        return (self.classify(fused),)
