"""FCN-8s: Fully Convolutional Networks for Semantic Segmentation (arXiv 1411.4038), at this study's scale.

5,152,789 parameters at width 1.0 with 7 classes. Shapes: B batch, C channels, H and W pixels of the image, K classes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainers.networks.blocks import scaled
from trainers.networks.residual import conv_bn_relu

_LEVELS = ((32, 2), (64, 2), (128, 3), (256, 3), (256, 3))
"""Channels and number of convolutions, as in VGG-16 with half of the channels or fewer."""


class FCN(nn.Module):
    """A classifier whose dense layers have become convolutions, so it takes images of any size. It scores at 1/32, 1/16
    and 1/8; the scores are upsampled by transposed convolutions, and those of one size added."""

    def __init__(self, num_classes: int, width: float = 1.0) -> None:
        super().__init__()
        self.levels, inputs = nn.ModuleList(), 3
        for channels, convolutions in _LEVELS:
            outputs = scaled(channels, width)
            inputs_of_each = [inputs, *[outputs] * (convolutions - 1)]
            self.levels.append(nn.Sequential(*(conv_bn_relu(each, outputs) for each in inputs_of_each)))
            inputs = outputs
        c512 = scaled(512, width)
        self.dense = nn.Sequential(
            conv_bn_relu(inputs, c512), nn.Dropout(0.5), conv_bn_relu(c512, c512, kernel=1), nn.Dropout(0.5)
        )
        self.score_32 = nn.Conv2d(c512, num_classes, 1)
        self.score_16 = nn.Conv2d(scaled(256, width), num_classes, 1)
        self.score_8 = nn.Conv2d(scaled(128, width), num_classes, 1)
        self.to_16, self.to_8 = Upsampling(num_classes, 2), Upsampling(num_classes, 2)
        self.to_1 = Upsampling(num_classes, 8)

    def forward(self, images_BCHW: Tensor) -> tuple[Tensor, ...]:
        """(logits_BKHW,); H and W may be any."""
        features, pooled = images_BCHW, []
        for level in self.levels:
            features = F.max_pool2d(level(features), 2, ceil_mode=True)
            pooled.append(features)
        *_, at_8, at_16, at_32 = pooled
        scores = self.score_32(self.dense(at_32))
        scores = _cropped(self.to_16(scores), at_16) + self.score_16(at_16)
        scores = _cropped(self.to_8(scores), at_8) + self.score_8(at_8)
        return (_cropped(self.to_1(scores), images_BCHW),)


class Upsampling(nn.ConvTranspose2d):
    """A transposed convolution that starts as bilinear interpolation of each channel, and learns what else to be."""

    def __init__(self, channels: int, factor: int) -> None:
        super().__init__(channels, channels, 2 * factor, stride=factor, padding=factor // 2, bias=False)

    @torch.no_grad()
    def start(self) -> None:
        """See `trainers.networks.start`."""
        factor = self.stride[0]
        ramp = 1 - (torch.arange(2 * factor) + 0.5 - factor).abs() / factor
        self.weight.copy_(torch.eye(self.in_channels)[:, :, None, None] * torch.outer(ramp, ramp))


def _cropped(scores_BKHW: Tensor, target_BCHW: Tensor) -> Tensor:
    """To the target's size: where a side was odd, its half was rounded up."""
    height, width = target_BCHW.shape[2:]
    return scores_BKHW[:, :, :height, :width]
