"""The networks of the paper's related work: their size, and what makes each the network it is."""

from collections.abc import Callable
from functools import partial
from importlib import import_module

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainers.names import NETWORKS
from trainers.networks import network, num_parameters
from trainers.networks.bisenet import AttentionRefinement, FeatureFusion
from trainers.networks.duc_hdc import DILATIONS
from trainers.networks.fcn import Upsampling
from trainers.networks.pspnet import PyramidPooling
from trainers.networks.refinenet import ChainedResidualPooling, RefineBlock, ResidualUnit
from trainers.networks.residual import Encoder, projection, stage
from trainers.networks.start import keras_start
from trainers.networks.swiftnet import GRIDS
from trainers.networks.wide_resnet import PreActivated

PARAMETERS = {
    "fcn": 5_152_789,
    "pspnet": 3_467_886,
    "refinenet": 4_954_311,
    "wide_resnet": 3_290_471,
    "duc_hdc": 4_137_760,
    "bisenet": 3_330_965,
    "swiftnet": 2_968_519,
}
MILLIONS = {
    "fcn": 5.1,
    "pspnet": 3.5,
    "refinenet": 5.0,
    "wide_resnet": 3.3,
    "duc_hdc": 4.1,
    "bisenet": 3.3,
    "swiftnet": 3.0,
}
"""For which they were designed, at the scale of this study."""
OUTPUT_STRIDE_8 = ("pspnet", "wide_resnet", "duc_hdc")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def made(name: str, width: float = 0.25, num_classes: int = 7) -> nn.Module:
    return network(name).build(num_classes, {"width": width}, seed=0)


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def seen(model: nn.Module, images: Tensor, parts: Callable[[nn.Module], bool]) -> dict[str, tuple[Tensor, Tensor]]:
    """Name of each such part -> its first input and its output, in one forward pass."""
    found: dict[str, tuple[Tensor, Tensor]] = {}
    for name, part in model.named_modules():
        if parts(part):
            part.register_forward_hook(
                lambda _part, inputs, output, name=name: found.update({name: (inputs[0].clone(), output)})
            )
    model(images)
    return found


def parts_of(model: nn.Module, kind: type[nn.Module]) -> list[nn.Module]:
    return [part for part in model.modules() if isinstance(part, kind)]


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters(name: str) -> None:
    model = made(name, width=1.0)
    assert num_parameters(model) == PARAMETERS[name]
    assert num_parameters(model) == pytest.approx(MILLIONS[name] * 1e6, rel=0.1)
    documentation = import_module(type(model).__module__).__doc__
    assert documentation is not None
    assert f"{PARAMETERS[name]:,} parameters" in documentation.replace("\n", " ")


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("size", [(16, 16), (48, 80)])
def test_two_images_are_enough_at_odd_sizes(name: str, size: tuple[int, int]) -> None:
    """1/32 of 16 pixels is one: a batch norm then sees two values."""
    model = made(name)
    outputs = model(noise(2, 3, *size))
    torch.stack([logits.square().mean() for logits in outputs]).sum().backward()
    assert outputs[0].shape == (2, 7, *size)
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in model.parameters())
    assert all(logits.isfinite().all() for logits in model.eval()(noise(1, 3, *size)))


@pytest.mark.parametrize("name", OUTPUT_STRIDE_8)
def test_dilation_keeps_the_features_at_an_eighth(name: str) -> None:
    model = made(name)
    convolutions = seen(model.eval(), noise(1, 3, 128, 96), lambda part: isinstance(part, nn.Conv2d))
    sizes = [tuple(output.shape[2:]) for _, output in convolutions.values() if output.shape[2] > 6]  # no pooled ones
    assert min(sizes) == (16, 12)
    assert len({part.dilation for part in parts_of(model, nn.Conv2d)}) >= 3


@pytest.mark.parametrize("name", NETWORKS)
def test_no_strided_convolution_of_single_pixels_has_eight_channels(name: str) -> None:
    """In float32 it would end the process."""
    for part in parts_of(made(name, width=0.1), nn.Conv2d):
        assert part.kernel_size != (1, 1) or part.stride == (1, 1) or part.in_channels > 8


def test_a_projection_of_eight_channels_is_that_of_more() -> None:
    """But for the order of its steps."""
    taken_first, ours = projection(8, 16, 2), noise(2, 8, 7, 5)
    strided = nn.Conv2d(8, 16, 1, 2, bias=False)
    strided.weight = taken_first[-1].weight
    torch.testing.assert_close(taken_first(ours), strided(ours))
    assert [part.stride for part in projection(16, 16, 2)] == [(2, 2)]


# FCN


