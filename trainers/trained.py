"""A trained network that predicts images of any size; or several, whose probabilities are averaged.

Shapes: B batch, H and W pixels, C = 3 colours (RGB), K classes, the background first where there is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trainers.data.pairs.fitting import Fitting
from trainers.data.pixels import Pixels
from trainers.data.size import Size
from trainers.step import to_input


@dataclass(frozen=True)
class TrainedModel:
    """What `study export` hands over, ready to predict."""

    networks: tuple[nn.Module, ...]
    """One, or those of an ensemble; all on one device, in evaluation mode."""
    labels: tuple[str, ...]
    """What each value of a label map stands for."""
    fitting: Fitting
    """How an image gets to the size at which the networks were trained."""
    precision: torch.dtype
    """Of the numbers of a forward pass."""

    @cached_property
    def device(self) -> torch.device:
        """Where the networks are."""
        return next(self.networks[0].parameters()).device

    def predict(self, image_HWC: Pixels) -> Pixels:
        """The label of each pixel, shape (H, W), uint8, at the image's own size.

        :param image_HWC: RGB, uint8, upright, of any size.
        """
        probabilities = self.probabilities(self.fitting.image(image_HWC)[None])[0]
        own = Size(*image_HWC.shape[:2])
        return self.fitting.restored(probabilities.argmax(0).astype(np.uint8), own)

    @torch.no_grad()
    def probabilities(self, images_BHWC: Pixels) -> NDArray[np.float32]:
        """Of each class at each pixel, shape (B, K, H, W), of images at the working size."""
        given = to_input(torch.from_numpy(images_BHWC.copy()).to(self.device))
        with torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32):
            logits = [network(given)[0] for network in self.networks]
        return mean_probabilities(logits).cpu().numpy()


def mean_probabilities(logits_BKHW: Sequence[Tensor]) -> Tensor:
    """Over networks: the mean of their softmaxes."""
    return torch.stack([logits.float().softmax(1) for logits in logits_BKHW]).mean(0)
