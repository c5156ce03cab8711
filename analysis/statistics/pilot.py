"""What a pilot says of scores that are still to come, and such scores drawn from it.

Of every row (configuration, averaging, class) the score of a training on random split i with seed j is

    mean + a split's part (i) + a training's part (i, j)

both normal, cut off at 0 and 1. The parts are drawn for all rows together, with the covariance that the pilot shows:
A z with A = centred scores / sqrt(n - 1) and z standard normal, so that checks depend on each other as they do there.
A pilot of one seed cannot tell the two parts apart: their sum is then drawn as one, and of one seed a split alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from analysis.scores import Floats
from trainers.seeds import generator_for


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores with axes rows x splits x seeds; of many repetitions, rows x repetitions x splits x seeds."""

    random: Floats
    held_out: Floats

    @property
    def num_seeds(self) -> int:
        return int(self.random.shape[-1])

    @property
    def means(self) -> tuple[Floats, Floats]:
        """Of random and of held-out splits, over their seeds."""
        return self.random.mean(-1), self.held_out.mean(-1)

    @property
    def within(self) -> tuple[Floats, Floats]:
        """Variances over seeds, mean over the splits; 0 of one seed."""
        ddof = min(1, self.num_seeds - 1)
        return self.random.var(-1, ddof=ddof).mean(-1), _mean_or_zero(self.held_out.var(-1, ddof=ddof))

    def among(self, repetitions: NDArray[np.bool_]) -> Scored:
        """Of these repetitions alone."""
        return self if repetitions.all() else Scored(self.random[:, repetitions], self.held_out[:, repetitions])


@dataclass(frozen=True, eq=False)
class Pilot:
    """The world from which scores are drawn. Arrays have a row for each (configuration, averaging, class)."""

    mean: Floats
    """Over random splits."""
    held_out: Floats
    """Of each held-out split, a column each."""
    of_split: Floats
    """Its square, A A', is the covariance of the splits' part; of one seed, of both parts together."""
    of_training: Floats | None = None
    """The same of a training's part on random splits; None where the pilot cannot tell."""
    of_training_held_out: Floats | None = None
    unit: float = 0.0
    """To which scores are rounded; 0 if they are not."""

    @classmethod
    def of(cls, scored: Scored, unit: float = 0.0) -> Self:
        """What these scores, of one repetition, say."""
        (means, held_out), (within, _) = scored.means, scored.within
        mean = means.mean(-1)
        of_split = (means - mean[:, None]) / math.sqrt(means.shape[-1] - 1)
        if scored.num_seeds == 1:
            return cls(mean, held_out, of_split, unit=unit)
        variance = (of_split**2).sum(-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.nan_to_num(1 - within / scored.num_seeds / variance, nan=0.0, neginf=0.0)
        of_split = of_split * np.sqrt(np.maximum(share, 0))[:, None]
        return cls(mean, held_out, of_split, _of_training(scored.random), _of_training(scored.held_out), unit)

    def numbers_of_seeds(self, most: int) -> list[int]:
        """For which scores can be drawn."""
        return [1] if self.of_training is None else list(range(1, most + 1))

    @property
    def sd(self) -> Floats:
        """Of one training on one random split."""
        parts = [self.of_split, *([] if self.of_training is None else [self.of_training])]
        return np.asarray(np.sqrt(sum((part**2).sum(-1) for part in parts)))

    def rows(self, chosen: NDArray[np.int64]) -> Pilot:
        """Of some rows alone; drawn by the same words, they have the same scores as among all."""
        parts = self.of_training, self.of_training_held_out
        random, held_out = (None if part is None else part[chosen] for part in parts)
        return Pilot(self.mean[chosen], self.held_out[chosen], self.of_split[chosen], random, held_out, self.unit)

    def draw(self, num_random: int, num_seeds: int, repetitions: int, *purpose: str | int) -> Scored:
        """Scores of many repetitions. Those of fewer random splits, drawn by the same words, are the first of these."""
        training = self.of_split if self.of_training is None else self.of_training  # of one seed, all chance is one
        on_held_out = training if self.of_training_held_out is None else self.of_training_held_out
        parts = [
            _parts(on_held_out, (self.held_out.shape[1], num_seeds), repetitions, *purpose, "held out"),
            _parts(training, (num_random, num_seeds), repetitions, *purpose, "trainings"),
        ]
        if self.of_training is not None:
            parts[1] = parts[1] + _parts(self.of_split, (num_random, 1), repetitions, *purpose, "splits")
        held_out, random = parts
        random = random + self.mean[:, None, None, None]
        return Scored(self._as_scores(random), self._as_scores(held_out + self.held_out[:, None, :, None]))

    def _as_scores(self, drawn: Floats) -> Floats:
        if self.unit:
            drawn = np.round(drawn / self.unit) * self.unit
        return np.clip(drawn, 0, 1)


def _of_training(scores: Floats) -> Floats:
    """From rows x splits x seeds, the scores centred in their splits, so that the square is the mean covariance over
    seeds."""
    rows, splits, seeds = scores.shape
    centred = scores - scores.mean(-1, keepdims=True)
    return np.asarray(centred.reshape(rows, -1) / math.sqrt(max(splits, 1) * (seeds - 1)))


def _parts(root: Floats, shape: tuple[int, int], repetitions: int, *purpose: str | int) -> Floats:
    """rows x repetitions x splits x seeds, normal with the covariance `root` `root`'."""
    drawn = generator_for(*purpose).normal(size=(*shape, root.shape[1], repetitions))
    return np.ascontiguousarray(np.moveaxis(root @ drawn, (2, 3), (0, 1)))


def _mean_or_zero(values: Floats) -> Floats:
    return values.mean(-1) if values.shape[-1] else np.zeros(values.shape[:-1])