@pytest.mark.parametrize("factor", [2, 8])
def test_transposed_convolutions_start_as_bilinear_interpolation(factor: int) -> None:
    up = next(part for part in parts_of(made("fcn", num_classes=3), Upsampling) if part.stride == (factor, factor))
    assert isinstance(up, nn.ConvTranspose2d)
    images = noise(1, 3, 6, 5)
    expected = F.interpolate(images, scale_factor=factor, mode="bilinear", align_corners=False)
    inner = slice(factor, -factor)  # at the edge there is nothing to interpolate with
    torch.testing.assert_close(up(images)[:, :, inner, inner], expected[:, :, inner, inner])


def test_transposed_convolutions_learn() -> None:
    model = made("fcn")
    model(noise(2, 3, 32, 32))[0].square().mean().backward()
    for up in parts_of(model, Upsampling):
        assert up.weight.grad.count_nonzero() > 7 * up.weight[0, 0].numel()  # from one class to the others, too


def test_another_transposed_convolution_starts_as_others_do() -> None:
    layer = keras_start(nn.ConvTranspose2d(4, 4, 2), torch.Generator().manual_seed(0))
    assert 0 < layer.weight.abs().max() <= (6 / (8 * 4)) ** 0.5
    assert layer.weight.unique().numel() == layer.weight.numel()
    assert not layer.bias.any()


def test_fcn_scores_at_three_depths() -> None:
    scores = seen(made("fcn").eval(), noise(1, 3, 96, 64), lambda part: getattr(part, "out_channels", None) == 7)
    assert {name: tuple(output.shape[2:]) for name, (_, output) in scores.items()} == {
        "score_32": (3, 2),
        "score_16": (6, 4),
        "score_8": (12, 8),
        "to_16": (6, 4),
        "to_8": (12, 8),
        "to_1": (96, 64),
    }


@pytest.mark.parametrize("size", [(32, 32), (37, 53), (9, 200)])
def test_fcn_takes_images_of_any_size(size: tuple[int, int]) -> None:
    assert made("fcn")(noise(2, 3, *size))[0].shape == (2, 7, *size)


# PSPNet


def test_pyramid_pooling_puts_means_of_1_2_3_and_6_regions_beside_the_features() -> None:
    pyramid = PyramidPooling(32)
    pooled = seen(pyramid, features := noise(2, 32, 12, 12), lambda part: isinstance(part, nn.Conv2d))
    for grid, (means, reduced) in zip((1, 2, 3, 6), pooled.values(), strict=True):
        torch.testing.assert_close(means, F.adaptive_avg_pool2d(features, grid))
        assert reduced.shape == (2, 8, grid, grid)
    together = pyramid(features)
    assert together.shape == (2, 32 + 4 * 8, 12, 12)
    assert torch.equal(together[:, :32], features)
    assert (together[:, 32:40] == together[:, 32:40, :1, :1]).all()  # of the whole image: everywhere the same


def test_pspnet_helps_itself_by_a_loss_after_the_third_stage() -> None:
    model = made("pspnet")
    assert model.output_weights == (1.0, 0.4)
    model(noise(2, 3, 32, 32))[1].square().mean().backward()
    silent = {name for name, weight in model.named_parameters() if weight.grad is None}
    assert {name.partition(".")[0] for name in silent} == {"encoder", "pyramid", "head"}
    assert silent >= {f"encoder.stages.3.{name}" for name, _ in model.encoder.stages[3].named_parameters()}
    assert all(name.startswith("encoder.stages.3.") for name in silent if name.startswith("encoder."))


# RefineNet


def test_four_blocks_refine_from_coarse_to_fine() -> None:
    model = made("refinenet")
    blocks = seen(model.eval(), noise(1, 3, 128, 96), lambda part: isinstance(part, RefineBlock))
    assert [output.shape[2:] for _, output in blocks.values()] == [(4, 3), (8, 6), (16, 12), (32, 24)]
    for block in parts_of(model, RefineBlock):
        assert len(parts_of(block, ResidualUnit)) == 3
        assert len(parts_of(block, ChainedResidualPooling)) == 1
        assert parts_of(block, nn.BatchNorm2d) == []
    assert [block.fuse is None for block in parts_of(model, RefineBlock)] == [True, False, False, False]
    assert parts_of(model.encoder, nn.BatchNorm2d) != []


@pytest.mark.parametrize("part", [ResidualUnit(8), ChainedResidualPooling(8)])
def test_what_refines_is_the_identity_and_a_tenth_of_what_is_added(part: nn.Module) -> None:
    features = noise(1, 8, 6, 6)
    added = keras_start(part, torch.Generator().manual_seed(0))(features.clone()) - features
    assert 0.01 < added.std() < 0.3
    for convolution in parts_of(part, nn.Conv2d):
        nn.init.zeros_(convolution.weight)
    assert torch.equal(part(features.clone()), features)


def test_the_logits_of_a_new_refinenet_are_no_larger_than_others() -> None:
    """Without a batch norm: if all that is added counted in full, they would be 20."""
    assert made("refinenet", width=1.0)(noise(4, 3, 64, 64))[0].std() < 5


