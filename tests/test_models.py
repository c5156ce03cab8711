"""The networks against what is known of them, and their parts against other implementations."""

from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from trainers.data.size import square
from trainers.names import NETWORKS, arguments_of
from trainers.networks import network, num_parameters
from trainers.networks.blocks import SameConv, average_pool, resize_bilinear, scaled, upsample_nearest

NAMES = tuple(NETWORKS)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def made(name: str, width: float = 0.25, num_classes: int = 7, seed: int = 0) -> nn.Module:
    return network(name).build(num_classes, {"width": width}, seed)


@pytest.mark.parametrize(
    ("name", "total", "trainable"), [("icnet", 961_783, 960_055), ("unet", 24_049_237, 24_043_689)]
)
def test_the_authors_networks_to_the_parameter(name: str, total: int, trainable: int) -> None:
    model = made(name, width=1.0)
    assert num_parameters(model) == total
    assert sum(weight.numel() for weight in model.parameters()) == trainable


def test_the_cascade_has_under_a_million_parameters() -> None:
    assert 500_000 < num_parameters(made("icnet_cascade", width=1.0)) < 1_000_000


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_more_width_is_more_parameters(name: str) -> None:
    with torch.device("meta"):
        sizes = [num_parameters(network(name).make(7, percent / 100)) for percent in range(10, 201, 5)]
    assert all(a < b for a, b in pairwise(sizes))


@given(st.floats(0.05, 4), st.floats(0.05, 4), st.sampled_from([16, 32, 64, 128, 256, 512, 1024]))
def test_channels_grow_with_width(one: float, other: float, channels: int) -> None:
    few, many = (scaled(channels, width) for width in sorted((one, other)))
    assert 8 <= few <= many
    assert few % 8 == many % 8 == 0
    assert scaled(channels, 1.0) == channels


def shapes(model: nn.Module, side: int) -> dict[str, tuple[int, ...]]:
    """What every module puts out, without the batch axis."""
    found: dict[str, tuple[int, ...]] = {}
    for name, module in model.named_modules():
        module.register_forward_hook(
            lambda _module, _images, output, name=name: found.update({name: tuple(output[0].shape)})
        )
    model(torch.empty(1, 3, side, side, device="meta"))
    return found


def test_the_authors_feature_maps() -> None:
    with torch.device("meta"):
        icnet, unet = (shapes(network(name).make(7, 1.0), 128) for name in ("icnet", "unet"))
    assert [icnet[branch] for branch in ("full", "halved", "quartered")] == [
        (32, 128, 128),
        (64, 64, 64),
        (256, 32, 32),
    ]
    assert (icnet["after_half"], icnet["after_full"]) == ((64, 64, 64), (32, 128, 128))
    assert [unet[f"down.{i}"] for i in range(4)] == [(64, 128, 128), (128, 64, 64), (256, 32, 32), (512, 16, 16)]
    assert unet["bottleneck"] == (512, 8, 8)
    assert [unet[f"halve.{i}"] for i in range(4)] == [(256, 16, 16), (192, 32, 32), (112, 64, 64), (60, 128, 128)]
    assert [unet[f"up.{i}"] for i in range(4)] == [(384, 16, 16), (224, 32, 32), (120, 64, 64), (62, 128, 128)]


