"""Convolution, ReLU and batch norm as one step each way, where a network computes in bfloat16 on a CPU.

The same function of the same weights as torch's own operations one after another, to rounding: torch rounds to bfloat16
between batch norm's and ReLU's backward pass, this does not. Shapes: B batch, C channels, H and W pixels.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from trainers.cpu import kernels as kernels  # `blocks` takes them from here, too
from trainers.cpu.convolution import Geometry, convolution_backward, convolve_relu


def conv_relu(x_BCHW: Tensor, convolution: nn.Conv2d, geometry: Geometry, norm: nn.BatchNorm2d | None = None) -> Tensor:
    """`norm(relu(convolution(x)))`, bfloat16."""
    if norm is None:
        relu: Tensor = _ConvReLU.apply(x_BCHW, convolution.weight, convolution.bias, geometry)  # type: ignore[no-untyped-call]
        return relu
    normed: Tensor = _ConvReLUNorm.apply(  # type: ignore[no-untyped-call]
        x_BCHW, convolution.weight, convolution.bias, norm.weight, norm.bias, geometry, norm
    )
    return normed


def norm_and_classify(x_BCHW: Tensor, norm: nn.BatchNorm2d, classify: nn.Conv2d) -> Tensor:
    """`classify(norm(x))`, bfloat16, where `classify` looks at single pixels: both are linear, so they are one."""
    logits: Tensor = _NormClassify.apply(  # type: ignore[no-untyped-call]
        x_BCHW, norm.weight, norm.bias, classify.weight, classify.bias, norm
    )
    return logits


class _ConvReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, geometry: Geometry) -> Tensor:
        x, weight = x.bfloat16(), weight.bfloat16()
        y = convolve_relu(x, weight, bias, geometry)
        ctx.geometry = geometry
        ctx.save_for_backward(x, weight, y)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, y = ctx.saved_tensors
        of_convolution, of_bias = kernels.relu_backward(_channels_last(gradient), y)
        gradients = convolution_backward(of_convolution, x, weight, ctx.geometry, ctx.needs_input_grad[0])
        return *gradients, of_bias.float(), None


class _ConvReLUNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        norm_weight: Tensor,
        norm_bias: Tensor,
        geometry: Geometry,
        norm: nn.BatchNorm2d,
    ) -> Tensor:
        x, weight = x.bfloat16(), weight.bfloat16()
        relu = convolve_relu(x, weight, bias, geometry)
        moments = _moments(relu, norm)
        ctx.geometry, ctx.moments = geometry, moments
        ctx.save_for_backward(x, weight, relu, norm_weight)
        return _normalised(relu, norm_weight, norm_bias, moments)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, relu, norm_weight = ctx.saved_tensors
        gradient = _channels_last(gradient)
        affine, of_norm_weight, of_norm_bias = _norm_gradients(
            *kernels.norm_sums(gradient, relu), relu, norm_weight, ctx.moments
        )
        of_convolution, of_bias = kernels.norm_relu_backward(gradient, relu, affine)
        of_x, of_weight = convolution_backward(of_convolution, x, weight, ctx.geometry, ctx.needs_input_grad[0])
        return of_x, of_weight, of_bias.float(), of_norm_weight, of_norm_bias, None, None


class _NormClassify(torch.autograd.Function):
    """The normalised x, a x + b for each channel, is never made: W (a x + b) + c = (W a) x + (W b + c)."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, norm_weight: Tensor, norm_bias: Tensor, weight: Tensor, bias: Tensor, norm: nn.BatchNorm2d
    ) -> Tensor:
        moments, weight_KC = _moments(x, norm), weight.flatten(1).double()
        a = norm_weight.double() * moments.inverse_sd
        b = norm_bias.double() - moments.mean * a
        ctx.moments = moments
        ctx.save_for_backward(x, norm_weight, norm_bias, weight)
        both = (weight_KC * a).bfloat16().view(weight.shape), (weight_KC @ b + bias).bfloat16()
        return F.conv2d(x, *both)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """With d for the gradient of the logits: sum(d) and sum(d x) give those of W and c, of a and b, and of the
        batch's moments."""
        x, norm_weight, norm_bias, weight = ctx.saved_tensors
        gradient, weight_KC = _channels_last(gradient), weight.flatten(1).double()
        of_bias, products_KC = _class_sums(gradient, x)
        a = norm_weight.double() * ctx.moments.inverse_sd
        affine, of_norm_weight, of_norm_bias = _norm_gradients(
            weight_KC.t() @ of_bias, (weight_KC * products_KC).sum(0), x, norm_weight, ctx.moments
        )
        normed_products_KC = products_KC * a + of_bias[:, None] * (norm_bias.double() - ctx.moments.mean * a)
        of_normed = torch.ops.aten.convolution_backward(
            gradient, x, weight.bfloat16(), None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1, [True, False, False]
        )[0]
        of_x = kernels.norm_backward(of_normed, x, affine)
        of_weight = normed_products_KC.float().view(weight.shape)
        return of_x, of_norm_weight, of_norm_bias, of_weight, of_bias.float(), None


