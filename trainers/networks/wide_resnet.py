"""Wider or Deeper: Revisiting the ResNet Model for Visual Recognition (arXiv 1611.10080): its model A, at the scale of
this study: 3,290,471 parameters at width 1.0 with 7 classes.

Shapes: B batch, C channels, H and W pixels of the image, K classes.
"""

from __future__ import annotations

from torch import Tensor, nn

from trainers.networks.blocks import resize_bilinear, scaled
from trainers.networks.residual import bn_relu, bn_relu_conv, conv, projection


class WideResNet(nn.Module):
    """Few blocks of many channels, pre-activated. Of five halvings of the size the last two are dilations, so that no
    decoder is needed: two dilated convolutions predict at 1/8.

    The original dilates these two by 12: in the 16 x 16 features of a 128-pixel image, that is mostly padding.
    """

    def __init__(self, num_classes: int, width: float = 1.0) -> None:
        super().__init__()
        c32, c64, c128, c192, c256 = (scaled(channels, width) for channels in (32, 64, 128, 192, 256))
        self.features = nn.Sequential(
            conv(3, c32),
            PreActivated(c32, c64, stride=2),
            PreActivated(c64, c64),
            PreActivated(c64, c128, stride=2),
            PreActivated(c128, c128),
            PreActivated(c128, c192, stride=2),
            PreActivated(c192, c192, dilation=2, dropout=0.3),
            PreActivated(c192, c256, dilation=4, dropout=0.5),
        )
        self.head = nn.Sequential(
            bn_relu_conv(c256, c128, dilation=4),
            bn_relu(c128),
            nn.Conv2d(c128, num_classes, 3, padding=4, dilation=4),
        )

    def forward(self, images_BCHW: Tensor) -> tuple[Tensor, ...]:
        """(logits_BKHW,); H and W must be multiples of 8."""
        return (resize_bilinear(self.head(self.features(images_BCHW)), *images_BCHW.shape[2:]),)


class PreActivated(nn.Module):
    """Batch norm, ReLU and a 3x3 convolution, twice, plus the identity or a 1x1 convolution where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, dilation: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        self.activate = bn_relu(inputs)
        self.body = nn.Sequential(
            conv(inputs, outputs, stride=stride, dilation=dilation),
            bn_relu(outputs),
            nn.Dropout(dropout),
            conv(outputs, outputs, dilation=dilation),
        )
        same_shape = inputs == outputs and stride == 1
        self.project = None if same_shape else projection(inputs, outputs, stride)

    def forward(self, features_BCHW: Tensor) -> Tensor:
        activated = self.activate(features_BCHW)
        skipped = features_BCHW if self.project is None else self.project(activated)
        summed: Tensor = self.body(activated) + skipped
        return summed
