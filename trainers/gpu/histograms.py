"""Levels spread by their histogram: over each colour's plane, or with limited contrast over tiles of lightness (CLAHE).

As OpenCV does it, to the bit (its histogram.cpp and clahe.cpp). Both need cumulative histograms: how many pixels do not
exceed a level is where it would be put in among the sorted pixels. A GPU's own ways of counting are not deterministic,
or wait for the answer.

Shapes: N images, H and W pixels, C = 3 colours (RGB), T = 8 tiles along each side, P the pixels of a plane or tile.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

from trainers.gpu.lab import lab_to_rgb, rgb_to_lab
from trainers.gpu.sending import sent

TILES = 8
"""Along each side, which they divide."""
LEVELS = 256


def equalized(images_NHWC: Tensor) -> Tensor:
    """Of uint8: each colour by its own histogram, from 0 to 255; one without contrast stays as it is."""
    number, height, width, colours = images_NHWC.shape
    planes_NCP = images_NHWC.movedim(-1, 1).flatten(2)
    up_to = _counts_up_to_level(planes_NCP)
    lowest = up_to.gather(-1, planes_NCP.amin(-1, keepdim=True).long())
    above = (planes_NCP.shape[-1] - lowest).float()
    scale = torch.full_like(above, 255) / above.clamp(min=1)  # 255 / above is 255 times its reciprocal: rounded twice
    table = ((up_to - lowest) * scale).round().clamp(0, 255).to(torch.uint8)
    spread = torch.where(above == 0, planes_NCP, table.gather(-1, planes_NCP.long()))
    return spread.reshape(number, colours, height, width).movedim(1, -1)


def clahe(images_NHWC: Tensor, clip_limits_N: Tensor) -> Tensor:
    """Of uint8, H and W multiples of 8: each image's lightness by that of its tiles, within its limit of contrast."""
    lab_NHWC = rgb_to_lab(images_NHWC)
    lightness_NHW = contrast_limited(lab_NHWC[..., 0], clip_limits_N)
    return lab_to_rgb(torch.cat([lightness_NHW[..., None], lab_NHWC[..., 1:]], -1))


def contrast_limited(planes_NHW: Tensor, clip_limits_N: Tensor) -> Tensor:
    """Of uint8: each pixel between what the four tiles next to it make of its level."""
    height, width = planes_NHW.shape[1:]
    tables_NTTL = _tables_of_tiles(planes_NHW, clip_limits_N)
    above_H, below_H, below_share_H = (part[:, None] for part in _next_tiles(height, planes_NHW.device))
    left_W, right_W, right_share_W = _next_tiles(width, planes_NHW.device)
    levels_NHW, tables = planes_NHW.long(), tables_NTTL.flatten(1)

    def answers(rows: Tensor, columns: Tensor) -> Tensor:
        places = (rows * TILES + columns) * LEVELS + levels_NHW
        return tables.gather(1, places.flatten(1)).reshape(planes_NHW.shape)

    upper = answers(above_H, left_W) * (1 - right_share_W) + answers(above_H, right_W) * right_share_W
    lower = answers(below_H, left_W) * (1 - right_share_W) + answers(below_H, right_W) * right_share_W
    return (upper * (1 - below_share_H) + lower * below_share_H).round().clamp(0, 255).to(torch.uint8)


def _tables_of_tiles(planes_NHW: Tensor, clip_limits_N: Tensor) -> Tensor:
    """What each tile makes of each level: its cumulative histogram, whose counts are limited. Float32, (N, T, T, 256).

    The pixels cut off are spread evenly over all levels, and the rest of fewer than 256 over levels at even distances.
    """
    number, height, width = planes_NHW.shape
    tiles = planes_NHW.reshape(number, TILES, height // TILES, TILES, width // TILES)
    tiles_NTTP = tiles.transpose(2, 3).flatten(3)
    pixels, level = tiles_NTTP.shape[-1], torch.arange(LEVELS, device=planes_NHW.device)
    up_to = _counts_up_to_level(tiles_NTTP)
    counts = up_to.diff(prepend=torch.zeros_like(up_to[..., :1]))
    limits_N = (clip_limits_N.double() * pixels / LEVELS).floor().clamp(min=1).int()
    limited = torch.minimum(counts, limits_N[:, None, None, None])
    cut_off = pixels - limited.sum(-1, keepdim=True)
    rest = cut_off % LEVELS
    step = LEVELS // rest.clamp(min=1)
    one_more = (level % step == 0) & (level // step < rest)
    total = (limited + cut_off // LEVELS + one_more).cumsum(-1)
    return (total.float() * (255 / pixels)).round().clamp(0, 255)


def _counts_up_to_level(planes: Tensor) -> Tensor:
    """Of planes (..., P): how many pixels do not exceed each level, int32, (..., 256)."""
    level = torch.arange(LEVELS, dtype=torch.uint8, device=planes.device)
    levels = level.expand(*planes.shape[:-1], LEVELS).contiguous()
    counts: Tensor = torch.searchsorted(planes.sort().values.contiguous(), levels, right=True, out_int32=True)
    return counts


@cache
def _next_tiles(side: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Of each pixel along a side: the two tiles whose centres it lies between, and the second one's share."""
    place = np.arange(side, dtype=np.float32) * np.float32(TILES / side) - np.float32(0.5)
    first = np.floor(place)
    tiles = (tile.clip(0, TILES - 1).astype(np.int64) for tile in (first, first + 1))
    before, after, share = (sent(array, device) for array in (*tiles, place - first))
    return before, after, share
