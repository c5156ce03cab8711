"""The log probability of each pixel's own class, of bfloat16 logits on a CPU, in one pass over them each way.

torch takes several, and copies: to float32, to planes of classes, and back. With few channels that was a tenth of a
training step. Shapes: B batch, K classes, H and W pixels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from trainers.cpu.kernels import bits, compiled, inlined, narrow, over_images, wide


def log_probability_of_truth(logits_BKHW: Tensor, target_BHW: Tensor) -> Tensor:
    """log p of every pixel's own class, float32, shape (B, H, W); of bfloat16 logits, channels last."""
    log_probability: Tensor = _LogProbabilityOfTruth.apply(logits_BKHW, target_BHW)  # type: ignore[no-untyped-call]
    return log_probability


class _LogProbabilityOfTruth(torch.autograd.Function):
    """log p = z - log(sum(exp(z))), with z of the pixel's own class; its gradient is 1 - p there, elsewhere -p."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, target: Tensor) -> Tensor:
        logits, target = logits.contiguous(memory_format=torch.channels_last), target.contiguous()
        largest, total, own = (torch.empty(target.shape) for _ in range(3))
        over_images(_exponentials, bits(logits), target.numpy(), largest.numpy(), total.numpy(), own.numpy())
        ctx.save_for_backward(logits, target, largest, total.reciprocal())
        return own - largest - total.log()  # total is that of exp(z - largest)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        logits, *by_pixel = ctx.saved_tensors
        of_logits, by_pixel = torch.empty_like(logits), [*by_pixel, gradient.contiguous()]
        over_images(_gradient, bits(logits), *(values.numpy() for values in by_pixel), bits(of_logits))
        return of_logits, None


LOG2_E, LN2_HIGH, LN2_LOW = (np.float32(number) for number in (1.44269504, 0.693359375, -2.12194440e-4))
SMALLEST = np.float32(-87)
"""exp of less is no normal float32."""
TAYLOR = tuple(np.float32(1 / number) for number in (720, 120, 24, 6, 2, 1, 1))


@inlined
def _exp(x):  # type: ignore[no-untyped-def]
    """e to the x <= 0, to 2 units in the last place, where Numba's own would keep its loop from being vectorised:
    2^n e^r with a whole n and |r| <= ln(2) / 2, and the Taylor polynomial for e^r."""
    x = SMALLEST if x < SMALLEST else x  # NaN stays
    n = np.floor(x * LOG2_E + np.float32(0.5))
    r = x - n * LN2_HIGH - n * LN2_LOW
    power = TAYLOR[0]
    for coefficient in TAYLOR[1:]:
        power = power * r + coefficient
    return power * np.uint32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)


@compiled
def _exponentials(first, last, logits, target, largest, total, own):  # type: ignore[no-untyped-def]
    height, width, classes = logits.shape[1:]
    planes = np.empty((classes, width), np.float32)
    for n in range(first, last):
        for h in range(height):
            row, top, sums = logits[n, h], largest[n, h], total[n, h]
            for k in range(classes):
                for w in range(width):
                    planes[k, w] = wide(row[w, k])
            top[:] = planes[0]
            for k in range(1, classes):
                for w in range(width):
                    top[w] = top[w] if top[w] > planes[k, w] else planes[k, w]
            sums[:] = 0
            for k in range(classes):
                for w in range(width):
                    sums[w] += _exp(planes[k, w] - top[w])
            for w in range(width):
                own[n, h, w] = planes[target[n, h, w], w]


@compiled
def _gradient(first, last, logits, target, largest, share, slopes, out):  # type: ignore[no-untyped-def]
    height, width, classes = logits.shape[1:]
    plane = np.empty(width, np.float32)
    for n in range(first, last):
        for h in range(height):
            row, result, top, shares, slope = logits[n, h], out[n, h], largest[n, h], share[n, h], slopes[n, h]
            for k in range(classes):
                for w in range(width):
                    plane[w] = wide(row[w, k])
                for w in range(width):
                    own = np.float32(1) if target[n, h, w] == k else np.float32(0)
                    plane[w] = slope[w] * (own - _exp(plane[w] - top[w]) * shares[w])
                for w in range(width):
                    result[w, k] = narrow(plane[w])
