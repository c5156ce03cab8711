"""What a GPU is given, as far as that can be told without one: recorded steps, and nothing that waits."""

from __future__ import annotations

import copy
import random
import warnings

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from trainers.gpu.cuda_graphs import WARM_UP, recorded
from trainers.losses import Loss, loss_named
from trainers.losses.overlap import cross_entropy_dice
from trainers.losses.pixels import picked
from trainers.names import LOSSES, NETWORKS
from trainers.networks import network as named
from trainers.optimisation import mover
from trainers.recipe import TrainingRecipe
from trainers.step import training_step, validation

pytestmark = pytest.mark.slow  # it trains
CPU = torch.device("cpu")
RECIPE = TrainingRecipe(image_size=32, batch_size=4, precision="fp32")


def batch(seed: int, size: int = 4) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (size, 32, 32, 3), dtype=torch.uint8, generator=generator)
    return images, torch.randint(3, (size, 32, 32), dtype=torch.uint8, generator=generator)


class StandIn:
    """In the place of a CUDA graph: runs nothing when it captures, and writes all results to the same memory."""

    def __init__(self) -> None:
        self.captures, self.replays, self.results = 0, 0, None

    def capture(self, launch):
        self.captures += 1

        def replay():
            self.replays += 1
            results = launch()
            if self.results is None:
                self.results = tuple(result.clone() for result in results)
            for kept, result in zip(self.results, results, strict=True):
                kept.copy_(result)
            return self.results

        return replay


def test_a_recorded_step_moves_the_weights_by_the_same_bits() -> None:
    """Batches come in new memory each time; losses are looked at when all steps are done."""
    plain = named("icnet").build(3, {"width": 0.25}, 0).train()
    graphed, stand_in = copy.deepcopy(plain), StandIn()
    step = training_step(mover(plain, RECIPE), cross_entropy_dice, CPU, torch.float32)
    same = training_step(mover(graphed, RECIPE), cross_entropy_dice, CPU, torch.float32)
    same = recorded(same, CPU, stand_in.capture, run=lambda launch: launch())
    expected = [step(*batch(seed))[0] for seed in range(8)]
    losses = [same(*batch(seed))[0] for seed in range(8)]
    assert torch.stack(losses).tolist() == torch.stack(expected).tolist()
    assert (stand_in.captures, stand_in.replays) == (1, 8 - WARM_UP)
    for name, tensor in plain.state_dict().items():
        assert torch.equal(tensor, graphed.state_dict()[name]), name


@pytest.mark.parametrize("draw", [random.random, np.random.random, lambda: torch.rand(1)])
def test_what_draws_on_the_cpu_is_never_recorded(draw) -> None:
    """A graph would repeat the draw of the step that was recorded for ever."""
    stand_in, drawn = StandIn(), []

    def draws(images: Tensor) -> tuple[Tensor, ...]:
        drawn.append(float(draw()))
        return (images * drawn[-1],)

    step = recorded(draws, CPU, stand_in.capture, run=lambda launch: launch())
    results = [step(torch.ones(2)) for _ in range(WARM_UP + 5)]
    assert stand_in.captures == 0
    assert len(set(drawn)) == len(drawn) == WARM_UP + 5
    for (result,), number in zip(results, drawn, strict=True):
        assert torch.equal(result, torch.ones(2) * number)


def test_what_is_warned_of_while_a_step_is_watched_is_passed_on() -> None:
    def warns(images: Tensor) -> tuple[Tensor, ...]:
        warnings.warn("look here", UserWarning, stacklevel=1)
        return (images,)

    step = recorded(warns, CPU, StandIn().capture, run=lambda launch: launch())
    for _ in range(WARM_UP):
        with pytest.warns(UserWarning, match="look here"):
            step(torch.ones(2))


def test_batches_of_every_shape_have_one_graph() -> None:
    """As of validation, whose last batch may be a smaller one; whichever comes first, and in whatever turn."""
    stand_ins: list[StandIn] = []

    def capture(launch):
        stand_ins.append(StandIn())
        return stand_ins[-1].capture(launch)

    double = recorded(lambda images, labels: (images * 2, labels + 1), CPU, capture, run=lambda launch: launch())
    for seed in range(WARM_UP + 4):
        for size in (4, 3):
            images, labels = batch(seed, size)
            doubled, more = double(images, labels)
            assert torch.equal(doubled, images * 2)
            assert torch.equal(more, labels + 1)
    assert [(each.captures, each.replays) for each in stand_ins] == [(1, 4), (1, 4)]


class Watch(TorchDispatchMode):
    """Notes what would make the CPU wait for a GPU: values that are asked for, and constants that are sent there."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[str] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function.overloadpacket in (torch.ops.aten._local_scalar_dense, torch.ops.aten.lift_fresh):
            self.waits.append(str(function))
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("model", list(NETWORKS))
@pytest.mark.parametrize("loss", ["ce", "ce_dice"])
def test_neither_training_nor_validation_waits(model: str, loss: str) -> None:
    assert_no_wait(model, loss_named(loss))


@pytest.mark.parametrize("loss", [name for name in LOSSES if name not in ("ce", "ce_dice")])
def test_no_loss_waits(loss: str) -> None:
    assert_no_wait("icnet", loss_named(loss, {"weights": (1.0, 2.0, 0.5)} if loss == "ce_weighted" else {}))


def assert_no_wait(model: str, loss: Loss) -> None:
    network = named(model).build(3, {"width": 0.25}, 0)
    step = training_step(mover(network, RECIPE), loss, CPU, torch.float32)
    for compute in (step, validation(network, loss, RECIPE, CPU, torch.float32)):
        compute(*batch(0))  # constants are made and kept
        with Watch() as watch:
            compute(*batch(0))
        assert watch.waits == []


def test_the_sum_that_a_gpu_takes_for_the_loss_does_not_wait_either() -> None:
    log_probability, labels = torch.randn(4, 3, 8, 8, requires_grad=True), torch.randint(3, (4, 8, 8))
    with Watch() as watch:
        picked(log_probability, labels).mean().backward()
    assert watch.waits == []


def test_a_wait_would_be_seen() -> None:
    with Watch() as watch:
        there = torch.ones(3) + 1
        assert watch.waits == []
        torch.tensor([1.0, 2.0])
        there.sum().item()
        assert len(watch.waits) == 2
