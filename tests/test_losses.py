"""The losses against PyTorch's own, and against sums written out."""

import inspect
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from trainers.cpu import softmax
from trainers.data.class_names import IGNORED
from trainers.losses import Loss, loss_named, try_loss
from trainers.losses.cross_entropy import cross_entropy
from trainers.losses.outputs import output_weights, total_loss
from trainers.losses.overlap import cross_entropy_dice
from trainers.losses.pixels import gathered, picked
from trainers.names import LOSSES, NEEDED, NotFound, arguments_of, find
from trainers.networks.adapter import Adapted
from trainers.networks.icnet import ICNet
from trainers.networks.icnet_cascade import ICNetCascade

WEIGHTS = (0.5, 2.0, 1.0, 3.0)


def built_in(name: str) -> Loss:
    """With the arguments that it needs, for four classes."""
    return loss_named(name, {"weights": WEIGHTS} if name == "ce_weighted" else {})


def drawn(batch: int = 2, classes: int = 4, side: int = 6, dtype: torch.dtype = torch.float64):
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(batch, classes, side, side, generator=generator, dtype=torch.float64)
    target = torch.randint(classes, (batch, side, side), generator=generator)
    return logits.to(dtype).requires_grad_(), target


def test_cross_entropy_is_pytorchs() -> None:
    logits, target = drawn()
    torch.testing.assert_close(cross_entropy(logits, target), F.cross_entropy(logits, target))


def test_the_soft_dice_is_one_sum_over_everything() -> None:
    logits, target = drawn()
    overlap = total = 0.0
    for image, labels in zip(logits.tolist(), target.tolist(), strict=True):
        for y, row in enumerate(labels):
            for x, label in enumerate(row):
                exponentials = [math.exp(channel[y][x]) for channel in image]
                overlap += exponentials[label] / sum(exponentials)
                total += 2  # the probabilities of a pixel sum to 1, and so does its one-hot truth
    expected = F.cross_entropy(logits, target).item() + 1 - (2 * overlap + 1) / (total + 1)
    assert cross_entropy_dice(logits, target).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_cpu_and_a_gpu_pick_the_same_bits(dtype: torch.dtype) -> None:
    logits, target = drawn(dtype=dtype)
    ways = [way(F.log_softmax(logits, dim=1), target) for way in (gathered, picked)]
    assert torch.equal(*ways)
    assert torch.equal(*(torch.autograd.grad(way.square().sum(), logits)[0] for way in ways))


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_right(name: str) -> None:
    logits, target = drawn(batch=1, side=3)
    assert torch.autograd.gradcheck(lambda values: built_in(name)(values, target), (logits,))


@pytest.mark.slow
@pytest.mark.parametrize("name", LOSSES)
def test_bf16_logits_are_computed_in_float32(name: str) -> None:
    logits, target = drawn(side=16)
    with torch.autocast("cpu", torch.bfloat16):
        loss = built_in(name)(logits.bfloat16(), target)
    assert loss.dtype == torch.float32
    exact = built_in(name)(logits.bfloat16().double(), target)
    assert loss.item() == pytest.approx(exact.item(), rel=1e-6)


@pytest.mark.slow  # it compiles
@pytest.mark.parametrize("spread", [0.1, 3.0, 40.0])
def test_log_probabilities_of_bf16_logits_and_their_gradients_are_exact(spread: float) -> None:
    generator = torch.Generator().manual_seed(1)
    logits = (spread * torch.randn(3, 5, 6, 34, generator=generator)).bfloat16().requires_grad_()
    target = torch.randint(5, (6, 12, 68), generator=generator)[::2, ::2, ::2]
    slopes = torch.randn(3, 6, 34, generator=generator)
    exact = F.log_softmax(logits.double(), dim=1).gather(1, target.unsqueeze(1)).squeeze(1)
    found = softmax.log_probability_of_truth(logits, target)
    torch.testing.assert_close(found.double(), exact, rtol=3e-6, atol=3e-6)
    expected = torch.autograd.grad(exact, logits, slopes.double())[0].double()
    (gradient,) = torch.autograd.grad(found, logits, slopes)
    assert gradient.dtype == torch.bfloat16
    torch.testing.assert_close(gradient.double(), expected, rtol=2**-8, atol=1e-6)