COARSER = {"icnet_cascade": (8, 16), "pspnet": (8,), "bisenet": (8, 16)}
"""Network -> by how much its auxiliary outputs are coarser than the image."""


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(16, 16), (48, 32), (48, 80), (64, 112)])
def test_any_size_that_is_a_multiple_of_16(name: str, size: tuple[int, int]) -> None:
    model = made(name, num_classes=5)
    images = torch.zeros(2, 3, *size)
    outputs = model(images)
    assert outputs[0].shape == (2, 5, *size)
    height, width = size
    coarser = [(2, 5, height // factor, width // factor) for factor in COARSER.get(name, ())]
    assert [logits.shape for logits in outputs[1:]] == coarser
    assert len(model.eval()(images)) == 1


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_learns(name: str) -> None:
    model = made(name)
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    torch.stack([logits.square().mean() for logits in model(images)]).sum().backward()
    still = [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert still == []


def test_all_of_the_cascade_speaks_through_its_main_output() -> None:
    model = made("icnet_cascade")
    images = torch.randn(2, 3, 48, 32, generator=torch.Generator().manual_seed(1))
    model(images)[0].square().mean().backward()
    silent = {name.partition(".")[0] for name, weight in model.named_parameters() if weight.grad is None}
    assert silent == {"classify_8", "classify_16"}


@pytest.mark.parametrize(("name", "sees_all"), [("icnet", False), ("icnet_cascade", True)])
def test_pyramid_pooling_carries_the_whole_image_everywhere(name: str, sees_all: bool) -> None:
    images = torch.randn(1, 3, 32, 1024, generator=torch.Generator().manual_seed(1)).requires_grad_()
    made(name).eval()(images)[0][..., -1].sum().backward()
    assert images.grad is not None
    assert bool(images.grad[..., 0].any()) == sees_all


@pytest.mark.parametrize("name", NAMES)
def test_weights_come_from_the_generator_alone(name: str) -> None:
    before = torch.random.get_rng_state()
    first, again, other = made(name, seed=3), made(name, seed=3), made(name, seed=4)
    assert torch.equal(torch.random.get_rng_state(), before)
    pairs = [(a, b, c) for a, b, c in zip(first.parameters(), again.parameters(), other.parameters(), strict=True)]
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert any(not torch.equal(a, c) for a, _, c in pairs)
    assert all(torch.isfinite(a).all() for a, _, _ in pairs)


@pytest.mark.parametrize("name", ["icnet", "unet"])
def test_kernels_start_uniform_after_glorot(name: str) -> None:
    for module in made(name, width=0.5).modules():
        if isinstance(module, nn.Conv2d):
            outputs, inputs, height, width = module.weight.shape
            bound = (6 / ((inputs + outputs) * height * width)) ** 0.5
            assert module.weight.abs().max() <= bound
            assert module.weight.abs().max() > 0.8 * bound
            assert module.bias is not None
            assert not module.bias.any()


@pytest.mark.parametrize("name", NAMES)
def test_prediction_does_not_depend_on_the_batch(name: str) -> None:
    model = made(name).eval().double()
    images = torch.randn(3, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        torch.testing.assert_close(model(images)[0][1:2], model(images[1:2])[0])


@pytest.mark.parametrize("name", NAMES)
def test_bf16_keeps_the_channels_last_order(name: str) -> None:
    model = made(name).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    outputs: dict[str, torch.Tensor] = {}
    for part, module in model.named_modules():
        if part:
            module.register_forward_hook(
                lambda _module, _images, output, part=part: outputs.update(
                    {
                        f"{part} {i}": each
                        for i, each in enumerate(output if isinstance(output, list | tuple) else [output])
                    }
                )
            )
    images = torch.zeros(2, 3, 64, 96).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        outputs.update({f"logits {i}": logits for i, logits in enumerate(model(images))})
    assert {output.dtype for output in outputs.values()} == {torch.bfloat16}
    flipped = [k for k, output in outputs.items() if not output.is_contiguous(memory_format=torch.channels_last)]
    assert flipped == []


class Operations(TorchDispatchMode):
    """Collects the names of what torch computes."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        self.names.add(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_left_to_chance_on_a_gpu(name: str) -> None:
    """None of the operations whose gradient torch documents as nondeterministic on CUDA."""
    with Operations() as operations:
        torch.stack([logits.mean() for logits in made(name)(torch.ones(2, 3, 32, 32))]).sum().backward()
    assert "convolution_backward" in operations.names
    banned = ("adaptive", "linear2d", "bicubic", "reflection_pad", "replication_pad", "index", "gather", "scatter")
    assert [
        op for op in operations.names if any(word in op for word in banned) and not op.startswith("max_pool2d")
    ] == []


@pytest.mark.parametrize("name", NAMES)
def test_prediction_repeats_bit_for_bit_and_changes_nothing(name: str) -> None:
    model = made(name).eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    images = torch.randn(1, 3, 48, 32, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        assert torch.equal(model(images)[0], model(images)[0])
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_a_first_use_under_inference_mode_does_not_spoil_training() -> None:
    model = made("icnet_cascade")
    images = torch.ones(2, 3, 80, 32)  # sizes that no other test uses
    with torch.inference_mode():
        model(images)
    model(images)[0].sum().backward()
    assert not [key for key in model.state_dict() if "matrix" in key]


def naive_same_convolution(image_CHW, kernel_OCkk, stride: int, dilation: int):
    """Keras's "same" by its documented rule: the output has ceil(n / stride) pixels, the odd pad goes to the end."""
    channels, *size = image_CHW.shape
    outputs, _, side, _ = kernel_OCkk.shape
    reach = dilation * (side - 1) + 1
    out = [-(-n // stride) for n in size]
    pads = [max((o - 1) * stride + reach - n, 0) for o, n in zip(out, size, strict=True)]
    padded = np.zeros((channels, size[0] + pads[0], size[1] + pads[1]))
    padded[:, pads[0] // 2 : pads[0] // 2 + size[0], pads[1] // 2 : pads[1] // 2 + size[1]] = image_CHW
    result = np.zeros((outputs, *out))
    for o in range(outputs):
        for y in range(out[0]):
            for x in range(out[1]):
                for i in range(side):
                    for j in range(side):
                        pixel = padded[:, y * stride + i * dilation, x * stride + j * dilation]
                        result[o, y, x] += (pixel * kernel_OCkk[o, :, i, j]).sum()
    return result


@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(3, 1, 1), (3, 2, 1), (2, 1, 1), (3, 1, 2), (1, 1, 1)])
def test_padding_is_kerass(kernel: int, stride: int, dilation: int) -> None:
    rng = np.random.default_rng(0)
    layer = SameConv(2, 3, kernel, stride, dilation).double()
    image, weights = rng.normal(size=(2, 6, 8)), rng.normal(size=(3, 2, kernel, kernel))
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weights))
        assert layer.bias is not None
        layer.bias.zero_()
        ours = layer(torch.from_numpy(image)[None])[0].numpy()
    np.testing.assert_allclose(ours, naive_same_convolution(image, weights, stride, dilation), atol=1e-12)


@settings(max_examples=30)
@given(st.integers(1, 13), st.integers(1, 13), st.integers(1, 17), st.integers(1, 17))
def test_bilinear_resizing_is_torchs(height: int, width: int, rows: int, columns: int) -> None:
    images = torch.arange(2.0 * 3 * height * width, dtype=torch.float64).sin().reshape(2, 3, height, width)
    expected = F.interpolate(images, size=(rows, columns), mode="bilinear", align_corners=False)
    torch.testing.assert_close(resize_bilinear(images, rows, columns), expected)


@settings(max_examples=30)
@given(st.integers(1, 13), st.integers(1, 13), st.sampled_from([1, 2, 3, 6]))
def test_pyramid_pooling_is_torchs(height: int, width: int, bins: int) -> None:
    images = torch.arange(2.0 * 3 * height * width, dtype=torch.float64).cos().reshape(2, 3, height, width)
    torch.testing.assert_close(average_pool(images, bins), F.adaptive_avg_pool2d(images, bins))


def test_a_dilated_convolution_of_repeated_pixels_is_a_repeated_convolution() -> None:
    images = torch.randn(2, 4, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    dilated, plain = SameConv(4, 3, dilation=2).double(), SameConv(4, 3).double()
    plain.load_state_dict(dilated.state_dict())
    torch.testing.assert_close(upsample_nearest(plain(images)), dilated(upsample_nearest(images)))


def test_nearest_upsampling_repeats_pixels() -> None:
    images = torch.arange(4.0).reshape(1, 1, 2, 2)
    assert upsample_nearest(images)[0, 0].tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]]


def gflops(name: str, num_classes: int, width: float, image_size: int) -> float:
    return network(name).cost(num_classes, {"width": width}, square(image_size)).gflops


def test_gflops_are_those_of_the_convolutions() -> None:
    """ICNet's first full-resolution layers by hand: 2 x 9 x 3 x 16 FLOP a pixel, and so on; the total is known."""
    assert gflops("unet", 7, 1.0, 128) == pytest.approx(80.3 / 3, rel=0.01)
    assert gflops("icnet", 7, 1.0, 64) == pytest.approx(gflops("icnet", 7, 1.0, 128) / 4)
    pixels = 128 * 128
    full = pixels * 2 * 9 * (3 * 16 + 16 * 16 + 16 * 32)
    half = pixels / 4 * 2 * 9 * (3 * 16 + 16 * 64 + 64 * 64 + 64 * 64)
    quarter = pixels / 16 * 2 * 9 * (64 * 128 + 128 * 128 + 128 * 128 + 128 * 256)
    before_half, before_full = pixels / 4 * 2 * 9 * 256 * 64, pixels * 2 * 9 * 64 * 32
    after = pixels / 4 * 2 * 9 * 64 * 64 + pixels * 2 * 32 * 7
    assert full + half + quarter + before_half + before_full + after == pytest.approx(13.2e9 / 3, rel=0.01)  # theirs
    ours = full + half + quarter + (before_half + before_full) / 4 + after  # these two before upsampling
    assert gflops("icnet", 7, 1.0, 128) * 1e9 == ours


def test_the_arguments_of_built_in_networks_are_known_beforehand() -> None:
    for name in NETWORKS:
        assert network(name).takes == arguments_of(name), name
