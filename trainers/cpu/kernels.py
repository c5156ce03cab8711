"""What torch takes several passes over memory for, in one: loops over bfloat16 activations, compiled by Numba.

Training on a CPU waits for memory rather than for arithmetic, and torch has no such loops for bfloat16. They agree with
torch's own operations to rounding, and are used where a network computes in bfloat16 on a CPU (layers.py).

Shapes: P pixels of all images, C channels; images are NHWC in memory ("channels last"). An array of bfloat16 is seen as
its uint16 bits, the upper half of a float32. The arithmetic is float32, never contracted to fused multiply-adds, and
sums are taken block by block in a fixed order: the same bits on every processor, with any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

ROW = 512
"""Values that a loop takes at once: neighbouring pixels, as the channels of one may be too few to be worth a loop."""
ROWS_A_BLOCK = 64
"""Rows whose float32 sums are added up in float64: few enough to lose nothing."""


class Affine(NamedTuple):
    """gradient * `of_gradient` + x * `of_x` + `constant`, for each channel (float64)."""

    of_gradient_C: Tensor
    of_x_C: Tensor
    constant_C: Tensor


def sums_and_squares(x_BCHW: Tensor) -> tuple[Tensor, Tensor]:
    """sum(x) and sum(x * x) of each channel, float64 as all sums."""
    x = _rows(x_BCHW)
    sums, squares = _blocks(x), _blocks(x)
    _over_rows(_sums_and_squares, x, sums, squares)
    return _by_channel(sums, x_BCHW), _by_channel(squares, x_BCHW)


def scale_and_shift(x_BCHW: Tensor, scale_C: Tensor, shift_C: Tensor) -> Tensor:
    """x * scale + shift."""
    out_BCHW = _empty_like(x_BCHW)
    x = _rows(x_BCHW)
    _over_rows(_scale_and_shift, x, _along(scale_C, x), _along(shift_C, x), _rows(out_BCHW))
    return out_BCHW


def relu_backward(gradient_BCHW: Tensor, y_BCHW: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient where `y`, of a ReLU, is positive, else 0; and its sum by channel: the gradient of a bias."""
    out_BCHW, y = _empty_like(y_BCHW), _rows(y_BCHW)
    sums = _blocks(y)
    _over_rows(_relu_backward, _rows(gradient_BCHW), y, _rows(out_BCHW), sums)
    return out_BCHW, _by_channel(sums, out_BCHW)


def norm_sums(gradient_BCHW: Tensor, x_BCHW: Tensor) -> tuple[Tensor, Tensor]:
    """sum(gradient) and sum(gradient * x) of each channel."""
    x = _rows(x_BCHW)
    sums, products = _blocks(x), _blocks(x)
    _over_rows(_norm_sums, _rows(gradient_BCHW), x, sums, products)
    return _by_channel(sums, x_BCHW), _by_channel(products, x_BCHW)


def norm_backward(gradient_BCHW: Tensor, x_BCHW: Tensor, affine: Affine) -> Tensor:
    """The affine function of gradient and x."""
    out_BCHW, x = _empty_like(x_BCHW), _rows(x_BCHW)
    factors = [_along(factor, x) for factor in affine]
    _over_rows(_norm_backward, _rows(gradient_BCHW), x, *factors, _rows(out_BCHW))
    return out_BCHW


def norm_relu_backward(gradient_BCHW: Tensor, x_BCHW: Tensor, affine: Affine) -> tuple[Tensor, Tensor]:
    """The affine function of gradient and x where x, of a ReLU, is positive, else 0; and its sum by channel."""
    out_BCHW, x = _empty_like(x_BCHW), _rows(x_BCHW)
    sums, factors = _blocks(x), [_along(factor, x) for factor in affine]
    _over_rows(_norm_relu_backward, _rows(gradient_BCHW), x, *factors, _rows(out_BCHW), sums)
    return out_BCHW, _by_channel(sums, out_BCHW)


def upsample_and_add(coarse_BCHW: Tensor, fine_BCHW: Tensor) -> Tensor:
    """Every pixel of `coarse` as 2 x 2, plus `fine`."""
    out_BCHW = _empty_like(fine_BCHW)
    over_images(_upsample_and_add, bits(coarse_BCHW), bits(fine_BCHW), bits(out_BCHW))
    return out_BCHW


