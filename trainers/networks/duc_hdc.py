"""DUC and HDC: Understanding Convolution for Semantic Segmentation (arXiv 1702.08502), at this study's scale.

4,137,760 parameters at width 1.0 with 7 classes. Shapes: B batch, H and W pixels of the image, K classes.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from trainers.networks.residual import Encoder

DILATIONS = ((1, 2, 3), (3, 5))
"""Of the blocks of the last two stages. Without a common factor, so that together they leave no pixel out. (The
original's go up to 17, for larger images.)"""
_SIDE = 8


class DUCHDC(nn.Module):
    """Hybrid dilated convolution: a residual encoder that stays at 1/8 by dilations that differ. Dense upsampling
    convolution: each of its pixels predicts the classes of 8 x 8 pixels of the image, in 8 x 8 x K channels."""

    def __init__(self, num_classes: int, width: float = 1.0) -> None:
        super().__init__()
        self.encoder = Encoder(width, DILATIONS)
        # Without a batch norm or ReLU behind it: logits need to be large, and negative, too.
        self.predict = nn.Conv2d(self.encoder.channels[-1], _SIDE**2 * num_classes, 3, padding=1)

    def forward(self, images_BCHW: Tensor) -> tuple[Tensor, ...]:
        """(logits_BKHW,); H and W must be multiples of 8."""
        return (F.pixel_shuffle(self.predict(self.encoder(images_BCHW)[-1]), _SIDE),)
