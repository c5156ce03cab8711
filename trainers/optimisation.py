"""How the weights of a network are moved: the optimiser, the learning rate of every step, clipping, averaging."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainers.recipe import TrainingRecipe

ONE_CYCLE_RISE, ONE_CYCLE_START, ONE_CYCLE_END = 0.3, 1 / 25, 1 / 250_000
"""Of the steps; of the highest learning rate: as PyTorch's OneCycleLR has them."""
POLYNOMIAL_POWER = 0.9
"""Of DeepLab (arXiv 1606.00915, section 4.1), and of PSPNet."""


def learning_rate_at(recipe: TrainingRecipe, step: int, steps_of_an_epoch: int) -> float:
    """Of a step, the first of a training being 0. What falls does so over all epochs of the recipe.

    Warm-up: linear (Goyal et al. 2017, arXiv 1706.02677, section 2.2). Cosine: without restarts (Loshchilov and Hutter
    2017, arXiv 1608.03983, equation 5). One cycle: Smith and Topin 2018, arXiv 1708.07120, with cosines.
    """
    steps, warm_up = recipe.epochs * steps_of_an_epoch, round(recipe.warmup_epochs * steps_of_an_epoch)
    if step < warm_up:
        return recipe.learning_rate * (step + 1) / (warm_up + 1)
    done = (step - warm_up) / max(1, steps - warm_up)  # of what comes after the warm-up: 0 to below 1
    match recipe.schedule:
        case "constant":
            share = 1.0
        case "cosine":
            share = _cosine(1.0, 0.0, done)
        case "polynomial":
            share = (1 - done) ** POLYNOMIAL_POWER
        case "one_cycle":
            rising = done < ONE_CYCLE_RISE
            share = (
                _cosine(ONE_CYCLE_START, 1.0, done / ONE_CYCLE_RISE)
                if rising
                else _cosine(1.0, ONE_CYCLE_END, (done - ONE_CYCLE_RISE) / (1 - ONE_CYCLE_RISE))
            )
    return recipe.learning_rate * share


def _cosine(start: float, end: float, done: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * done)) / 2


@dataclass(frozen=True)
class Mover:
    """What moves a network's weights, once their gradients are there."""

    network: nn.Module
    average: nn.Module
    """The network that is validated and tested: its weights the mean of the moved ones' past, if the recipe has it so;
    else the network itself."""
    optimizer: torch.optim.Optimizer
    recipe: TrainingRecipe
    share: Tensor
    """Of the newest weights in the average."""

    def prepare(self, step: int, steps_of_an_epoch: int) -> float:
        """Set what changes from step to step, the learning rate first; it is returned. Not part of what is recorded."""
        rate = learning_rate_at(self.recipe, step, steps_of_an_epoch)
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
        if self.average is not self.network:
            # So that the first weights, which nobody has trained, are soon forgotten.
            self.share.fill_(1 - min(self.recipe.weight_averaging, (1 + step) / (10 + step)))
        return rate

    def move(self) -> None:
        """By the gradients, at the learning rate that `prepare` has set."""
        if self.recipe.gradient_clipping:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.gradient_clipping)
        self.optimizer.step()
        if self.average is not self.network:
            self._take_in()

    @torch.no_grad()
    def _take_in(self) -> None:
        """Exponential moving average (Polyak and Juditsky 1992); of the batch norms' statistics, too."""
        ours, theirs = (each.state_dict(keep_vars=True).values() for each in (self.average, self.network))
        once = {id(kept): (kept, newest) for kept, newest in zip(ours, theirs, strict=True)}  # tied: under two names
        for kept, newest in once.values():
            if kept.is_floating_point():
                kept.add_((newest - kept) * self.share)
            else:
                kept.copy_(newest)


def mover(network: nn.Module, recipe: TrainingRecipe) -> Mover:
    """For a network that lies on its device."""
    average = copy.deepcopy(network).eval() if recipe.weight_averaging else network
    device = next(network.parameters()).device
    return Mover(
        network, average, _optimizer(network.parameters(), recipe, device), recipe, torch.ones((), device=device)
    )


def _optimizer(weights: Iterable[Tensor], recipe: TrainingRecipe, device: torch.device) -> torch.optim.Optimizer:
    """In one kernel. On a GPU its learning rate and its count of the steps are there, too: a recorded step reads them.

    Adam: Kingma and Ba 2015 (its weight decay is an L2 penalty); AdamW: Loshchilov and Hutter 2019.
    """
    on_gpu = device.type == "cuda"
    rate: float | Tensor = torch.tensor(recipe.learning_rate, device=device) if on_gpu else recipe.learning_rate
    decay = recipe.weight_decay
    match recipe.optimizer:
        case "sgd":
            return torch.optim.SGD(weights, rate, momentum=recipe.momentum, weight_decay=decay, fused=True)
        case "adam":
            kind: Callable[..., torch.optim.Optimizer] = torch.optim.Adam
        case "adamw":
            kind = torch.optim.AdamW
    return kind(weights, rate, eps=recipe.adam_epsilon, weight_decay=decay, fused=True, capturable=on_gpu)