class _Moments(NamedTuple):
    """Of each channel, over the batch; or the running ones, outside of training."""

    mean: Tensor
    inverse_sd: Tensor
    of_batch: bool


def _moments(x: Tensor, norm: nn.BatchNorm2d) -> _Moments:
    """As torch's batch norm: of the batch, which also moves the running ones, or the running ones."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    if not norm.training:
        mean, variance = norm.running_mean.double(), norm.running_var.double()
    else:
        number = x.numel() // x.shape[1]
        sums, squares = kernels.sums_and_squares(x)
        mean = sums / number
        variance = (squares / number - mean.square()).clamp(min=0)
        assert norm.momentum is not None
        norm.running_mean.lerp_(mean.float(), norm.momentum)
        norm.running_var.lerp_((variance * number / (number - 1)).float(), norm.momentum)
        assert norm.num_batches_tracked is not None
        norm.num_batches_tracked.add_(1)
    return _Moments(mean, (variance + norm.eps).rsqrt(), norm.training)


def _normalised(x: Tensor, weight: Tensor, bias: Tensor, moments: _Moments) -> Tensor:
    scale = weight.double() * moments.inverse_sd
    return kernels.scale_and_shift(x, scale, bias.double() - moments.mean * scale)


def _norm_gradients(
    of_bias: Tensor, products: Tensor, x: Tensor, weight: Tensor, moments: _Moments
) -> tuple[kernels.Affine, Tensor, Tensor]:
    """What maps gradient and x to the gradient of x; the gradients of weight and bias.

    From sum(gradient), which is that of the bias, and sum(gradient * x), of each channel.
    """
    number = x.numel() // x.shape[1]
    of_weight = (products - moments.mean * of_bias) * moments.inverse_sd
    of_gradient = weight.double() * moments.inverse_sd
    if not moments.of_batch:
        nothing = torch.zeros_like(of_gradient)
        return kernels.Affine(of_gradient, nothing, nothing), of_weight.float(), of_bias.float()
    of_x = -of_gradient * moments.inverse_sd * of_weight / number
    affine = kernels.Affine(of_gradient, of_x, -of_gradient * of_bias / number - of_x * moments.mean)
    return affine, of_weight.float(), of_bias.float()


def _class_sums(gradient_BKHW: Tensor, x_BCHW: Tensor) -> tuple[Tensor, Tensor]:
    """sum(gradient) of each class, shape (K,), and sum(gradient * x) of each class and channel, (K, C), in float64.

    Image by image, as each one's sum is rounded to bfloat16.
    """
    gradient_BKP, x_BCP = gradient_BKHW.flatten(2), x_BCHW.flatten(2)
    products_BKC = gradient_BKP @ x_BCP.transpose(1, 2)
    return gradient_BKP.float().sum((0, 2)).double(), products_BKC.double().sum(0)


def _channels_last(gradient: Tensor) -> Tensor:
    return gradient.contiguous(memory_format=torch.channels_last)
