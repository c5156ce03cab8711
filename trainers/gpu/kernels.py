"""What torch takes several passes over a GPU's memory for, in one: loops over bfloat16 activations, compiled by Triton.

The counterpart of cpu/kernels.py, with the same names, used where a network computes in bfloat16 on a GPU (layers.py).
Sums are taken in float32, each block's pixels in a fixed order, then the blocks: the same bits every time.

Shapes: P pixels of all images, C channels, a multiple of 8; images are NHWC in memory ("channels last").
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

VALUES = 4096
"""That a program takes at once: pixels x channels."""
MOST_CHANNELS = 64
"""Of them."""
PROGRAMS = 1024
"""About as many are started as keep a large GPU's multiprocessors busy."""


def add_bias_and_relu_(x_BCHW: Tensor, bias_C: Tensor) -> Tensor:
    """relu(x + bias), in the memory of x."""
    pixels, C, channels = _shape(x_BCHW)
    grid = triton.cdiv(pixels, VALUES // channels), triton.cdiv(C, channels)
    _add_bias_and_relu[grid](x_BCHW, bias_C, pixels, C // 8, CHANNELS=channels, PIXELS=VALUES // channels)
    return x_BCHW


def relu_backward(gradient_BCHW: Tensor, y_BCHW: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient where `y`, of a ReLU, is positive, else 0; and its sum by channel (float32)."""
    pixels, C, channels = _shape(y_BCHW)
    out_BCHW = _empty(y_BCHW, *y_BCHW.shape)
    columns = triton.cdiv(C, channels)
    steps = max(1, pixels * columns * channels // (PROGRAMS * VALUES))  # that each program takes, one after another
    programs = triton.cdiv(pixels, steps * (VALUES // channels))
    sums = torch.empty((programs, C), dtype=torch.float32, device=y_BCHW.device)
    _relu_backward[programs, columns](
        gradient_BCHW, y_BCHW, out_BCHW, sums, pixels, C // 8, STEPS=steps, CHANNELS=channels, PIXELS=VALUES // channels
    )
    return out_BCHW, sums.sum(0)


def upsample_and_add(coarse_BCHW: Tensor, fine_BCHW: Tensor) -> Tensor:
    """Every pixel of `coarse` as 2 x 2, plus `fine`."""
    return _upsampled(coarse_BCHW, _empty(fine_BCHW, *fine_BCHW.shape), fine_BCHW)


def upsample_and_pad(coarse_BCHW: Tensor) -> Tensor:
    """Every pixel as 2 x 2, and one row and one column of zeros at the end."""
    B, C, H, W = coarse_BCHW.shape
    out_BCHW = _empty(coarse_BCHW, B, C, 2 * H + 1, 2 * W + 1)
    return _upsampled(coarse_BCHW, out_BCHW, None)


def sum_of_2x2(fine_BCHW: Tensor) -> Tensor:
    """The gradient of upsampling: half the height and width. An odd row or column at the end has no part in it."""
    B, C, H, W = fine_BCHW.shape
    out_BCHW = _empty(fine_BCHW, B, C, H // 2, W // 2)
    pixels, _, channels = _shape(out_BCHW)
    grid = triton.cdiv(pixels, VALUES // channels), triton.cdiv(C, channels)
    sizes = (H // 2, W // 2, H, W)
    _sum_of_2x2[grid](fine_BCHW, out_BCHW, pixels, C // 8, *sizes, CHANNELS=channels, PIXELS=VALUES // channels)
    return out_BCHW


def _upsampled(coarse_BCHW: Tensor, out_BCHW: Tensor, added_BCHW: Tensor | None) -> Tensor:
    pixels, C, channels = _shape(out_BCHW)
    grid = triton.cdiv(pixels, VALUES // channels), triton.cdiv(C, channels)
    arguments = (coarse_BCHW, out_BCHW if added_BCHW is None else added_BCHW, out_BCHW, pixels, C // 8)
    sizes = (*coarse_BCHW.shape[2:], *out_BCHW.shape[2:])
    adds = added_BCHW is not None
    _upsample[grid](*arguments, *sizes, ADDS=adds, CHANNELS=channels, PIXELS=VALUES // channels)
    return out_BCHW


def _empty(like: Tensor, *shape: int) -> Tensor:
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=torch.channels_last)


def _shape(x_BCHW: Tensor) -> tuple[int, int, int]:
    """(pixels, channels, channels that a program takes)."""
    B, C, H, W = x_BCHW.shape
    assert C % 8 == 0
    assert x_BCHW.is_contiguous(memory_format=torch.channels_last)
    return B * H * W, C, min(MOST_CHANNELS, triton.next_power_of_2(C))


# The loops. An eighth of the channels comes in, so that the compiler knows that whole vectors can be loaded.


@triton.jit
def _places(pixels, C, CHANNELS: tl.constexpr, PIXELS: tl.constexpr, first):  # type: ignore[no-untyped-def]
    """Of PIXELS pixels, from `first` on, and CHANNELS channels: pixel numbers, channel numbers, and which exist."""
    pixel = first + tl.arange(0, PIXELS).to(tl.int64)[:, None]
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)[None, :]
    return pixel, channel, (pixel < pixels) & (channel < C)


@triton.jit
def _add_bias_and_relu(x, bias, pixels, eighth, CHANNELS: tl.constexpr, PIXELS: tl.constexpr):  # type: ignore[no-untyped-def]
    C = eighth * 8
    pixel, channel, there = _places(pixels, C, CHANNELS, PIXELS, tl.program_id(0).to(tl.int64) * PIXELS)
    at = x + pixel * C + channel
    value = tl.load(at, mask=there, other=0.0).to(tl.float32)
    value += tl.load(bias + channel, mask=channel < C, other=0.0).to(tl.float32)
    tl.store(at, tl.where(value < 0, 0.0, value).to(tl.bfloat16), mask=there)  # NaN stays, as in torch's


@triton.jit
def _relu_backward(  # type: ignore[no-untyped-def]
    gradient, y, out, sums, pixels, eighth, STEPS: tl.constexpr, CHANNELS: tl.constexpr, PIXELS: tl.constexpr
):
    C = eighth * 8
    total = tl.zeros((PIXELS, CHANNELS), tl.float32)
    for step in range(STEPS):
        first = (tl.program_id(0).to(tl.int64) * STEPS + step) * PIXELS
        pixel, channel, there = _places(pixels, C, CHANNELS, PIXELS, first)
        at = pixel * C + channel
        slope = tl.load(gradient + at, mask=there, other=0.0).to(tl.float32)
        value = tl.load(y + at, mask=there, other=0.0).to(tl.float32)
        slope = tl.where(value <= 0, 0.0, slope)
        tl.store(out + at, slope.to(tl.bfloat16), mask=there)
        total += slope
    columns = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    tl.store(sums + tl.program_id(0) * C + columns, tl.sum(total, 0), mask=columns < C)


@triton.jit
def _upsample(  # type: ignore[no-untyped-def]
    coarse, added, out, pixels, eighth, h, w, H, W, ADDS: tl.constexpr, CHANNELS: tl.constexpr, PIXELS: tl.constexpr
):
    """h x w pixels of each image become H x W; what lies beyond twice the size is 0."""
    C = eighth * 8
    pixel, channel, there = _places(pixels, C, CHANNELS, PIXELS, tl.program_id(0).to(tl.int64) * PIXELS)
    image, row, column = pixel // (H * W), pixel // W % H, pixel % W
    inside = there & (row < 2 * h) & (column < 2 * w)
    source = ((image * h + row // 2) * w + column // 2) * C + channel
    value = tl.load(coarse + source, mask=inside, other=0.0).to(tl.float32)
    if ADDS:
        value += tl.load(added + pixel * C + channel, mask=there, other=0.0).to(tl.float32)
    tl.store(out + pixel * C + channel, value.to(tl.bfloat16), mask=there)


@triton.jit
def _sum_of_2x2(  # type: ignore[no-untyped-def]
    fine, out, pixels, eighth, h, w, H, W, CHANNELS: tl.constexpr, PIXELS: tl.constexpr
):
    """H x W pixels of each image become h x w."""
    C = eighth * 8
    pixel, channel, there = _places(pixels, C, CHANNELS, PIXELS, tl.program_id(0).to(tl.int64) * PIXELS)
    image, row, column = pixel // (h * w), pixel // w % h, pixel % w
    source = fine + ((image * H + 2 * row) * W + 2 * column) * C + channel
    above = tl.load(source, mask=there, other=0.0).to(tl.float32)
    above += tl.load(source + C, mask=there, other=0.0).to(tl.float32)
    below = tl.load(source + W * C, mask=there, other=0.0).to(tl.float32)
    below += tl.load(source + W * C + C, mask=there, other=0.0).to(tl.float32)
    tl.store(out + pixel * C + channel, (above + below).to(tl.bfloat16), mask=there)
