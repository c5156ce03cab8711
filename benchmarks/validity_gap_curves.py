"""How often do the intervals of a gap that changes with the images hold what is true?
`python benchmarks/validity_gap_curves.py`.

Scores at three shares are drawn in worlds whose truth is known, on random splits and on two to five held-out ones. The
change of the gap from the smallest share to the whole training set, and what twice as many images would do to it, are
then asked of the functions of the analysis. A few minutes on one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
from machine import circumstances, write
from validity_curves import (
    NUM_SPLITS,
    REPETITIONS,
    SHARES,
    TEST_TO_TRAIN,
    Row,
    beta,
    collapsing,
    heavy,
    in_markdown,
    normal,
    power,
    row_of,
)

from analysis.scores import Floats
from analysis.statistics.gap_curve import Change, change_of_gap, rise_of_gap
from analysis.statistics.learning_curve import FARTHEST
from analysis.statistics.shift import SPREAD_KNOWN
from trainers.seeds import generator_for

NUM_HELD_OUT = (2, 3, 5)
Curve = Callable[[Floats], Floats]
"""Mean error, 1 - Dice, by share of the training images."""
Chance = Callable[[np.random.Generator, Floats], Floats]
"""Mean errors, split x share -> errors."""


def _exponential(share: Floats) -> Floats:
    return np.asarray(0.2 + 0.3 * np.exp(-2 * share))


def _two_modes(draws: np.random.Generator, mean_SK: Floats) -> Floats:
    return np.asarray(mean_SK + 0.03 * np.sign(draws.random(mean_SK.shape) - 0.5))


SLOW: Curve = partial(power, 0.1, 0.15, 0.5)
FAST: Curve = partial(power, 0.2, 0.1, 0.8)
NEAR_0: tuple[Curve, Curve] = partial(power, 0.02, 0.03, 0.5), partial(power, 0.03, 0.06, 0.5)


@dataclass(frozen=True)
class World:
    """How scores come about on splits of both kinds."""

    name: str
    chance: Chance = normal
    held_out_chance: Chance | None = None
    """Where it is another one."""
    random: Curve = SLOW
    held_out: Curve = FAST
    apart: float = 0.0
    """By how much, at most, a held-out split's whole change is off their mean."""
    unit: float = 0.0

    def scores(self, draws: np.random.Generator, num_random: int, num_held_out: int) -> tuple[Floats, Floats]:
        """Of both kinds, split x share."""
        off = self.apart * np.linspace(-1, 1, num_held_out)[:, None] * (SHARES - SHARES[0]) / (1 - SHARES[0])
        random = self.chance(draws, np.tile(self.random(SHARES), (num_random, 1)))
        held_out = (self.held_out_chance or self.chance)(draws, self.held_out(SHARES) + off)
        found = [np.clip(1 - errors, 0, 1) for errors in (random, held_out)]
        if self.unit:
            found = [np.round(each / self.unit) * self.unit for each in found]
        return found[0], found[1]

    def change(self, first: float, last: float) -> float:
        """Of the gap, in truth, between two shares."""
        shares = np.array([first, last])
        before, after = self.held_out(shares) - self.random(shares)
        return float(after - before)


WORLDS = (
    World("normal"),
    World("the gap stays", held_out=partial(power, 0.25, 0.15, 0.5)),
    World("near the ceiling, beta", beta, random=NEAR_0[0], held_out=NEAR_0[1]),
    World("heavy tails, t with 3 df", heavy),
    World("two modes", _two_modes),
    World("5 % of trainings collapse", collapsing),
    World("small shares scatter more", partial(normal, sd_K=0.01 / SHARES)),
    World("held-out trainings scatter twice as much", held_out_chance=partial(normal, sd_K=0.04)),
    World("held-out trainings scatter three times as much", held_out_chance=partial(normal, sd_K=0.06)),
    World("held-out splits gain differently", apart=0.06),
    World("quiet: SD 0.004", partial(normal, sd_K=0.004)),
    World("quiet, rounded to two digits", partial(normal, sd_K=0.004), unit=0.01),
    World("no power law on held-out splits", held_out=_exponential),
)


def coverages(repetitions: int = REPETITIONS, num_splits: Iterable[int] = NUM_SPLITS) -> list[Row]:
    """A row for either promise, every world and number of splits of both kinds."""
    numbers = list(num_splits)
    rows = [row for world in WORLDS for k in NUM_HELD_OUT for n in numbers for row in _of(world, n, k, repetitions)]
    return sorted(rows, key=lambda row: row.interval)


def _of(world: World, num_random: int, num_held_out: int, repetitions: int) -> list[Row]:
    draws = generator_for("validity of gap curves", world.name, num_random, num_held_out)
    images = [np.tile(400 * SHARES, (number, 1)) for number in (num_random, num_held_out)]
    seen, more = list[tuple[float, float]](), list[tuple[float, float]]()
    for _ in range(repetitions):
        random, held_out = world.scores(draws, num_random, num_held_out)
        _keep(seen, change_of_gap(random, held_out, world.unit))
        _keep(more, rise_of_gap((images[0], random), (images[1], held_out), FARTHEST, TEST_TO_TRAIN))
    size = f"{num_held_out} held out"
    found = [row_of("change", world.name, size, num_random, seen, world.change(SHARES[0], 1.0), repetitions)]
    if num_held_out < SPREAD_KNOWN:  # of which no curve is continued
        return found
    truth = world.change(1.0, FARTHEST)
    return [*found, row_of("twice the images", world.name, size, num_random, more, truth, repetitions)]


def _keep(kept: list[tuple[float, float]], found: object) -> None:
    if isinstance(found, Change):
        kept.append((found.low, found.high))


def main() -> None:
    """Simulate, and write benchmarks/results/validity_gap_curves.md and .json."""
    parser = argparse.ArgumentParser(description="Coverage of the intervals of a gap that changes with the images.")
    parser.add_argument("--repetitions", type=int, default=REPETITIONS, help="of each row (default: %(default)s)")
    options = parser.parse_args()
    rows, about = coverages(options.repetitions), circumstances("numpy", "scipy")
    text = (
        f"# Does the gap shrink with more images: do the intervals cover?\n\nCoverage of the 95 % intervals ± its "
        f"Monte Carlo error, {options.repetitions} repetitions each; in brackets the share of repetitions that have an "
        "interval and no refusal, and its mean width. With two "
        "held-out splits their trainings are taken to scatter at most twice as much as those on random ones.\n\n"
        f"{in_markdown(rows)}"
    )
    write("validity_gap_curves", about, {"rows": [asdict(row) for row in rows]}, text)


if __name__ == "__main__":
    main()