@pytest.mark.slow
def test_log_probabilities_are_the_same_with_any_number_of_threads() -> None:
    logits = torch.randn(5, 4, 8, 8, generator=torch.Generator().manual_seed(2)).bfloat16().requires_grad_()
    target = torch.arange(4).repeat(5, 8, 2)

    def everything() -> list[torch.Tensor]:
        found = softmax.log_probability_of_truth(logits, target)
        return [found.detach(), *torch.autograd.grad(found.square().sum(), logits)]

    before, alone = torch.get_num_threads(), everything()
    try:
        for threads in (1, 2, 7):
            torch.set_num_threads(threads)
            assert all(torch.equal(*pair) for pair in zip(alone, everything(), strict=True))
    finally:
        torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("channel", [0, 2])
def test_what_is_not_finite_stays_so_in_bf16(value: float, channel: int) -> None:
    logits, target = drawn(dtype=torch.bfloat16)
    broken = logits.detach().clone()
    broken[0, channel, 0, 0] = value
    assert not np.isfinite(cross_entropy_dice(broken, target).item())


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "ce_smoothed"])
def test_a_perfect_prediction_costs_nothing(name: str) -> None:
    _, target = drawn()
    perfect = 1000 * F.one_hot(target, 4).permute(0, 3, 1, 2).double()
    assert built_in(name)(perfect, target).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_stays_so(value: float) -> None:
    logits, target = drawn()
    broken = logits.detach().clone()
    broken[0, 0, 0, 0] = value
    assert not np.isfinite(cross_entropy_dice(broken, target).item())


