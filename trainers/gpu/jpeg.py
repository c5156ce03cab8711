"""JPEG's loss on a GPU: what libjpeg-turbo's encoder and decoder, one after the other, make of an image, to the bit.

The steps are ITU-T T.81's (baseline, chroma at half the resolution), without the entropy coding, which loses nothing.
The rounding of each is libjpeg's with its default settings (`islow` cosine transform, `fancy` upsampling), told by its
sources: jccolor, jcsample, jfdctint, jcparam and jcdctmgr encode, jidctint, jdsample and jdcolor decode. Their whole
numbers are float64 here, exactly: so a sum may be a matrix product, in any order (of integers a GPU has none), and a
shift to the right is a division by a power of two and a floor.

Shapes: N images, H and W pixels (multiples of 16), C = 3 colours; P planes, of Y or of Cb and Cr, of L lines with M
samples; U and V frequencies within a block, down and along.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainers.gpu.sending import sent

QUANTISATION = """
    16  11  10  16  24  40  51  61    17  18  24  47  99  99  99  99
    12  12  14  19  26  58  60  55    18  21  26  66  99  99  99  99
    14  13  16  24  40  57  69  56    24  26  56  99  99  99  99  99
    14  17  22  29  51  87  80  62    47  66  99  99  99  99  99  99
    18  22  37  56  68 109 103  77    99  99  99  99  99  99  99  99
    24  35  55  64  81 104 113  92    99  99  99  99  99  99  99  99
    49  64  78  87 103 121 120 101    99  99  99  99  99  99  99  99
    72  92  95  98 112 100 103  99    99  99  99  99  99  99  99  99"""
"""T.81's Annex K: the steps of luma and of chroma at quality 50, frequencies U downwards and V to the right."""

ONE, HALF = 65536, 32768
COLOURS_TO_YCC = [
    [7471, HALF, -5329],
    [38470, -21709, -27439],
    [19595, -11059, HALF],
    [HALF - 128 * ONE, HALF - 1, HALF - 1],
]
YCC_TO_COLOURS = [[ONE, ONE, ONE], [116130, -22554, 0], [0, -46802, 91881], [HALF + 128 * ONE] * 3]
"""A row for each component that goes in, then the summands, in 65536ths. The middle of Y, Cb and Cr is 0 here, not 128.
The first colour is blue: OpenCV takes it for that, whatever albumentations hands over."""

LEFT_COSINES = [
    [8192, 8192, 8192, 8192],
    [11363, 9633, 6437, 2260],
    [10703, 4433, -4433, -10703],
    [9633, -2259, -11362, -6436],
    [8192, -8192, -8192, 8192],
    [6437, -11362, 2261, 9633],
    [4433, -10704, 10704, -4433],
    [2260, -6436, 9633, -11363],
]
"""8192 sqrt(2) cos((2x + 1) u pi / 16), less at u = 0; a row for each u, a column for each x < 4. Odd rows continue
antisymmetrically. Each is a sum of the rounded factors of libjpeg's butterflies: some are one off."""
COSINES = np.hstack([LEFT_COSINES, np.fliplr(LEFT_COSINES) * np.array([1, -1] * 4)[:, None]])


def compressed(images_NHWC: Tensor, qualities: Sequence[int]) -> Tensor:
    """Each image (uint8) after compression at its quality (1 to 100) and decompression, as by OpenCV."""
    to_ycc, to_colours, _ = _constants(images_NHWC.device)
    steps_NPVU = sent(_steps(qualities), images_NHWC.device)
    ycc_NPHW = _converted(images_NHWC.double(), to_ycc).movedim(3, 1)
    luma = _quantised(ycc_NPHW[:, :1], steps_NPVU[:, :1])
    chroma = _upsampled(_quantised(_halved(ycc_NPHW[:, 1:]), steps_NPVU[:, 1:]))
    return _converted(torch.cat((luma, chroma), 1).movedim(1, 3), to_colours).clamp(0, 255).to(torch.uint8)


def _steps(qualities: Sequence[int]) -> NDArray[np.float64]:
    """The quantisation steps of each image, (N, P, V, U), for Y and for both chromas."""
    quality = np.array(qualities)[:, None, None, None]
    percentage = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    at_50_PVU = np.array(QUANTISATION.split(), int).reshape(8, 2, 8).transpose(1, 2, 0)[[0, 1, 1]]
    return ((at_50_PVU * percentage + 50) // 100).clip(1, 255).astype(np.float64)


@cache
def _constants(device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """COLOURS_TO_YCC, YCC_TO_COLOURS and COSINES on the device."""
    to_ycc, to_colours, cosines = (
        sent(np.array(each, np.float64), device) for each in (COLOURS_TO_YCC, YCC_TO_COLOURS, COSINES)
    )
    return to_ycc, to_colours, cosines


def _converted(pixels_NHWC: Tensor, matrix: Tensor) -> Tensor:
    """Colours of one kind from those of the other, rounded."""
    return ((pixels_NHWC.contiguous() @ matrix[:3] + matrix[3]) / ONE).floor()


def _halved(planes_NPLM: Tensor) -> Tensor:
    """Half as many lines and samples, each the mean of four; ties are rounded down and up by turns along a line."""
    sums = planes_NPLM.unfold(2, 2, 2).unfold(3, 2, 2).sum((4, 5))
    return ((sums + 1 + torch.arange(sums.shape[3], device=sums.device) % 2) / 4).floor()


def _doubled(planes_NPLM: Tensor) -> Tensor:
    """Twice as many lines, times 4: thrice the nearest and once the next. Beyond the edge is the outermost again."""
    previous = torch.cat((planes_NPLM[:, :, :1], planes_NPLM[:, :, :-1]), 2)
    following = torch.cat((planes_NPLM[:, :, 1:], planes_NPLM[:, :, -1:]), 2)
    return torch.stack((3 * planes_NPLM + previous, 3 * planes_NPLM + following), 3).flatten(2, 3)


def _upsampled(planes_NPLM: Tensor) -> Tensor:
    """Twice as many lines and samples; ties are rounded up and down by turns along a line."""
    sums = _doubled(_doubled(planes_NPLM).mT).mT
    return ((sums + 8 - torch.arange(sums.shape[3], device=sums.device) % 2) / 16).floor()


def _quantised(planes_NPLM: Tensor, steps_NPVU: Tensor) -> Tensor:
    """What is left of the samples when the cosine transform of each block of 8 x 8 is rounded to its steps."""
    cosines, steps = _constants(planes_NPLM.device)[2], steps_NPVU[:, :, None, None]
    blocks = planes_NPLM.unfold(2, 8, 8).unfold(3, 8, 8)
    numbers = _transformed(blocks, cosines.mT, 15) / (8 * steps)
    numbers = (numbers.abs() + 0.5).floor().copysign(numbers)
    samples = _transformed(numbers * steps, cosines, 18).clamp(-128, 127)
    return samples.transpose(3, 4).reshape(planes_NPLM.shape)


def _transformed(blocks: Tensor, matrix: Tensor, shift: int) -> Tensor:
    """From samples (L, M) to their spectrum (V, U), times 8, or back: along the last axis, then along the other.

    In between, four times the values are rounded.
    """
    for divisor in (2**11, 2**shift):
        blocks = (blocks.contiguous() @ (matrix / divisor) + 0.5).floor().mT  # one product, not one per block
    return blocks.mT
