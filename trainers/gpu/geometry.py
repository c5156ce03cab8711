"""Operations that move pixels: flips, warps, coarser pixels, holes.

Shapes: N images, H and W pixels, C = 3 colours (RGB), K holes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from trainers.augment import Drawn
from trainers.gpu.sending import sent


def affine(images_NHWC: Tensor, labels_NHW: Tensor, draws: Sequence[Drawn]) -> tuple[Tensor, Tensor]:
    """Each by its matrix, which maps pixels of the source: the inverse says where a pixel of the result comes from."""
    inverse = np.linalg.inv(np.stack([draw.params["matrix"] for draw in draws]))[:, :2].astype(np.float32)
    inverse_N23 = sent(inverse, images_NHWC.device)[..., None, None]
    height, width = labels_NHW.shape[1:]
    x_W = torch.arange(width, dtype=torch.float32, device=images_NHWC.device)
    y_H1 = torch.arange(height, dtype=torch.float32, device=images_NHWC.device)[:, None]
    from_x, from_y = (inverse_N23[:, axis, 0] * x_W + inverse_N23[:, axis, 1] * y_H1 for axis in (0, 1))
    return _taken_from(images_NHWC, labels_NHW, from_x + inverse_N23[:, 0, 2], from_y + inverse_N23[:, 1, 2])


def remapped(images_NHWC: Tensor, labels_NHW: Tensor, draws: Sequence[Drawn]) -> tuple[Tensor, Tensor]:
    """Each by its maps of where a pixel comes from."""
    x_NHW, y_NHW = (
        sent(np.stack([draw.params[name] for draw in draws]), images_NHWC.device) for name in ("map_x", "map_y")
    )
    return _taken_from(images_NHWC, labels_NHW, x_NHW, y_NHW)


def _taken_from(images_NHWC: Tensor, labels_NHW: Tensor, x_NHW: Tensor, y_NHW: Tensor) -> tuple[Tensor, Tensor]:
    """Images between their four next pixels, labels from the nearest."""
    left, above = x_NHW.floor(), y_NHW.floor()
    right_share, below_share = (x_NHW - left)[..., None], (y_NHW - above)[..., None]
    columns, rows = left.long(), above.long()
    upper = _at(images_NHWC, columns, rows) * (1 - right_share) + _at(images_NHWC, columns + 1, rows) * right_share
    rows = rows + 1
    lower = _at(images_NHWC, columns, rows) * (1 - right_share) + _at(images_NHWC, columns + 1, rows) * right_share
    images = (upper * (1 - below_share) + lower * below_share).round().to(torch.uint8)
    labels = _at(labels_NHW[..., None], x_NHW.round().long(), y_NHW.round().long())
    return images, labels[..., 0]


def _at(images_NHWC: Tensor, columns_NHW: Tensor, rows_NHW: Tensor) -> Tensor:
    """The pixels at these places; outside, the image is mirrored at the middle of its outermost pixels."""
    number, height, width, colours = images_NHWC.shape
    places = _mirrored(rows_NHW, height) * width + _mirrored(columns_NHW, width)
    places = places.reshape(number, -1, 1).expand(-1, -1, colours)
    return images_NHWC.reshape(number, height * width, colours).gather(1, places).reshape(images_NHWC.shape)


def _mirrored(places: Tensor, size: int) -> Tensor:
    """-1 is 1, `size` is size - 2."""
    within = places.abs() % (2 * size - 2)
    return torch.minimum(within, 2 * size - 2 - within)


def coarser(images_NHWC: Tensor, draws: Sequence[Drawn]) -> Tensor:
    """Each reduced and enlarged again, both times by the nearest pixel to the upper left."""
    number, *sides = images_NHWC.shape[:3]
    scales = [draw.params["scale"] for draw in draws]
    rows_NH, columns_NW = (
        sent(np.stack([_coarse_places(side, scale) for scale in scales]), images_NHWC.device) for side in sides
    )
    which_N11 = torch.arange(number, device=images_NHWC.device)[:, None, None]
    return images_NHWC[which_N11, rows_NH[:, :, None], columns_NW[:, None, :]]


def _coarse_places(side: int, scale: float) -> np.ndarray:
    """Where each pixel of a side comes from."""
    small = round(side * scale)
    reduced = np.minimum((np.arange(small) * (1 / scale)).astype(np.int64), side - 1)
    enlarged = np.minimum((np.arange(side) * (1 / (side / small))).astype(np.int64), small - 1)
    return reduced[enlarged]


def holed(images_NHWC: Tensor, draws: Sequence[Drawn]) -> Tensor:
    """Each with black rectangles; labels keep what is behind them."""
    height, width = images_NHWC.shape[1:3]
    holes_NK4 = sent(np.stack([draw.params["holes"] for draw in draws]), images_NHWC.device)
    left, top, right, bottom = (side_NK[..., None] for side_NK in holes_NK4.unbind(-1))
    y_H = torch.arange(height, device=images_NHWC.device)
    x_W = torch.arange(width, device=images_NHWC.device)
    in_rows_NKH, in_columns_NKW = (y_H >= top) & (y_H < bottom), (x_W >= left) & (x_W < right)
    holes_at_NHW = torch.einsum("nkh,nkw->nhw", in_rows_NKH.float(), in_columns_NKW.float())
    return images_NHWC * (holes_at_NHW == 0)[..., None]
