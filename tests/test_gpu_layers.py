"""What a GPU computes in one pass, against the same function in torch's own operations: on a GPU, if there is one, else
by Triton's interpreter (conftest.py), which cuts bfloat16 off instead of rounding it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

ON_GPU = torch.cuda.is_available()
pytest.importorskip("triton", reason="Triton is for Linux only")

from trainers.gpu import kernels, layers  # noqa: E402
from trainers.networks import blocks  # noqa: E402
from trainers.networks import network as named  # noqa: E402
from trainers.networks.blocks import (  # noqa: E402
    BatchNorm,
    ConvReLU,
    ConvReLUNorm,
    UpConvReLU,
    norm_and_classify,
    upsample_and_add,
)

pytestmark = pytest.mark.slow  # it compiles, or interprets
DEVICE = "cuda" if ON_GPU else "cpu"
ROUNDING = 2**-8 if ON_GPU else 2**-7
SHAPES = [(2, 8, 4, 6), (3, 64, 16, 10), (2, 120, 8, 8), (1, 240, 5, 7), (2, 16, 70, 66)]
"""The channels of the third and the fourth are divided unevenly among programs, the last has many blocks of pixels."""


@pytest.fixture(autouse=True)
def layers_for_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "fused_layers", lambda x: layers)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    values = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return values.bfloat16().to(DEVICE).contiguous(memory_format=torch.channels_last)


def assert_rounded(found: Tensor, exact: Tensor) -> None:
    assert found.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(found.float(), exact.float(), rtol=ROUNDING, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("programs", [2, kernels.PROGRAMS])
def test_relu_and_its_backward_pass(shape: tuple[int, ...], programs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "PROGRAMS", programs)
    x, gradient, bias = drawn(*shape), drawn(*shape, seed=1), torch.linspace(-1, 1, shape[1], device=DEVICE)
    y = kernels.add_bias_and_relu_(x.clone(), bias)
    assert_rounded(y, F.relu(x.float() + bias.view(1, -1, 1, 1)))
    masked, sums = kernels.relu_backward(gradient, y)
    expected = torch.where(y > 0, gradient, torch.zeros_like(gradient))
    assert torch.equal(masked, expected)
    torch.testing.assert_close(sums, expected.float().sum((0, 2, 3)), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("shape", SHAPES)
def test_upsampling_and_its_backward_pass(shape: tuple[int, ...]) -> None:
    coarse = drawn(*shape)
    upsampled = F.interpolate(coarse.float(), scale_factor=2.0, mode="nearest")
    fine = drawn(*upsampled.shape, seed=1)
    assert torch.equal(kernels.upsample_and_pad(coarse).float(), F.pad(upsampled, (0, 1, 0, 1)))
    assert_rounded(kernels.upsample_and_add(coarse, fine), upsampled + fine.float())
    summed = 4 * F.avg_pool2d(fine.float(), 2)
    padded = F.pad(fine, (0, 1, 0, 1), value=9.0).contiguous(memory_format=torch.channels_last)
    for each in (fine, padded):
        torch.testing.assert_close(kernels.sum_of_2x2(each).float(), summed, rtol=ROUNDING, atol=1e-5)


def test_nan_stays() -> None:
    x = drawn(1, 8, 4, 4)
    x[0, 0, 0, 0] = float("nan")
    assert kernels.add_bias_and_relu_(x, torch.zeros(8, device=DEVICE)).isnan().sum() == 1


class NormAndClassify(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.classify = BatchNorm(12), nn.Conv2d(12, 3, 1)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return norm_and_classify(images_BCHW, self.norm, self.classify)


class Up(nn.Module):
    """As in the U-Net: with channels of zeros behind the upsampled ones, which travel past the others."""

    def __init__(self) -> None:
        super().__init__()
        self.halve, self.up, self.classify = UpConvReLU(16, 6), ConvReLUNorm(22, 9), nn.Conv2d(9, 3, 1)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        skip = F.interpolate(images_BCHW, scale_factor=2.0)
        joined = blocks.concatenate(self.halve(images_BCHW), skip, 6)
        return blocks.classify(self.up(joined), self.classify)


class Add(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.coarse, self.fine = ConvReLU(12, 16, stride=2), ConvReLU(12, 16)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return upsample_and_add(self.coarse(images_BCHW), self.fine(images_BCHW))


LAYERS: dict[str, tuple[int, Callable[[], nn.Module]]] = {
    "conv relu": (12, lambda: ConvReLU(12, 20)),
    "conv relu norm": (12, lambda: ConvReLUNorm(12, 20)),
    "conv relu norm, dilated": (12, lambda: ConvReLUNorm(12, 16, dilation=2)),
    "up conv relu": (16, lambda: UpConvReLU(16, 20)),
    "add": (12, Add),
    "up": (16, Up),
    "norm and classify": (12, NormAndClassify),
}
"""And their inputs. What is upsampled comes from a convolution, hence by eights."""


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_and_its_gradients_are_as_exact_as_bfloat16_can_be(
    name: str, training: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever gradient the channels of zeros are given."""
    torch.manual_seed(0)
    inputs, make = LAYERS[name]
    layer, exact = make().train(training), make().double().train(training)
    with torch.no_grad():
        for key, value in layer.state_dict().items():
            if value.is_floating_point():
                value.copy_((torch.rand_like(value) + ("var" in key or "norm.weight" in key)).bfloat16())
    exact.load_state_dict(layer.state_dict())
    layer.to(DEVICE, memory_format=torch.channels_last)
    images = drawn(3, inputs, 16, 12)
    ours, theirs = images.clone().requires_grad_(), images.double().cpu().requires_grad_()
    with torch.autocast(DEVICE, torch.bfloat16):
        found = layer(ours)
    monkeypatch.setattr(blocks, "fused_layers", lambda x: None)
    expected = exact(theirs)
    channels, slope = expected.shape[1], drawn(*found.shape, seed=1)
    assert found[:, channels:].count_nonzero() == 0
    found.backward(slope.to(found.dtype))
    expected.backward(slope[:, :channels].double().cpu())
    pairs = {"output": (found[:, :channels], expected), "images": (ours.grad, theirs.grad)}
    pairs |= {key: (p.grad, q.grad) for (key, p), q in zip(layer.named_parameters(), exact.parameters(), strict=True)}
    pairs |= {key: (p, q) for (key, p), q in zip(layer.named_buffers(), exact.buffers(), strict=True)}
    for key, (one, other) in pairs.items():
        distance = (one.double().cpu() - other).norm() / other.double().norm().clamp(min=1e-9)
        assert distance < (0.02 if ON_GPU else 0.06), f"{key}: {distance:.4f}"


@pytest.mark.parametrize("model", ["unet", "icnet"])
def test_a_network_of_odd_widths_keeps_its_parameters_and_its_logits(model: str) -> None:
    """At a width whose halves are no multiples of eight; in evaluation, where bfloat16 stays near."""
    network = named(model).build(7, {"width": 0.3}, 0).eval()
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "fused_layers", lambda x: None)
        (expected,) = network(images)
    network.to(DEVICE, memory_format=torch.channels_last)
    with torch.autocast(DEVICE, torch.bfloat16):
        (found,) = network(images.to(DEVICE).contiguous(memory_format=torch.channels_last))
    assert found.shape == expected.shape
    assert (found.float().cpu() - expected).norm() < 0.03 * expected.norm()
    found.float().sum().backward()
    assert all(parameter.grad.shape == parameter.shape for parameter in network.parameters())