def test_residual_pooling_is_chained() -> None:
    """With convolutions that do nothing: the features, a tenth of their maxima of 5 x 5, and a tenth of these's."""
    pooling = ChainedResidualPooling(1)
    for convolution in pooling.convolutions:
        nn.init.dirac_(convolution.weight)
        nn.init.zeros_(convolution.bias)
    features = torch.zeros(1, 1, 11, 11)
    features[..., 5, 5] = 1
    added = F.pad(torch.ones(9, 9), (1, 1, 1, 1)) + F.pad(torch.ones(5, 5), (3, 3, 3, 3))
    torch.testing.assert_close(pooling(features)[0, 0], features[0, 0] + 0.1 * added)


# Wide ResNet


def test_wide_resnet_is_shallow_and_pre_activated() -> None:
    model = made("wide_resnet", width=1.0)
    blocks = parts_of(model, PreActivated)
    assert len(blocks) <= 7
    assert max(block.body[0].out_channels for block in blocks) == 256
    for block in blocks:
        assert [type(part) for part in block.activate] == [nn.BatchNorm2d, nn.ReLU]
        assert isinstance(block.body[0], nn.Conv2d)
        summed = seen(block, noise(2, block.body[0].in_channels, 8, 8), lambda part: isinstance(part, PreActivated))
        assert (summed[""][1] < 0).any()  # no ReLU behind the sum: the identity goes all the way


def test_the_last_two_halvings_of_wide_resnet_are_dilations_and_have_dropout() -> None:
    blocks = parts_of(made("wide_resnet"), PreActivated)
    assert [block.body[0].stride[0] for block in blocks] == [2, 1, 2, 1, 2, 1, 1]
    assert [block.body[0].dilation[0] for block in blocks] == [1, 1, 1, 1, 1, 2, 4]
    assert [part.p for block in blocks for part in parts_of(block, nn.Dropout)] == [0] * 5 + [0.3, 0.5]


def test_wide_resnet_has_no_decoder() -> None:
    model = made("wide_resnet")
    *_, (_, last) = seen(model.eval(), noise(1, 3, 64, 64), lambda part: isinstance(part, nn.Conv2d)).values()
    assert last.shape == (1, 7, 8, 8)


# DUC and HDC