def test_coarser_outputs_are_guided_by_the_nearest_labels() -> None:
    logits, target = drawn(side=8)
    half = torch.randn(2, 4, 4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected = 1.0 * F.cross_entropy(logits, target) + 0.4 * F.cross_entropy(half, target[:, 1::2, 1::2])
    torch.testing.assert_close(total_loss(cross_entropy, (logits, half), target, (1.0, 0.4, 0.16)), expected)


def test_without_weights_the_main_output_alone_counts() -> None:
    logits, target = drawn()
    others = [logits * factor for factor in (2.0, 3.0, 4.0)]
    assert torch.equal(total_loss(cross_entropy, (logits, *others), target, ()), cross_entropy(logits, target))


def test_more_outputs_than_weights_are_refused() -> None:
    logits, target = drawn()
    with pytest.raises(ValueError, match="gives 4 outputs in training, and output_weights has 3 weights: give as many"):
        total_loss(cross_entropy, (logits,) * 4, target, (1.0, 0.4, 0.16))


def test_weights_are_the_recipes_else_the_networks_own() -> None:
    cascade, icnet = ICNetCascade(3, 0.1), ICNet(3, 0.1)
    assert output_weights(cascade, ()) == (1.0, 0.4, 0.16)
    assert output_weights(cascade, (1.0, 0.5, 0.0)) == (1.0, 0.5, 0.0)
    assert output_weights(icnet, ()) == ()
    icnet.output_weights = (2.0,)
    assert output_weights(Adapted(icnet, 3), ()) == (2.0,), "somebody's network may have some as ours may"


def test_a_single_output_takes_the_first_weight() -> None:
    logits, target = drawn()
    torch.testing.assert_close(
        total_loss(cross_entropy, (logits,), target, (2.0, 0.4)), 2 * cross_entropy(logits, target)
    )


DTYPES = [torch.float32, torch.float64, pytest.param(torch.bfloat16, marks=pytest.mark.slow)]  # it compiles
DEVICES = ["cpu", *["cuda"] * torch.cuda.is_available()]
MASKS = st.integers(0, 2**32 - 1).flatmap(lambda seed: st.tuples(st.just(seed), st.sampled_from([0.0, 0.1, 0.5, 0.99])))


def partly_ignored(seed: int, share: float, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """logits_BKHW, target_BHW with about this share of its pixels IGNORED, and which those are."""
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(2, 4, 6, 10, generator=generator)
    target = torch.randint(4, (2, 6, 10), generator=generator)
    ignored = torch.rand(target.shape, generator=generator) < share
    return logits.to(dtype), target.where(~ignored, IGNORED), ignored


def with_gradient(name: str, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    logits = logits.detach().clone().requires_grad_()
    loss = built_in(name)(logits, target)
    return loss.detach(), torch.autograd.grad(loss, logits)[0]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LOSSES)
@given(drawn_with=MASKS)
def test_what_is_ignored_moves_nothing(name: str, dtype: torch.dtype, drawn_with: tuple[int, float]) -> None:
    """Not by a bit; and its gradient is 0."""
    logits, target, ignored = partly_ignored(*drawn_with, dtype)
    others = torch.where(ignored.unsqueeze(1), -7 * logits.roll(1, 1) + 2, logits)
    loss, gradient = with_gradient(name, logits, target)
    same_loss, same_gradient = with_gradient(name, others, target)
    assert torch.equal(loss, same_loss)
    assert torch.equal(gradient, same_gradient)
    assert (gradient.permute(0, 2, 3, 1)[ignored] == 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LOSSES)
@given(drawn_with=MASKS)
def test_the_loss_is_that_of_the_other_pixels(name: str, dtype: torch.dtype, drawn_with: tuple[int, float]) -> None:
    """As if they were an image of their own, one pixel high."""
    logits, target, ignored = partly_ignored(*drawn_with, dtype)
    counted = logits.permute(0, 2, 3, 1)[~ignored].T[None, :, None], target[~ignored][None, None]
    if not counted[1].numel():
        return
    loss, gradient = with_gradient(name, logits, target)
    expected, slopes = with_gradient(name, *counted)
    rounding = {"rtol": 2**-7 if dtype == torch.bfloat16 else 1e-5, "atol": 1e-6}
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(gradient.permute(0, 2, 3, 1)[~ignored], slopes[0, :, 0].T, **rounding)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LOSSES)
def test_where_all_is_ignored_nothing_is_lost(name: str, dtype: torch.dtype) -> None:
    logits, target, _ = partly_ignored(0, 2.0, dtype)
    loss, gradient = with_gradient(name, logits, target)
    assert loss == 0
    assert not gradient.any()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("shape", [(2, 6, 10), (5, 48, 48), (3, 31, 17)])
@pytest.mark.parametrize("name", ["ce", "ce_dice"])
def test_where_nothing_is_ignored_the_bits_are_those_of_a_mean(name: str, shape: tuple[int, ...], device: str) -> None:
    """And of quotients by plain numbers: as it was before pixels could be ignored."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(shape[0], 4, *shape[1:], generator=generator).to(device).requires_grad_()
    target = torch.randint(4, shape, generator=generator).to(device)
    log_probability = (gathered if device == "cpu" else picked)(F.log_softmax(logits, dim=1), target)
    expected = -log_probability.mean()
    if name == "ce_dice":
        soft_dice = (2 * log_probability.exp().sum() + 1.0) / (2 * target.numel() + 1.0)
        expected = expected + (1 - soft_dice)
    loss = built_in(name)(logits, target)
    assert torch.equal(loss, expected)
    assert torch.equal(*(torch.autograd.grad(each, logits)[0] for each in (loss, expected)))


def test_a_loss_of_others_sees_torchs_label_for_what_is_ignored() -> None:
    logits, target, _ = partly_ignored(0, 0.5, torch.float32)
    torch.testing.assert_close(loss_named("torch.nn:CrossEntropyLoss")(logits, target), cross_entropy(logits, target))
    try_loss("torch.nn:CrossEntropyLoss", 4, with_ignored=True)


def probabilities_and_truths(logits: Tensor, target: Tensor) -> list[tuple[list[float], int]]:
    """Of every pixel that counts, in plain numbers."""
    found = []
    for image, labels in zip(logits.tolist(), target.tolist(), strict=True):
        for y, row in enumerate(labels):
            for x, label in enumerate(row):
                exponentials = [math.exp(channel[y][x]) for channel in image]
                if label != IGNORED:
                    found.append(([each / sum(exponentials) for each in exponentials], label))
    return found


def by_hand(name: str, logits: Tensor, target: Tensor) -> float:
    """A loss by its paper's formula, pixel by pixel."""
    pixels = probabilities_and_truths(logits, target)
    shown = sorted({label for _, label in pixels})
    match name:
        case "ce":
            return -sum(math.log(p[label]) for p, label in pixels) / len(pixels)
        case "ce_dice":
            overlap = sum(p[label] for p, label in pixels)
            return by_hand("ce", logits, target) + 1 - (2 * overlap + 1) / (2 * len(pixels) + 1)
        case "ce_weighted":
            total = sum(WEIGHTS[label] for _, label in pixels)
            return -sum(WEIGHTS[label] * math.log(p[label]) for p, label in pixels) / total
        case "ce_smoothed":
            of_one = [
                [(0.9 * (k == label) + 0.1 / len(p)) * math.log(p[k]) for k in range(len(p))] for p, label in pixels
            ]
            return -sum(map(sum, of_one)) / len(pixels)
        case "focal":
            return -sum((1 - p[label]) ** 2 * math.log(p[label]) for p, label in pixels) / len(pixels)
        case "tversky":
            return sum(1 - tversky_index(pixels, k, alpha=0.3, beta=0.7) for k in shown) / len(shown)
        case "lovasz":
            return sum(
                lovasz_extension([(abs((label == k) - p[k]), label == k) for p, label in pixels]) for k in shown
            ) / len(shown)
    raise AssertionError(f"{name} has no formula here")


def tversky_index(pixels: list[tuple[list[float], int]], k: int, alpha: float, beta: float) -> float:
    hits = sum(p[k] for p, label in pixels if label == k)
    false_positives = sum(p[k] for p, label in pixels if label != k)
    false_negatives = sum(1 - p[k] for p, label in pixels if label == k)
    return hits / (hits + alpha * false_positives + beta * false_negatives)


def lovasz_extension(errors: list[tuple[float, bool]]) -> float:
    """As an integral over thresholds: 1 - Jaccard of the pixels whose error is above each."""
    total, before = 0.0, 0.0
    for threshold in sorted({error for error, _ in errors}):
        missed = sum(is_truth for error, is_truth in errors if error >= threshold)
        false = sum(not is_truth for error, is_truth in errors if error >= threshold)
        num_truth = sum(is_truth for _, is_truth in errors)
        total += (threshold - before) * (1 - (num_truth - missed) / (num_truth + false))
        before = threshold
    return total


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(("seed", "share"), [(0, 0.0), (1, 0.3), (2, 0.9)])
def test_each_loss_is_its_papers_formula(name: str, seed: int, share: float) -> None:
    logits, target, _ = partly_ignored(seed, share, torch.float64)
    target = target.where(target != 2, 1)  # a class that the batch does not show
    assert built_in(name)(logits, target).item() == pytest.approx(by_hand(name, logits, target), rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", LOSSES)
def test_extreme_logits_give_finite_losses_and_gradients(name: str, dtype: torch.dtype) -> None:
    logits, target, _ = partly_ignored(0, 0.3, dtype)
    for factor in (0.0, 1e4, -1e4):
        loss, gradient = with_gradient(name, factor * logits, target)
        assert loss.isfinite()
        assert gradient.isfinite().all()


@pytest.mark.parametrize(
    ("name", "arguments", "same_as"),
    [
        ("focal", {"gamma": 0.0}, "ce"),
        ("ce_smoothed", {"smoothing": 0.0}, "ce"),
        ("ce_weighted", {"weights": [3, 3, 3, 3]}, "ce"),
    ],
)
def test_arguments_are_heeded(name: str, arguments: dict[str, object], same_as: str) -> None:
    logits, target, _ = partly_ignored(0, 0.3, torch.float64)
    torch.testing.assert_close(loss_named(name, arguments)(logits, target), loss_named(same_as)(logits, target))


def test_tversky_weighs_false_positives_by_alpha() -> None:
    target = torch.tensor([[[0, 0, 0, 1]]])
    too_much = 20.0 * F.one_hot(torch.tensor([[[0, 0, 1, 1]]]), 2).permute(0, 3, 1, 2).double()
    of_object = {"alpha": 3.0, "beta": 0.0}
    object_index, background_index = 1 / (1 + 3), 2 / 2
    expected = 1 - (object_index + background_index) / 2
    assert loss_named("tversky", of_object)(too_much, target).item() == pytest.approx(expected, abs=1e-6)


def test_a_power_below_one_has_a_slope_everywhere() -> None:
    logits = torch.zeros(1, 2, 1, 2)
    logits[:, 0] = 200.0
    logits.requires_grad_()
    loss_named("focal", {"gamma": 0.5})(logits, torch.zeros(1, 1, 2).long()).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("focal", {"gamma": -1.0}, "gamma must be at least 0, not -1"),
        ("tversky", {"beta": -0.5}, "beta must be at least 0, not -0.5"),
        ("ce_smoothed", {"smoothing": 1.0}, "smoothing must be at least 0 and below 1, not 1"),
        ("ce_weighted", {"weights": [1.0, 2.0]}, "weights has 2 numbers, and there are 4 classes"),
        ("ce_weighted", {"weights": [1.0, -2.0, 1.0, 1.0]}, "at least 0, and not all 0: 1, -2, 1, 1"),
        ("ce_weighted", {"weights": [0, 0, 0, 0]}, "not all 0"),
        (
            "ce_weighted",
            {"weights": ["1", "2", "3", "4"]},
            "weights must be a list of numbers, one for each class, not",
        ),
        ("ce_weighted", {"weights": 2.0}, "weights must be a list of numbers, one for each class, not 2.0"),
        ("ce_weighted", {"weights": "1234"}, "weights must be a list of numbers"),
        ("ce_weighted", {"weights": [True, 1.0, 1.0, 1.0]}, "weights must be a list of numbers"),
        ("focal", {"gamma": True}, "gamma must be a number, not True"),
        ("ce_smoothed", {"smoothing": "0.1"}, "smoothing must be a number, not '0.1'"),
        ("tversky", {"alpha": [0.3]}, "alpha must be a number"),
        ("tversky", {"alpha": 0, "beta": 0.0}, "alpha and beta are both 0, and nothing would be learnt"),
    ],
)
def test_impossible_arguments_are_named(name: str, arguments: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        try_loss(name, 4, arguments)


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("focal", {"gama": 1.0}, "focal takes no gama: it takes gamma"),
        ("ce", {"gamma": 1.0}, "ce takes no gamma: it takes none of yours"),
        ("torch.nn:CrossEntropyLoss", {"gamma": 1.0}, "takes no gamma: it takes ignore_index, label_smoothing"),
        ("torch.nn.functional:cross_entropy", {"gamma": 1.0}, "takes no gamma: it takes ignore_index"),
        ("torch.nn.functional:huber_loss", {"delt": 1.0}, "takes no delt: it takes delta, .*; did you mean delta?"),
    ],
)
def test_arguments_that_are_not_taken_are_named_with_those_that_are(
    name: str, arguments: dict[str, object], words: str
) -> None:
    with pytest.raises(NotFound, match=words):
        loss_named(name, arguments)


