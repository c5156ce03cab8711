"""RGB to CIE Lab and back, uint8, as OpenCV does it, to the bit: whole numbers and tables (its color_lab.cpp).

The formulas are CIE's, with sRGB's gamma and the white D65. A level becomes light in 2040ths, by a table; X, Y and Z,
as shares of white's, are sums of the three lights; their cube roots in 32768ths, by a table, give the lightness L and
the differences a and b. On the way back a root is in 16384ths, and light in 4096ths. A float64 holds all these whole
numbers exactly: so a sum may be a matrix product, of which a GPU has none for integers, and a descaling shift a floor.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

from trainers.gpu.sending import sent

RGB_TO_XYZ = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
XYZ_TO_RGB = np.array(
    [[3.240479, -1.53715, -0.498535], [-0.969256, 1.875991, 0.041556], [0.055648, -0.204043, 1.057311]]
)
WHITE = np.array([0.950456, 1.0, 1.088754])
STRAIGHT_UP_TO = (6 / 29) ** 3
"""The share of white up to which Lab has a straight line for the cube root."""
LIGHTS, ROOTS, ROOTS_BACK, LIGHTS_BACK = 255 * 8, 2**15, 2**14, 2**12
"""Parts of white's light, and of the cube root of it, on the way to Lab and back."""
LAB_OFFSET = np.array([-round(16 * 2.55 * ROOTS), 128 * ROOTS, 128 * ROOTS], float)


def rgb_to_lab(images: Tensor) -> Tensor:
    """Of uint8, shape (..., 3). L is spread over 0 to 255; 128 is added to a and b."""
    light, to_xyz, root, to_lab, offset = _tables_to_lab(images.device)
    xyz = _descaled(light[images.long()] @ to_xyz, 12)
    lab = _descaled(root[xyz.long()] @ to_lab + offset, 15)
    return lab.clamp(0, 255).to(torch.uint8)


def lab_to_rgb(images: Tensor) -> Tensor:
    """Of uint8, shape (..., 3). A colour that sRGB does not have gets the nearest level, each by itself."""
    y_root_of_L, y_of_L, of_a, of_b, to_rgb, level = _tables_to_rgb(images.device)
    lightness, a, b = images.long().unbind(-1)
    y_root = y_root_of_L[lightness]
    xyz = torch.stack([_cubed(y_root + of_a[a]), y_of_L[lightness], _cubed(y_root - of_b[b])], -1)
    light = _descaled(xyz.double() @ to_rgb, 14)
    return level[light.clamp(0, LIGHTS_BACK - 1).long()]


def _descaled(whole: Tensor, bits: int) -> Tensor:
    """Its share of 2^bits, rounded; halves go up."""
    return (whole * 2.0**-bits + 0.5).floor()


def _cubed(root: Tensor) -> Tensor:
    """The share of white whose root this is, both in 16384ths: CIE's line or cube, with every step cut off."""
    line = torch.div(root * 108, 841, rounding_mode="trunc") - 290
    return torch.where(root <= 3390, line, (root * root >> 14) * root >> 14)


@cache
def _tables_to_lab(device: torch.device) -> tuple[Tensor, ...]:
    level, share = np.arange(256) / 255, np.arange(LIGHTS + 1) / LIGHTS
    light = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    root = np.where(share <= STRAIGHT_UP_TO, share * 841 / 108 + 16 / 116, np.cbrt(share))
    whole_root = np.rint(root * ROOTS)
    whole_root[[49, 628]] += -1, 1  # within 0.0002 of a half, which OpenCV's float32 leaves on the other side
    to_xyz = np.rint(2**12 * RGB_TO_XYZ / WHITE[:, None])
    to_lab = np.array([[0, 296, 0], [500, -500, 0], [0, 200, -200]], float)  # 296 is 116 * 2.55, rounded
    tables = np.rint(light * LIGHTS), to_xyz.T, whole_root, to_lab.T, LAB_OFFSET
    return tuple(sent(table, device) for table in tables)


@cache
def _tables_to_rgb(device: torch.device) -> tuple[Tensor, ...]:
    level, share = np.arange(256), np.arange(LIGHTS_BACK) / LIGHTS_BACK
    lightness = level / 2.55
    y_root = (lightness + 16) / 116
    y = np.where(lightness <= 8, lightness / (29 / 3) ** 3, y_root**3)
    of_a = (5 * level * 53687 + 128 >> 13) - 128 * ROOTS_BACK // 500  # in effect (level - 128) / 500
    of_b = (level * 41943 + 16 >> 9) - 128 * ROOTS_BACK // 200 + 1  # in effect (level - 128) / 200
    to_rgb = np.rint(2**12 * XYZ_TO_RGB * WHITE)
    rgb = np.where(share <= 0.0031308, share * 12.92, share ** (1 / 2.4) * 1.055 - 0.055)
    whole = (np.rint(part * ROOTS_BACK).astype(np.int64) for part in (y_root, y))
    tables = *whole, of_a, of_b, to_rgb.T, np.rint(rgb * 255).astype(np.uint8)
    return tuple(sent(table, device) for table in tables)