def pixels_seen(stages: nn.Sequential, channels: int, side: int = 64) -> Tensor:
    """(side, side): on how many of its inputs' channels one pixel of the stages' output depends."""
    features = noise(1, channels, side, side).double().requires_grad_()
    stages.double().eval()(features)[0, :, side // 2, side // 2].sum().backward()
    assert features.grad is not None
    return features.grad[0].ne(0).sum(0)


def stages_with(dilations: tuple[tuple[int, ...], ...]) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(*(stage(8, 8, 1, each) for each in dilations))


def extent_is_filled(seen_from: Tensor) -> bool:
    rows, columns = seen_from.nonzero(as_tuple=True)
    return bool(seen_from[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].all())


def test_hybrid_dilations_leave_no_pixel_out_and_equal_ones_do() -> None:
    assert extent_is_filled(pixels_seen(stages_with(DILATIONS), 8))
    assert not extent_is_filled(pixels_seen(stages_with(((2, 2, 2), (4, 4))), 8))
    third, fourth = made("duc_hdc").encoder.stages[2:]
    used = [tuple(block.body[0][0].dilation[0] for block in each[::2]) for each in (third, fourth)]
    assert tuple(used) == DILATIONS


def test_each_pixel_of_an_eighth_predicts_8_x_8_pixels() -> None:
    model = made("duc_hdc", num_classes=5).eval()
    images = noise(1, 3, 32, 48)
    predicted = seen(model, images, lambda part: part is model.predict)["predict"][1]
    assert predicted.shape == (1, 8 * 8 * 5, 4, 6)
    (logits,) = model(images)
    expected = predicted[0].reshape(5, 8, 8, 4, 6)
    for y, x in ((0, 0), (9, 3), (31, 47)):
        assert torch.equal(logits[0, :, y, x], expected[:, y % 8, x % 8, y // 8, x // 8])
    assert (logits < 0).any()
    with torch.no_grad():
        model.predict.weight *= 100
    assert model.train()(noise(2, 3, 32, 48))[0].std() > 50  # no batch norm keeps logits small


def test_dense_upsampling_has_no_other() -> None:
    kinds = {type(part) for part in made("duc_hdc").modules()}
    assert not kinds & {nn.ConvTranspose2d, nn.Upsample}


# BiSeNet


def test_a_spatial_path_of_three_strides_beside_a_context_path() -> None:
    model = made("bisenet")
    paths = seen(model.eval(), noise(1, 3, 64, 96), lambda part: part in (model.spatial, model.context.encoder))
    assert paths["spatial"][1].shape[2:] == (8, 12)
    assert paths["context.encoder"][1][-1].shape[2:] == (2, 3)
    strides = [part.stride[0] for part in parts_of(model.spatial, nn.Conv2d)]
    assert strides == [2, 2, 2, 1]


def test_both_paths_are_fused() -> None:
    model = made("bisenet")
    fused = seen(model.eval(), noise(1, 3, 64, 96), lambda part: isinstance(part, FeatureFusion))["fuse"][0]
    assert fused.shape == (1, 2 * 16, 8, 12)
    model(noise(2, 3, 32, 32))[0].square().mean().backward()
    silent = {name.partition(".")[0] for name, weight in model.named_parameters() if weight.grad is None}
    assert silent == {"head_8", "head_16"}


@pytest.mark.parametrize("make", [partial(AttentionRefinement, 8, 8), partial(FeatureFusion, 8)])
def test_attention_weighs_channels_by_the_whole_image(make: Callable[[], nn.Module]) -> None:
    part = make().eval()
    features, weighed = part.features(images := noise(2, 8, 6, 5)), part(images)
    ratio = torch.where(features > 0, weighed / features, torch.nan)
    low, high = (0.0, 1.0) if isinstance(part, AttentionRefinement) else (1.0, 2.0)
    for channel in ratio.flatten(0, 1):
        values = channel[~channel.isnan()]
        assert low < values.min() <= values.max() < high
        torch.testing.assert_close(values, values[:1].expand_as(values))
    assert len(parts_of(made("bisenet"), AttentionRefinement)) == 2


def test_bisenet_has_two_auxiliary_losses() -> None:
    model = made("bisenet")
    assert model.output_weights == (1.0, 1.0, 1.0)
    assert len(model(noise(2, 3, 32, 32))) == 3


# SwiftNet


def test_skips_are_taken_before_the_last_relu() -> None:
    model = made("swiftnet")
    laterals = seen(model, noise(2, 3, 64, 64), lambda part: part in [up.lateral for up in model.up])
    assert [skip.shape[2] for skip, _ in laterals.values()] == [4, 8, 16]
    assert all((skip < 0).any() for skip, _ in laterals.values())
    of_others = Encoder(0.25)(noise(2, 3, 64, 64))
    assert all((features >= 0).all() for features in of_others)


def test_the_encoder_goes_on_behind_the_relu() -> None:
    before, after = Encoder(0.25, before_relu=True), Encoder(0.25)
    after.load_state_dict(before.state_dict())
    images = noise(2, 3, 64, 64)
    for summed, features in zip(before(images), after(images), strict=True):
        torch.testing.assert_close(summed.relu(), features)


def test_simplified_pyramid_pooling_at_the_coarsest() -> None:
    model = made("swiftnet")
    levels = seen(model.eval(), noise(1, 3, 128, 128), lambda part: part in list(model.pyramid.levels))
    assert (
        [means.shape[2:] for means, _ in levels.values()]
        == [(grid, grid) for grid in GRIDS]
        == [(4, 4), (2, 2), (1, 1)]
    )


def test_laterals_are_added() -> None:
    model = made("swiftnet").eval()
    for up in model.up:
        up.blend = nn.Identity()
        channels = up.lateral[-1].out_channels
        coarse, skip = noise(1, channels, 3, 2), noise(1, up.lateral[-1].in_channels, 5, 4)
        torch.testing.assert_close(
            up(coarse, skip), F.interpolate(coarse, size=(5, 4), mode="bilinear") + up.lateral(skip)
        )


@pytest.mark.parametrize("name", ["swiftnet", "bisenet", "refinenet"])
@pytest.mark.parametrize("size", [(64, 16), (16, 64), (16, 16)])
def test_features_of_one_pixel_have_one_gradient(name: str, size: tuple[int, int]) -> None:
    """In bfloat16, whatever memory held before: it is filled with NaN."""
    found = []
    for _ in range(3):
        net = network(name).build(2, {"width": 0.25}, 3).to(memory_format=torch.channels_last).train()
        images = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
        junk = [torch.full((number,), float("nan")) for number in (100, 1000, 10_000, 100_000, 64 * 9 * 64)]
        del junk
        with torch.random.fork_rng(), torch.autocast("cpu", torch.bfloat16):
            torch.manual_seed(0)  # of the dropout
            outputs = net(images.contiguous(memory_format=torch.channels_last))
        sum(each.float().square().mean() for each in (outputs if isinstance(outputs, tuple) else (outputs,))).backward()
        found.append([each.grad.clone() for each in net.parameters() if each.grad is not None])
    for gradients in found:
        assert all(torch.isfinite(each).all() for each in gradients)
        assert all(torch.equal(one, other) for one, other in zip(gradients, found[0], strict=True))
