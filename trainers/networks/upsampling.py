"""Nearest upsampling with what follows it, in one pass over memory, by the compiled loops of a device.

Shapes: B batch, C channels, H and W pixels; bfloat16, channels last in memory.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class Kernels(Protocol):
    """The loops: `trainers.cpu.kernels` or `trainers.gpu.kernels`."""

    def upsample_and_add(self, coarse_BCHW: Tensor, fine_BCHW: Tensor, /) -> Tensor: ...
    def upsample_and_pad(self, coarse_BCHW: Tensor, /) -> Tensor: ...
    def sum_of_2x2(self, fine_BCHW: Tensor, /) -> Tensor: ...


def upsample_and_add(kernels: Kernels, coarse_BCHW: Tensor, fine_BCHW: Tensor) -> Tensor:
    """Every pixel of `coarse` as 2 x 2, plus `fine`."""
    added: Tensor = _UpsampleAndAdd.apply(kernels, coarse_BCHW, fine_BCHW)  # type: ignore[no-untyped-call]
    return added


def upsample_and_pad(kernels: Kernels, x_BCHW: Tensor) -> Tensor:
    """Every pixel as 2 x 2, and a row and a column of zeros at the end, as a 2x2 convolution wants them."""
    upsampled: Tensor = _UpsampleAndPad.apply(kernels, x_BCHW)  # type: ignore[no-untyped-call]
    return upsampled


class _UpsampleAndAdd(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, kernels: Kernels, coarse: Tensor, fine: Tensor) -> Tensor:
        ctx.kernels = kernels
        return kernels.upsample_and_add(_channels_last(coarse), _channels_last(fine))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, Tensor]:
        gradient = _channels_last(gradient)
        return None, ctx.kernels.sum_of_2x2(gradient), gradient


class _UpsampleAndPad(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, kernels: Kernels, x: Tensor) -> Tensor:
        ctx.kernels = kernels
        return kernels.upsample_and_pad(_channels_last(x))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        return None, ctx.kernels.sum_of_2x2(_channels_last(gradient))


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)