def upsample_and_pad(coarse_BCHW: Tensor) -> Tensor:
    """Every pixel as 2 x 2, and one row and one column of zeros at the end."""
    B, C, H, W = coarse_BCHW.shape
    out_BCHW = torch.empty((B, C, 2 * H + 1, 2 * W + 1), dtype=coarse_BCHW.dtype, memory_format=torch.channels_last)
    over_images(_upsample_and_pad, bits(coarse_BCHW), bits(out_BCHW))
    return out_BCHW


def sum_of_2x2(fine_BCHW: Tensor) -> Tensor:
    """The gradient of upsampling: half the height and width. An odd row or column at the end has no part in it."""
    B, C, H, W = fine_BCHW.shape
    out_BCHW = torch.empty((B, C, H // 2, W // 2), dtype=fine_BCHW.dtype, memory_format=torch.channels_last)
    over_images(_sum_of_2x2, bits(fine_BCHW), bits(out_BCHW))
    return out_BCHW


def _empty_like(x_BCHW: Tensor) -> Tensor:
    return torch.empty_like(x_BCHW, memory_format=torch.channels_last)


def bits(x_BCHW: Tensor) -> NDArray[np.uint16]:
    """The tensor's own memory, as (B, H, W, C)."""
    seen: NDArray[np.uint16] = x_BCHW.detach().permute(0, 2, 3, 1).view(torch.uint16).numpy()
    return seen


def _rows(x_BCHW: Tensor) -> NDArray[np.uint16]:
    """The tensor's own memory, as rows of whole pixels."""
    seen, channels = bits(x_BCHW), x_BCHW.shape[1]
    assert seen.flags.c_contiguous
    pixels = 1
    while 2 * pixels * channels <= ROW and (seen.size // channels) % (2 * pixels) == 0:
        pixels *= 2
    return seen.reshape(-1, pixels * channels)


def _blocks(rows: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Zeros, to which each block of rows is added up."""
    return np.zeros((-(-len(rows) // ROWS_A_BLOCK), rows.shape[1]), np.float32)


def _by_channel(blocks: NDArray[np.float32], x_BCHW: Tensor) -> Tensor:
    with np.errstate(invalid="ignore"):  # infinities of both signs: the loss is looked at, in the end
        return torch.from_numpy(blocks.sum(0, dtype=np.float64).reshape(-1, x_BCHW.shape[1]).sum(0))


def _along(values_C: Tensor, rows: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Each channel's value at each place of a row."""
    return np.tile(values_C.float().numpy(), rows.shape[1] // len(values_C))


def _over_rows(loop: Callable[..., None], rows: NDArray[np.uint16], *arguments: Any) -> None:
    """Run `loop(first, last, rows, *arguments)` on as many threads as torch uses, each on whole blocks of its own."""
    share = ROWS_A_BLOCK * -(-len(rows) // (ROWS_A_BLOCK * torch.get_num_threads()))
    _in_threads(loop, len(rows), share, rows, *arguments)


def over_images(loop: Callable[..., None], images: NDArray[np.uint16], *arguments: Any) -> None:
    """Run `loop(first, last, images, *arguments)` likewise, each thread on whole images."""
    _in_threads(loop, len(images), -(-len(images) // torch.get_num_threads()), images, *arguments)


def _in_threads(loop: Callable[..., None], number: int, share: int, *arguments: Any) -> None:
    if share >= number:
        loop(0, number, *arguments)
        return
    parts = [
        _threads().submit(loop, first, min(first + share, number), *arguments) for first in range(0, number, share)
    ]
    for part in parts:
        part.result()


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(thread_name_prefix="kernels")


# The loops. Without types, as Numba finds them out.


def compiled(loop: Callable[..., None]) -> Callable[..., None]:
    """The machine code is kept for the next process, if there is a folder to keep it in."""
    try:
        kept: Callable[..., None] = njit(loop, nogil=True, cache=True, error_model="numpy")
    except RuntimeError:
        kept = njit(loop, nogil=True, error_model="numpy")
    return kept


inlined = njit(inline="always")
"""Becomes a part of the loop that calls it."""


@inlined
def wide(half):  # type: ignore[no-untyped-def]
    """bfloat16 -> float32."""
    return np.uint32(np.uint32(half) << np.uint32(16)).view(np.float32)


@inlined
def narrow(value):  # type: ignore[no-untyped-def]
    """float32 -> the nearest bfloat16, ties to even, as torch rounds. Of the NaNs those that arithmetic makes."""
    whole = np.float32(value).view(np.uint32)
    return np.uint16((whole + np.uint32(0x7FFF) + ((whole >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16))


@compiled
def _sums_and_squares(first, last, x, sums, squares):  # type: ignore[no-untyped-def]
    for r in range(first, last):
        values, total, total_of_squares = x[r], sums[r // ROWS_A_BLOCK], squares[r // ROWS_A_BLOCK]
        for i in range(len(values)):
            value = wide(values[i])
            total[i] += value
            total_of_squares[i] += value * value


@compiled
def _scale_and_shift(first, last, x, scale, shift, out):  # type: ignore[no-untyped-def]
    for r in range(first, last):
        values, results = x[r], out[r]
        for i in range(len(values)):
            results[i] = narrow(wide(values[i]) * scale[i] + shift[i])


@compiled
def _relu_backward(first, last, gradient, y, out, sums):  # type: ignore[no-untyped-def]
    for r in range(first, last):
        slopes, values, results, total = gradient[r], y[r], out[r], sums[r // ROWS_A_BLOCK]
        for i in range(len(values)):
            slope = slopes[i] if wide(values[i]) > 0 else np.uint16(0)
            total[i] += wide(slope)
            results[i] = slope


@compiled
def _norm_sums(first, last, gradient, x, sums, products):  # type: ignore[no-untyped-def]
    for r in range(first, last):
        slopes, values, total, total_of_products = (
            gradient[r],
            x[r],
            sums[r // ROWS_A_BLOCK],
            products[r // ROWS_A_BLOCK],
        )
        for i in range(len(values)):
            slope = wide(slopes[i])
            total[i] += slope
            total_of_products[i] += slope * wide(values[i])


@compiled
def _norm_backward(first, last, gradient, x, of_gradient, of_x, constant, out):  # type: ignore[no-untyped-def]
    for r in range(first, last):
        slopes, values, results = gradient[r], x[r], out[r]
        for i in range(len(values)):
            results[i] = narrow(wide(slopes[i]) * of_gradient[i] + wide(values[i]) * of_x[i] + constant[i])


@compiled
def _norm_relu_backward(first, last, gradient, x, of_gradient, of_x, constant, out, sums):  # type: ignore[no-untyped-def]
    for r in range(first, last):
        slopes, values, results, total = gradient[r], x[r], out[r], sums[r // ROWS_A_BLOCK]
        for i in range(len(values)):
            value = wide(values[i])
            slope = wide(slopes[i]) * of_gradient[i] + value * of_x[i] + constant[i]
            slope = slope if value > 0 else np.float32(0)
            total[i] += slope
            results[i] = narrow(slope)


@compiled
def _upsample_and_add(first, last, coarse, fine, out):  # type: ignore[no-untyped-def]
    for n in range(first, last):
        for h in range(fine.shape[1]):
            for w in range(fine.shape[2]):
                for c in range(fine.shape[3]):
                    out[n, h, w, c] = narrow(wide(coarse[n, h // 2, w // 2, c]) + wide(fine[n, h, w, c]))


@compiled
def _upsample_and_pad(first, last, coarse, out):  # type: ignore[no-untyped-def]
    for n in range(first, last):
        out[n, -1] = 0
        for h in range(coarse.shape[1]):
            row = out[n, 2 * h]
            for w in range(coarse.shape[2]):
                for c in range(coarse.shape[3]):
                    row[2 * w, c] = coarse[n, h, w, c]
                    row[2 * w + 1, c] = coarse[n, h, w, c]
            row[-1] = 0
            out[n, 2 * h + 1] = row


@compiled
def _sum_of_2x2(first, last, fine, out):  # type: ignore[no-untyped-def]
    for n in range(first, last):
        for h in range(out.shape[1]):
            for w in range(out.shape[2]):
                for c in range(out.shape[3]):
                    above = wide(fine[n, 2 * h, 2 * w, c]) + wide(fine[n, 2 * h, 2 * w + 1, c])
                    below = wide(fine[n, 2 * h + 1, 2 * w, c]) + wide(fine[n, 2 * h + 1, 2 * w + 1, c])
                    out[n, h, w, c] = narrow(above + below)
