"""Grey; hue, saturation and value; hue, lightness and saturation: as OpenCV computes them, to the bit.

Its sources (color_rgb and color_hsv) tell which numbers are whole there, in which parts, and when a float32 is rounded.
As it is built for x86-64, a processor with AVX2 rounds a product and the sum it goes into once: `_fused` does so here.

Shapes: N images, H and W pixels, C = 3 colours (RGB); float32 conversions take any shape (..., 3).
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

from trainers.gpu.sending import sent

PIXELS_AT_ONCE = 32
"""Neighbours in a row that OpenCV brings from HSV to RGB together, cutting levels off; those left over it rounds."""
TOP, BOTTOM, FALLING, RISING = range(4)
SECTORS = np.array(
    [
        [TOP, RISING, BOTTOM],
        [FALLING, TOP, BOTTOM],
        [BOTTOM, TOP, RISING],
        [BOTTOM, FALLING, TOP],
        [RISING, BOTTOM, TOP],
        [TOP, BOTTOM, FALLING],
    ]
)
"""What red, green and blue do within each sixth of the circle of hues, which begins with red."""


def gray(images_NHWC: Tensor) -> Tensor:
    """Of uint8: three times the same grey."""
    red, green, blue = images_NHWC.int().unbind(-1)
    grey_NHW = 9798 * red + 19235 * green + 3735 * blue + 2**14 >> 15
    return grey_NHW.to(torch.uint8)[..., None].repeat(1, 1, 1, 3)


def hsv_shifted(images_NHWC: Tensor, shifts_N3: Tensor) -> Tensor:
    """Of uint8: after shifts of hue (in steps of 2 degrees), saturation and value (in levels), each its own.

    As albumentations has it, hue goes round its circle and is then cut off to a step; of the other shifts only whole
    levels count; and grey stays grey.
    """
    hue, saturation, value = _rgb_to_hsv(images_NHWC)
    of_hue, of_saturation, of_value = shifts_N3.double()[:, None, None].unbind(-1)
    hue = (hue + of_hue).remainder(180).floor()
    shifted = (saturation + of_saturation.trunc()).clamp(0, 255)
    saturation = torch.where(saturation == 0, 0, shifted)
    value = (value + of_value.trunc()).clamp(0, 255)
    unshifted_N111 = (shifts_N3 == 0).all(1)[:, None, None, None]  # the way there and back alone changes levels
    return torch.where(unshifted_N111, images_NHWC, _hsv_to_rgb(hue, saturation, value))


def _rgb_to_hsv(images_NHWC: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Whole numbers: hue 0 to 179, saturation and value 0 to 255."""
    red, green, blue = images_NHWC.int().unbind(-1)
    value = torch.maximum(torch.maximum(red, green), blue)
    spread = value - torch.minimum(torch.minimum(red, green), blue)
    # In 4096ths. Where the divisor is 0, so is what these are multiplied with.
    per_level = (255 * 2**12 / value.clamp(min=1).double()).round().int()
    per_spread = (30 * 2**12 / spread.clamp(min=1).double()).round().int()
    along = torch.where(value == green, blue - red + 2 * spread, red - green + 4 * spread)
    along = torch.where(value == red, green - blue, along)
    hue, saturation = along * per_spread + 2**11 >> 12, spread * per_level + 2**11 >> 12
    return torch.where(hue < 0, hue + 180, hue), saturation, value


def _hsv_to_rgb(hue_NHW: Tensor, saturation_NHW: Tensor, value_NHW: Tensor) -> Tensor:
    """uint8, of such numbers in any type; the arithmetic is float32."""
    saturation, value = saturation_NHW.float() * (1 / 255), value_NHW.float() * (1 / 255)
    sector, within = _sector(hue_NHW.float() * (1 / 30))
    rgb_NHWC = 255 * _in_sector(
        sector,
        value,
        value * (1 - saturation),
        value * _fused(-saturation, within, 1),
        value * _fused(-saturation, 1 - within, 1),
    )
    together = hue_NHW.shape[2] // PIXELS_AT_ONCE * PIXELS_AT_ONCE
    levels = torch.cat((rgb_NHWC[:, :, :together].trunc(), rgb_NHWC[:, :, together:].round()), 2)
    return levels.to(torch.uint8)


def rgb_to_hls(rgb: Tensor) -> Tensor:
    """Of float32, 0 to 1: hue in degrees, 0 to 360; lightness and saturation, 0 to 1."""
    red, green, blue = rgb.unbind(-1)
    highest, lowest = rgb.amax(-1), rgb.amin(-1)
    spread, double = highest - lowest, highest + lowest
    lightness = double * 0.5
    saturation = spread / torch.where(lightness < 0.5, double, 2 - double)
    degrees = torch.full_like(spread, 60) / spread  # 60 / spread is 60 times its reciprocal: rounded twice
    from_blue, from_green = _fused(red - green, degrees, 240), _fused(blue - red, degrees, 120)
    from_red = _fused(green - blue, degrees, torch.where(green < blue, 360, 0))
    hue = torch.where(highest == red, from_red, torch.where(highest == green, from_green, from_blue))
    coloured = spread > torch.finfo(torch.float32).eps
    return torch.stack([torch.where(coloured, hue, 0), lightness, torch.where(coloured, saturation, 0)], -1)


def hls_to_rgb(hls: Tensor) -> Tensor:
    """The reverse. As in OpenCV, hue goes round beyond 360, but straight on below 0, where levels may leave 0 to 1."""
    hue, lightness, saturation = hls.unbind(-1)
    part = lightness * saturation
    reach = torch.where(lightness <= 0.5, part, saturation - part)
    sector, within = _sector(hue * (1 / 60))
    top, bottom, twice = lightness + reach, lightness - reach, within + within
    return _in_sector(sector, top, bottom, _fused(-reach, twice, top), _fused(reach, twice, bottom))


def _fused(factor: Tensor, other: Tensor, addend: Tensor | float) -> Tensor:
    """factor * other + addend, rounded to float32 once: a float64 holds the product of two float32s exactly."""
    return (factor.double() * other.double() + addend).float()


def _sector(sixths: Tensor) -> tuple[Tensor, Tensor]:
    """In which sixth of the circle this is, 0 to 5, and how far into it."""
    whole = sixths.trunc()
    sector = whole - 6 * (sixths * (1 / 6)).trunc()
    return sector.clamp(0, 5).long(), sixths - whole


def _in_sector(sector: Tensor, top: Tensor, bottom: Tensor, falling: Tensor, rising: Tensor) -> Tensor:
    """Red, green and blue, the last axis, by what they do in their sector."""
    return torch.stack([top, bottom, falling, rising], -1).gather(-1, _sectors(sector.device)[sector])


@cache
def _sectors(device: torch.device) -> Tensor:
    return sent(SECTORS, device)
