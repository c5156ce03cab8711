"""Layers in fewer passes over memory, where a network computes in bfloat16 on a GPU: the counterpart of cpu/layers.py.

A GPU's matrix units take channels by eights, and cuDNN copies whole activations to make it so. Here a convolution's
output gets the channels that are missing, all zero, behind its own, once; what comes next takes them along. They change
no result: their weights are zero, and no gradient of theirs reaches a parameter.

Shapes: B batch, C channels, H and W pixels; channels last in memory.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from trainers.cpu.convolution import Geometry
from trainers.gpu import kernels as kernels  # `blocks` takes them from here, too

EIGHT = 8


def conv_relu(x_BCHW: Tensor, convolution: nn.Conv2d, geometry: Geometry, norm: nn.BatchNorm2d | None = None) -> Tensor:
    """`norm(relu(convolution(x)))`, bfloat16, with channels of zeros behind the convolution's own."""
    relu: Tensor = _ConvReLU.apply(x_BCHW, convolution.weight, convolution.bias, geometry)  # type: ignore[no-untyped-call]
    return relu if norm is None else _normalise(relu, norm)


def classify(x_BCHW: Tensor, classifier: nn.Conv2d) -> Tensor:
    """logits_BKHW of a convolution of features that may have channels of zeros behind the convolution's inputs."""
    return F.conv2d(x_BCHW, _with_channels(classifier.weight, x_BCHW.shape[1]), classifier.bias)


def norm_and_classify(x_BCHW: Tensor, norm: nn.BatchNorm2d, classifier: nn.Conv2d) -> Tensor:
    """`classifier(norm(x))`, bfloat16."""
    return classify(_normalise(x_BCHW, norm), classifier)


def concatenate(relu_BCHW: Tensor, skip_BCHW: Tensor, channels: int) -> Tensor:
    """The first `channels` of `relu`, then `skip`, then the zeros that `relu` has behind its own channels."""
    both: Tensor = _Concatenate.apply(relu_BCHW, skip_BCHW, channels)  # type: ignore[no-untyped-call]
    return both


class _ConvReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, geometry: Geometry) -> Tensor:
        ctx.inputs, ctx.shape, ctx.geometry = x.shape[1], weight.shape, geometry
        x = _with_channels(x.bfloat16(), _eights(x.shape[1]))
        missing = _eights(len(bias)) - len(bias)
        weight = _with_channels(weight.bfloat16(), x.shape[1], missing)
        stride, padding, dilation = geometry
        y = F.conv2d(x, weight, None, stride, padding, dilation)
        y = kernels.add_bias_and_relu_(_channels_last(y), F.pad(bias, (0, missing)) if missing else bias)
        ctx.save_for_backward(x, weight, y)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, y = ctx.saved_tensors
        of_convolution, of_bias = kernels.relu_backward(_channels_last(gradient.bfloat16()), y)
        stride, padding, dilation = ([side, side] for side in ctx.geometry)
        asked = [ctx.needs_input_grad[0], True, False]
        of_x, of_weight, _ = torch.ops.aten.convolution_backward(
            of_convolution, x, weight, None, stride, padding, dilation, False, [0, 0], 1, asked
        )
        outputs, inputs = ctx.shape[:2]
        of_x = of_x[:, : ctx.inputs] if asked[0] else None
        return of_x, of_weight[:outputs, :inputs].float(), of_bias[:outputs], None


class _Concatenate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, relu: Tensor, skip: Tensor, channels: int) -> Tensor:
        ctx.all_of_relu, ctx.channels, ctx.of_skip = relu.shape[1], channels, skip.shape[1]
        return _channels_last(torch.cat([relu[:, :channels], skip, relu[:, channels:]], 1))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        """The zeros behind `relu` are given some of `skip`'s gradient, which spares a copy: ReLU's backward pass lets
        nothing through where ReLU gave zero."""
        of_skip = gradient[:, ctx.channels : ctx.channels + ctx.of_skip]
        return _channels_last(gradient[:, : ctx.all_of_relu]), _channels_last(of_skip), None


def _normalise(x_BCHW: Tensor, norm: nn.BatchNorm2d) -> Tensor:
    """Batch norm; x may have channels of zeros behind those of `norm`, which stay zero."""
    missing, own = x_BCHW.shape[1] - norm.num_features, norm.num_features
    if not missing:
        normed: Tensor = norm(x_BCHW)
        return normed
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.num_batches_tracked is not None
    mean, variance = (F.pad(running, (0, missing)) for running in (norm.running_mean, norm.running_var))
    weight, bias = (F.pad(parameter, (0, missing)) for parameter in (norm.weight, norm.bias))
    normed = F.batch_norm(x_BCHW, mean, variance, weight, bias, norm.training, norm.momentum or 0.0, norm.eps)
    if norm.training:
        norm.running_mean.copy_(mean[:own])
        norm.running_var.copy_(variance[:own])
        norm.num_batches_tracked.add_(1)
    return normed


def _eights(channels: int) -> int:
    return -(-channels // EIGHT) * EIGHT


def _with_channels(x: Tensor, channels: int, more_outputs: int = 0) -> Tensor:
    """x, or weights, with zeros behind axis 1 up to so many channels, and behind axis 0."""
    behind = channels - x.shape[1]
    return _channels_last(F.pad(x, (0, 0, 0, 0, 0, behind, 0, more_outputs)) if behind or more_outputs else x)


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)
