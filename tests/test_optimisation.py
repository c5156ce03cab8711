"""What moves weights, against torch's own schedules and optimisers, and against loops that are written out."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from study.definition.file import load
from study.errors import StudyError
from trainers.optimisation import learning_rate_at, mover
from trainers.recipe import TrainingRecipe

STEPS_OF_AN_EPOCH = 25


def rates(epochs: int = 4, **recipe: Any) -> list[float]:
    recipe = TrainingRecipe(epochs=epochs, learning_rate=0.5, **recipe)
    return [learning_rate_at(recipe, step, STEPS_OF_AN_EPOCH) for step in range(epochs * STEPS_OF_AN_EPOCH)]


def of_torch(make, steps: int) -> list[float]:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.5)
    schedule, found = make(optimizer), []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_the_rate_stays_or_falls_as_torchs() -> None:
    assert rates() == [0.5] * 100
    cosine = of_torch(lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, 100), 100)
    assert rates(schedule="cosine") == pytest.approx(cosine, abs=1e-12)
    polynomial = of_torch(lambda optimizer: lr_scheduler.PolynomialLR(optimizer, 100, power=0.9), 100)
    assert rates(schedule="polynomial") == pytest.approx(polynomial, abs=1e-12)


def test_one_cycle_is_torchs_but_for_a_step() -> None:
    """Torch reaches the highest rate, and the end, a step earlier."""
    theirs = of_torch(lambda optimizer: lr_scheduler.OneCycleLR(optimizer, 0.5, total_steps=4000, div_factor=25), 3999)
    assert rates(160, schedule="one_cycle")[:-1] == pytest.approx(theirs, abs=1e-3)
    assert max(rates(schedule="one_cycle")) == rates(schedule="one_cycle")[30] == 0.5


def test_the_rate_first_rises_evenly() -> None:
    warm = rates(warmup_epochs=0.4)
    assert warm[:11] == pytest.approx([0.5 * n / 11 for n in range(1, 12)])
    assert warm[10:] == [0.5] * 90
    assert rates(warmup_epochs=2.0, schedule="cosine")[50:] == pytest.approx(rates(2, schedule="cosine"))
    assert rates(1, warmup_epochs=5.0) == pytest.approx([0.5 * n / 126 for n in range(1, 26)]), "never ends"


@pytest.mark.parametrize(
    ("recipe", "theirs"),
    [
        ({"optimizer": "adam", "weight_decay": 0.1}, lambda w: torch.optim.Adam(w, eps=1e-7, weight_decay=0.1)),
        ({"optimizer": "adamw", "weight_decay": 0.1}, lambda w: torch.optim.AdamW(w, eps=1e-7, weight_decay=0.1)),
        ({"optimizer": "sgd"}, lambda w: torch.optim.SGD(w, momentum=0.9)),
        ({"optimizer": "sgd", "momentum": 0.0, "weight_decay": 0.1}, lambda w: torch.optim.SGD(w, weight_decay=0.1)),
    ],
)
def test_weights_move_as_by_torchs_optimisers(recipe: dict[str, Any], theirs) -> None:
    ours, same = (network() for _ in range(2))
    settled = TrainingRecipe(epochs=2, schedule="cosine", learning_rate=0.01, **recipe)
    moves, optimizer = mover(ours, settled), theirs(same.parameters())
    for step in range(2 * STEPS_OF_AN_EPOCH):
        optimizer.param_groups[0]["lr"] = moves.prepare(step, STEPS_OF_AN_EPOCH)
        gradients(ours, step)
        gradients(same, step)
        moves.move()
        optimizer.step()
    for mine, other in zip(ours.parameters(), same.parameters(), strict=True):
        assert torch.allclose(mine, other, rtol=1e-5, atol=1e-7)


def test_a_long_gradient_is_shortened_and_a_short_one_stays() -> None:
    moves = mover(network(), TrainingRecipe(optimizer="sgd", momentum=0.0, learning_rate=1.0, gradient_clipping=2.0))
    for scale, length in ((1e3, 2.0), (1e-3, None)):
        before = torch.cat([weight.detach().flatten() for weight in moves.network.parameters()])
        gradients(moves.network, 0, scale)
        expected = length or float(torch.cat([w.grad.flatten() for w in moves.network.parameters()]).norm())
        moves.prepare(0, STEPS_OF_AN_EPOCH)
        moves.move()
        after = torch.cat([weight.detach().flatten() for weight in moves.network.parameters()])
        assert float((after - before).norm()) == pytest.approx(expected, rel=1e-3)


def test_the_average_is_of_weights_and_statistics_and_forgets_the_first() -> None:
    moves = mover(network(), TrainingRecipe(weight_averaging=0.9))
    expected = {name: tensor.clone() for name, tensor in moves.network.state_dict().items()}
    for step in range(200):
        moves.prepare(step, STEPS_OF_AN_EPOCH)
        gradients(moves.network, step)
        moves.move()
        kept = min(0.9, (1 + step) / (10 + step))
        for name, newest in moves.network.state_dict().items():
            counts = not newest.is_floating_point()
            expected[name] = newest.clone() if counts else kept * expected[name] + (1 - kept) * newest
    for name, tensor in moves.average.state_dict().items():
        assert torch.allclose(tensor, expected[name], atol=1e-5), name
    assert not torch.allclose(moves.average[0].weight, moves.network[0].weight, atol=1e-4)


def test_tied_weights_are_averaged_once_a_step() -> None:
    model = network()
    model.register_parameter("tied", model[0].weight)
    moves = mover(model, TrainingRecipe(weight_averaging=0.5))
    before = moves.average[0].weight.clone()
    moves.prepare(1000, STEPS_OF_AN_EPOCH)
    with torch.no_grad():
        moves.network[0].weight.add_(1.0)
    moves._take_in()
    assert torch.allclose(moves.average[0].weight, before + 0.5)


def test_without_averaging_the_network_itself_is_scored() -> None:
    moves = mover(network(), TrainingRecipe())
    assert moves.average is moves.network


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            ["training.momentum=0.5"],
            "does nothing here, as no trial has optimizer sgd: leave it out",
        ),
        (["training.optimizer=sgd", "training.adam_epsilon=0.1"], "as every trial has optimizer sgd"),
        (["training.schedule=one_cycle", "training.warmup_epochs=1.0"], "has a warm-up of its own"),
        (['search.space."training.momentum"={low=0.5,high=0.9}'], "training.momentum: does nothing"),
    ],
)
def test_a_key_that_does_nothing_is_refused(settings: list[str], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        load("paper", settings)


def test_a_key_that_some_trial_heeds_is_taken() -> None:
    load("paper", ["training.momentum=0.5", 'search.space."training.optimizer"={choices=["adam","sgd"]}'])
    load("paper", ["training.epochs=1", "training.warmup_epochs=2.0", "training.early_stopping=5"])  # a quick try


def network() -> nn.Sequential:
    torch_generator = torch.Generator().manual_seed(0)
    made = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))
    for weight in made.parameters():
        nn.init.normal_(weight, generator=torch_generator)
    return copy.deepcopy(made)


def gradients(made: nn.Module, step: int, scale: float = 1.0) -> None:
    """Drawn; a batch went through, so that statistics move."""
    generator = torch.Generator().manual_seed(step)
    made.train()(torch.randn(4, 3, 8, 8, generator=generator))
    for weight in made.parameters():
        weight.grad = scale * torch.randn(weight.shape, generator=generator)
