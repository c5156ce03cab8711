"""Worlds in which scores are drawn whose truth is known, for `validity.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analysis.scores import Floats
from trainers.seeds import generator_for

Draw = Callable[[np.random.Generator, tuple[int, ...]], Floats]


@dataclass(frozen=True)
class World:
    """How scores on random splits come about."""

    name: str
    draw: Draw
    unit: float = 0.0
    rare: float = 0.0
    """How frequent the kind of training is that a few splits may not show."""
    held_out_noise: float = 1.0
    """SD of a training on a held-out split over that of one on a random split."""

    @cached_property
    def truth(self) -> tuple[float, float]:
        """Mean and SD."""
        many = np.clip(self.draw(generator_for("truth", self.name), (4_000_000,)), 0, 1)
        return float(many.mean()), float(many.std())


def collapsing(share: float) -> Draw:
    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
        return np.where(rng.random(shape) < share, rng.normal(0.1, 0.02, shape), rng.normal(0.8, 0.03, shape))

    return draw


def two_modes(share: float) -> Draw:
    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
        return np.where(rng.random(shape) < share, 0.6, 0.75) + rng.normal(0, 0.01, shape)

    return draw


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return rng.normal(0.7, 0.05, shape)


def _exponential(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return np.minimum(rng.exponential(0.05, shape), 0.5)


WORLDS = (
    World("normal", normal),
    World("near the ceiling, beta of mean .95", lambda rng, shape: rng.beta(28.5, 1.5, shape)),
    World("at the ceiling, beta of mean .97", lambda rng, shape: rng.beta(29.1, 0.9, shape)),
    World("near the floor, beta of mean .05", lambda rng, shape: rng.beta(1.5, 28.5, shape)),
    World("heavy tails, t with 3 df", lambda rng, shape: np.clip(0.7 + 0.03 * rng.standard_t(3, shape), 0, 1)),
    World("two modes alike", two_modes(0.5), rare=0.5),
    World("two modes, the lower in 3 of 10", two_modes(0.3), rare=0.3),
    World("a collapse in 3 of 20", collapsing(0.15), rare=0.15),
    World("a collapse in 1 of 20", collapsing(0.05), rare=0.05),
    World("skewed far from the ends, .9 less an exponential", lambda rng, shape: 0.9 - _exponential(rng, shape)),
    World("skewed far from the ends, .5 and an exponential", lambda rng, shape: 0.5 + _exponential(rng, shape)),
    World("logit-normal near .95", lambda rng, shape: 1 / (1 + np.exp(-rng.normal(3, 0.8, shape)))),
    World("uniform, .6 to .9", lambda rng, shape: rng.uniform(0.6, 0.9, shape)),
    World("three in ten exactly 1", lambda rng, shape: np.where(rng.random(shape) < 0.3, 1, normal(rng, shape) + 0.2)),
    World("rounded to two digits", lambda rng, shape: np.round(rng.normal(0.7, 0.008, shape), 2), unit=0.01),
    World("held-out splits with twice the SD", normal, held_out_noise=2.0),
    World("held-out splits with three times the SD", normal, held_out_noise=3.0),
)
