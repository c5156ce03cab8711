"""Crops of backgrounds at the working size, cut by the GPU from backgrounds that lie on it.

Resizing is Pillow's, bit for bit: bilinear weights over the whole footprint, rounded to parts of 2^22, in 32-bit
integers; along rows first, the result rounded to levels, then along columns (Pillow's Resample.c).

Shapes: N images, S the working size, h the rows of the highest crop, C = 3 colours (RGB).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from trainers.compositing import Crop, Pixels
from trainers.gpu.sending import sent

BITS = 22
PIXELS_AT_ONCE = 2**23
"""Of crops' rows at the working width; each takes some 40 bytes."""


class Backgrounds:
    """All backgrounds of a data set on the device, one after another, whatever their shapes."""

    def __init__(self, backgrounds: Sequence[Pixels], device: torch.device) -> None:
        self._device = device
        self._pixels = sent(np.concatenate([image.reshape(-1, 3) for image in backgrounds]), device)
        self._widths = [image.shape[1] for image in backgrounds]
        sizes = [image.shape[0] * image.shape[1] for image in backgrounds]
        self._starts = [sum(sizes[:row]) for row in range(len(sizes))]

    def cropped(self, rows: Sequence[int], crops: Sequence[Crop], size: int) -> Tensor:
        """The crops at (size, size), uint8, shape (N, S, S, C)."""
        highest = max(crop.height for crop in crops)
        together = max(1, PIXELS_AT_ONCE // (highest * size))
        chosen = list(zip(rows, crops, strict=True))
        parts = (chosen[first : first + together] for first in range(0, len(chosen), together))
        return torch.cat([self._cropped(part, size) for part in parts])

    def _cropped(self, chosen: Sequence[tuple[int, Crop]], size: int) -> Tensor:
        places = [
            (self._starts[row] + crop.top * self._widths[row] + crop.left, self._widths[row], crop.height, crop.width)
            for row, crop in chosen
        ]
        first_N, stride_N, height_N, width_N = sent(np.array(places, np.int64), self._device).unbind(1)
        heights, widths = [crop.height for _, crop in chosen], [crop.width for _, crop in chosen]
        line_h = torch.arange(max(heights), device=self._device)
        lines_Nh = first_N[:, None] + stride_N[:, None] * torch.minimum(line_h, height_N[:, None] - 1)

        start_NS, weights_NST = _footprints(width_N, size, _most_taps(widths, size))
        sums = torch.full((*lines_Nh.shape, size, 3), 2 ** (BITS - 1), dtype=torch.int32, device=self._device)
        for tap in range(weights_NST.shape[2]):
            column_NS = torch.minimum(start_NS + tap, width_N[:, None] - 1)  # the weight is 0 beyond
            pixels = self._pixels[lines_Nh[:, :, None] + column_NS[:, None]]
            sums += pixels * weights_NST[:, None, :, tap, None]
        narrowed = (sums >> BITS).clamp(0, 255)

        start_NS, weights_NST = _footprints(height_N, size, _most_taps(heights, size))
        sums = torch.full((len(chosen), size, size, 3), 2 ** (BITS - 1), dtype=torch.int32, device=self._device)
        for tap in range(weights_NST.shape[2]):
            line_NS = torch.minimum(start_NS + tap, height_N[:, None] - 1)
            lines = narrowed.gather(1, line_NS[:, :, None, None].expand(-1, -1, size, 3))
            sums += lines * weights_NST[:, :, tap, None, None]
        return (sums >> BITS).clamp(0, 255).to(torch.uint8)


def _most_taps(sides: Sequence[int], size: int) -> int:
    return 2 * math.ceil(max(1.0, max(sides) / size)) + 1


def _footprints(side_N: Tensor, size: int, taps: int) -> tuple[Tensor, Tensor]:
    """Of every pixel of the result along a side: where it begins, (N, S), and its weights from there, (N, S, taps)."""
    scale_N1 = side_N.double()[:, None] / size
    support_N1 = scale_N1.clamp(min=1)
    centre_NS = (torch.arange(size, device=side_N.device) + 0.5) * scale_N1
    start_NS = (centre_NS - support_N1 + 0.5).long().clamp(min=0)
    end_NS = torch.minimum((centre_NS + support_N1 + 0.5).long(), side_N[:, None])
    place_NST = start_NS[..., None] + torch.arange(taps, device=side_N.device)
    distance_NST = (place_NST - centre_NS[..., None] + 0.5) * (1 / support_N1[..., None])
    triangle_NST = (1 - distance_NST.abs()).clamp(min=0) * (place_NST < end_NS[..., None])
    share_NST = triangle_NST / triangle_NST.sum(2, keepdim=True)
    return start_NS, (share_NST * 2**BITS + 0.5).to(torch.int32)
