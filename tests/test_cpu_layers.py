"""What is computed in one pass on a CPU in bfloat16, against the same function in torch's own operations."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainers.cpu import kernels, layers
from trainers.cpu.convolution import FEW_PIXELS
from trainers.networks import blocks
from trainers.networks import network as named
from trainers.networks.blocks import (
    BatchNorm,
    ConvReLU,
    ConvReLUNorm,
    UpConvReLU,
    fused_layers,
    norm_and_classify,
    upsample_and_add,
    upsample_nearest,
)

pytestmark = pytest.mark.slow  # it compiles
SHAPES = [
    (2, 3, 4, 4),
    (3, 8, 16, 12),
    (5, 16, 34, 30),
]  # of which the last is many blocks of pixels, the last not whole


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(1)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    values = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return values.bfloat16().contiguous(memory_format=torch.channels_last)


def test_rounding_is_torchs() -> None:
    """Over values of all sizes: ties, subnormals, infinities and what overflows to them."""
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**32, 4096, dtype=np.uint32)
    ties = (bits[:2048] & 0xFFFF0000) | 0x8000
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 3.4e38, -3.4e38, 1e-45], np.float32).view(np.uint32)
    values = torch.from_numpy(np.concatenate([bits, ties, special, np.zeros(24, np.uint32)]).view(np.float32))
    values = values[~values.isnan()]
    values = values[: len(values) // 8 * 8].double()
    ones = torch.ones(1, len(values), 1, 1).bfloat16().contiguous(memory_format=torch.channels_last)
    rounded = kernels.scale_and_shift(ones, values, torch.zeros_like(values)).flatten()
    assert torch.equal(rounded, values.float().bfloat16())


@pytest.mark.parametrize("shape", SHAPES)
def test_sums_are_exact_to_float32(shape: tuple[int, ...]) -> None:
    x, gradient = drawn(*shape), drawn(*shape, seed=1)
    sums, squares = kernels.sums_and_squares(x)
    of_gradient, products = kernels.norm_sums(gradient, x)
    wide, slopes, over = x.double(), gradient.double(), (0, 2, 3)
    close = {"rtol": 1e-5, "atol": 1e-4}
    torch.testing.assert_close(sums, wide.sum(over), **close)
    torch.testing.assert_close(squares, wide.square().sum(over), **close)
    torch.testing.assert_close(of_gradient, slopes.sum(over), **close)
    torch.testing.assert_close(products, (slopes * wide).sum(over), **close)


@pytest.mark.parametrize("shape", SHAPES)
def test_loops_over_pixels_are_torchs_arithmetic_bit_for_bit(shape: tuple[int, ...]) -> None:
    x, gradient, channels = drawn(*shape).relu(), drawn(*shape, seed=1), shape[1]
    a, b, c = (torch.randn(channels, generator=torch.Generator().manual_seed(seed)).double() for seed in (2, 3, 4))
    aa, bb, cc = (factor.float().view(1, -1, 1, 1) for factor in (a, b, c))
    assert torch.equal(kernels.scale_and_shift(x, a, b), (x.float() * aa + bb).bfloat16())
    masked, sums = kernels.relu_backward(gradient, x)
    assert torch.equal(masked, torch.where(x > 0, gradient, 0))
    torch.testing.assert_close(sums, masked.double().sum((0, 2, 3)), rtol=1e-5, atol=1e-4)
    affine = gradient.float() * aa + x.float() * bb + cc
    assert torch.equal(kernels.norm_backward(gradient, x, kernels.Affine(a, b, c)), affine.bfloat16())
    both, sums = kernels.norm_relu_backward(gradient, x, kernels.Affine(a, b, c))
    assert torch.equal(both, torch.where(x > 0, affine, 0).bfloat16())
    torch.testing.assert_close(sums, torch.where(x > 0, affine, 0).double().sum((0, 2, 3)), rtol=1e-5, atol=1e-4)


def test_upsampling_is_torchs_bit_for_bit() -> None:
    coarse, fine = drawn(3, 8, 5, 6).requires_grad_(), drawn(3, 8, 10, 12, seed=1).requires_grad_()
    expected = upsample_nearest(coarse) + fine
    with torch.autocast("cpu", torch.bfloat16):
        found = upsample_and_add(coarse, fine)
    assert torch.equal(found, expected)
    slope = drawn(3, 8, 10, 12, seed=2)
    of_coarse, of_fine = torch.autograd.grad(found, (coarse, fine), slope)
    assert torch.equal(of_fine, slope)
    exact = F.avg_pool2d(slope.double(), 2) * 4
    torch.testing.assert_close(of_coarse.double(), exact, rtol=2**-8, atol=1e-6)


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_any_number_of_threads_gives_the_same_bits(threads: int) -> None:
    def everything() -> list[Tensor]:
        x, gradient = drawn(5, 16, 34, 30).relu(), drawn(5, 16, 34, 30, seed=1)
        factors = kernels.Affine(*(torch.linspace(-1, 1, 16).double() * k for k in (1, 2, 3)))
        return [
            *kernels.sums_and_squares(x),
            *kernels.norm_sums(gradient, x),
            *kernels.relu_backward(gradient, x),
            *kernels.norm_relu_backward(gradient, x, factors),
            kernels.norm_backward(gradient, x, factors),
            kernels.scale_and_shift(x, factors.of_x_C, factors.constant_C),
            kernels.sum_of_2x2(x),
            kernels.upsample_and_add(kernels.sum_of_2x2(x), x),
        ]

    alone = everything()
    torch.set_num_threads(threads)
    assert all(torch.equal(one, other) for one, other in zip(alone, everything(), strict=True))


class NormAndClassify(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.classify = BatchNorm(8), nn.Conv2d(8, 3, 1)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return norm_and_classify(images_BCHW, self.norm, self.classify)


LAYERS: dict[str, Callable[[], nn.Module]] = {
    "conv relu": lambda: ConvReLU(8, 16),
    "conv relu, stride 2": lambda: ConvReLU(8, 16, stride=2),
    "up conv relu": lambda: UpConvReLU(8, 16),
    "conv relu norm": lambda: ConvReLUNorm(8, 16),
    "conv relu norm, dilated": lambda: ConvReLUNorm(8, 16, dilation=2),
    "norm and classify": NormAndClassify,
}
MANY, FEW = (4, 24, 32), (4, 12, 16)
"""Pixels of a batch: more and fewer than those up to which the gradient of weights is one matrix product."""


def test_many_and_few_pixels_are_what_they_are_called() -> None:
    assert math.prod(FEW) <= FEW_PIXELS < math.prod(MANY)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("pixels", [MANY, FEW])
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_and_its_gradients_are_as_exact_as_bfloat16_can_be(
    name: str, pixels: tuple[int, int, int], training: bool
) -> None:
    torch.manual_seed(0)
    layer, exact = LAYERS[name]().train(training), LAYERS[name]().double().train(training)
    with torch.no_grad():
        for key, value in layer.state_dict().items():
            if value.is_floating_point():
                value.copy_((torch.rand_like(value) + ("var" in key or "norm.weight" in key)).bfloat16())
    exact.load_state_dict(layer.state_dict())
    images = drawn(pixels[0], 8, *pixels[1:])
    ours, theirs = images.clone().requires_grad_(), images.double().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        assert fused_layers(ours) is layers
        found = layer(ours)
    expected = exact(theirs)
    assert found.dtype == torch.bfloat16
    assert found.is_contiguous(memory_format=torch.channels_last)
    slope = drawn(*found.shape, seed=1)
    found.backward(slope)
    expected.backward(slope.double())
    pairs = {"output": (found, expected), "images": (ours.grad, theirs.grad)}
    pairs |= {key: (p.grad, q.grad) for (key, p), q in zip(layer.named_parameters(), exact.parameters(), strict=True)}
    pairs |= {key: (p, q) for (key, p), q in zip(layer.named_buffers(), exact.buffers(), strict=True)}
    for key, (one, other) in pairs.items():
        scale = other.double().abs().max()
        assert (one.double() - other.double()).abs().max() <= 0.02 * scale, key


@pytest.mark.parametrize("name", ["icnet", "unet"])
def test_a_whole_network_is_no_less_exact_than_with_torchs_own_operations(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Distance of all gradients from those in float64, of the fused layers and of torch's in bfloat16."""

    def gradients(dtype: torch.dtype) -> Tensor:
        network = named(name).build(4, {"width": 0.5}, 0).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        images = drawn(4, 3, 32, 48).float()
        if dtype == torch.float64:
            network, images = network.double(), images.double()
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            logits = network(images)[0]
        target = torch.arange(4).repeat_interleave(12).expand(4, 32, 48)
        F.cross_entropy(logits.to(torch.promote_types(logits.dtype, torch.float32)), target).backward()
        return torch.cat([p.grad.double().flatten() for p in network.parameters()])

    exact, ours = gradients(torch.float64), gradients(torch.bfloat16)
    monkeypatch.setattr(blocks, "fused_layers", lambda x: None)
    torchs = gradients(torch.bfloat16)
    assert not torch.equal(ours, torchs)
    assert (ours - exact).norm() <= 1.1 * (torchs - exact).norm()