def test_the_arguments_of_built_in_losses_are_listed() -> None:
    for name in LOSSES:
        assert {*[*inspect.signature(find(name, LOSSES)).parameters][2:]} == arguments_of(name), name


def test_what_needs_arguments_is_listed() -> None:
    assert {name: [*inspect.signature(find(name, LOSSES)).parameters][-1] for name in NEEDED} == NEEDED
    for name in LOSSES.keys() - NEEDED.keys():
        try_loss(name, 4, with_ignored=True)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("torch.nn:CrossEntropyLoss", {"label_smoothing": 0.1}),  # a class
        ("torch.nn.functional:cross_entropy", {"label_smoothing": 0.1}),  # the loss itself
        ("factories:smoothed", {"amount": 0.1}),  # a function that gives the loss
    ],
)
def test_a_class_a_function_and_one_that_gives_a_function_take_arguments(
    name: str, arguments: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "factories.py").write_text(FACTORY)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "factories", raising=False)
    logits, target, _ = partly_ignored(0, 0.3, torch.float32)
    torch.testing.assert_close(loss_named(name, arguments)(logits, target), loss_named("ce_smoothed")(logits, target))


FACTORY = """
from torch.nn.functional import cross_entropy

def smoothed(amount):
    return lambda logits, labels: cross_entropy(logits, labels, label_smoothing=amount)
"""


def test_a_loss_with_weights_of_its_own_goes_where_the_logits_are(monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[torch.device] = []
    monkeypatch.setattr(torch.nn.CrossEntropyLoss, "to", lambda self, device: moved.append(device))
    logits, target, _ = partly_ignored(0, 0.3, torch.float32)
    loss_named("torch.nn:CrossEntropyLoss")(logits, target)
    assert moved == [logits.device]
