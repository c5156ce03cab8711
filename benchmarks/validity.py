"""How often is the gate wrong, and how often do intervals hold what they promise? `python benchmarks/validity.py`.

Scores are drawn in worlds whose mean and spread are known, and judged by the functions that `analysis` uses. In every
world the true value is the limit itself: there a wrong answer is likeliest.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from machine import circumstances, write
from numpy.typing import NDArray
from scipy import stats
from validity_worlds import WORLDS, World, normal

from analysis.scores import Floats
from analysis.statistics.bounds import gap_bounds, mean_bounds, sd_bounds, share_unseen
from analysis.statistics.comparison import ALPHA
from analysis.statistics.paired import nadeau_bengio_interval
from study.looks import FIRST, looks_up_to
from trainers.seeds import generator_for

NUMBERS = (4, 6, 8, 15, 30)  # random splits
HELD_OUT = 3  # splits
CHECKS = 24
TEST_TO_TRAIN = 0.25


@dataclass(frozen=True)
class Measured:
    """How often a promise was broken."""

    promise: str
    world: World
    num_splits: int
    rate: float
    allowed: float
    repetitions: int

    @property
    def error(self) -> float:
        """Monte Carlo standard error, as if the rate were the one that is allowed or a higher one."""
        rate = max(self.rate, self.allowed)
        return math.sqrt(rate * (1 - rate) / self.repetitions)

    @property
    def unseen(self) -> float:
        """How often the splits show one kind of training alone, though there are two."""
        first = FIRST if "look" in self.promise else self.num_splits
        shares = [self.world.rare, 1 - self.world.rare] if self.world.rare else []
        once = sum(share**first for share in shares)
        return 1 - (1 - once) ** (CHECKS if str(CHECKS) in self.promise else 1)

    @property
    def broken(self) -> bool:
        return self.rate > self.allowed + 2 * self.error


def measured(repetitions: int, numbers: tuple[int, ...] = NUMBERS) -> Iterator[Measured]:
    """Every promise in every world, by number of random splits."""
    for world in WORLDS:
        for n in numbers:
            rng = generator_for("validity", world.name, n)
            scores = np.clip(world.draw(rng, (repetitions, n)), 0, 1)
            for promise, allowed, wrong in _judged(world, scores, rng):
                yield Measured(promise, world, n, float(wrong.mean()), allowed, repetitions)


def _judged(world: World, scores: Floats, rng: np.random.Generator) -> Iterator[tuple[str, float, NDArray[np.bool_]]]:
    """Promise, allowed rate, and in which repetitions it was broken. Bounds that are not given break nothing."""
    mean, sd = world.truth
    repetitions, n = scores.shape
    if world.held_out_noise == 1:
        low, high = mean_bounds(scores, ALPHA, ALPHA, world.unit)
        yield "min-dice: falsely met", ALPHA, low >= mean
        yield "min-dice: falsely failed", ALPHA, high < mean
        low, high = sd_bounds(scores, ALPHA, ALPHA, world.unit)
        yield "max-sd: falsely met", ALPHA, high <= sd
        yield "max-sd: falsely failed", ALPHA, low > sd
        of_all = np.clip(world.draw(rng, (repetitions // 8, CHECKS, n)), 0, 1)
        _, high = mean_bounds(of_all, ALPHA, ALPHA / CHECKS, world.unit)
        yield f"min-dice: a false alarm among {CHECKS} checks", ALPHA, (high < mean).any(-1)
        low, _ = sd_bounds(of_all, ALPHA / CHECKS, ALPHA, world.unit)
        yield f"max-sd: a false alarm among {CHECKS} checks", ALPHA, (low > sd).any(-1)
        yield "95 % interval of the mean", 0.05, _outside(mean, *mean_bounds(scores, 0.025, 0.025, world.unit))
        yield "95 % interval of the SD", 0.05, _outside(sd, *sd_bounds(scores, 0.025, 0.025, world.unit))
        another = np.clip(world.draw(rng, (repetitions,)), 0, 1)
        half = stats.t.ppf(0.975, n - 1) * scores.std(-1, ddof=1) * math.sqrt(1 + 1 / n)  # `one_training`, of one seed
        yield "95 % range of one more training", 0.05, np.abs(another - scores.mean(-1)) > half
        yield "95 % interval of a difference", 0.05, _difference_missed(world, rng, scores.shape)
    noise = rng.choice(np.clip(world.draw(rng, (100_000,)), 0, 1) - mean, (repetitions, HELD_OUT))
    held_out = mean - 0.1 + world.held_out_noise * noise
    for promise, wrong in _looked(world, scores, held_out):
        yield promise, ALPHA, wrong
    if not world.unit:
        for promise, wrong in _of_two_seeds(world, rng, scores.shape):
            yield promise, ALPHA, wrong
    low, high = gap_bounds(scores, held_out, ALPHA, ALPHA, world.unit)
    yield "max-gap: falsely met", ALPHA, high <= 0.1
    yield "max-gap: falsely failed", ALPHA, low > 0.1


def _looked(world: World, scores: Floats, held_out: Floats) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Of studies that are looked at while they grow to n random splits: those that are ever decided wrongly."""
    mean, sd = world.truth
    limits = ("min-dice", "max-sd", "max-gap") if world.held_out_noise == 1 else ("max-gap",)
    met, failed = ({name: np.zeros(len(scores), bool) for name in limits} for _ in range(2))
    for look in looks_up_to(scores.shape[-1]):
        alpha, there = ALPHA * look.share, scores[:, : look.num_random]
        if "min-dice" in limits:
            low, high = mean_bounds(there, alpha, alpha, world.unit)
            met["min-dice"] |= low >= mean
            failed["min-dice"] |= high < mean
            low, high = sd_bounds(there, alpha, alpha, world.unit)
            met["max-sd"] |= high <= sd
            failed["max-sd"] |= low > sd
        low, high = gap_bounds(there, held_out, alpha, alpha, world.unit)
        met["max-gap"] |= high <= 0.1
        failed["max-gap"] |= low > 0.1
    for name in limits:
        yield f"{name}: falsely met at any look", met[name]
        yield f"{name}: falsely failed at any look", failed[name]


def _of_two_seeds(
    world: World, rng: np.random.Generator, shape: tuple[int, ...]
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Seeds nested in splits: half of the variance is the split's, half the training's."""
    (mean, sd), (repetitions, n) = world.truth, shape
    of_split, of_training = (
        math.sqrt(0.5) * (np.clip(world.draw(rng, (repetitions, n, k)), 0, 1) - mean) for k in (1, 2)
    )
    scores = mean + of_split + of_training
    within = scores.var(-1, ddof=1).mean(-1)
    if world.held_out_noise == 1:
        low, high = sd_bounds(scores.mean(-1), ALPHA, ALPHA, within=within, num_seeds=2)
        yield "max-sd, two seeds: falsely met", high <= sd
        yield "max-sd, two seeds: falsely failed", low > sd
    noise = math.sqrt(0.5) * (np.clip(world.draw(rng, (repetitions, HELD_OUT, 2)), 0, 1) - mean)
    held_out = mean - 0.1 + world.held_out_noise * noise
    of_held_out = held_out.var(-1, ddof=1).mean(-1)
    low, high = gap_bounds(scores.mean(-1), held_out.mean(-1), ALPHA, ALPHA, within=of_held_out, num_seeds=2)
    yield "max-gap, two seeds: falsely met", high <= 0.1
    yield "max-gap, two seeds: falsely failed", low > 0.1


def _difference_missed(world: World, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Of two configurations alike, whose differences on splits correlate as Nadeau and Bengio take it: by
    TEST_TO_TRAIN / (1 + TEST_TO_TRAIN)."""
    one, other = (np.clip(world.draw(rng, shape), 0, 1) for _ in range(2))
    shared = rng.normal(0, math.sqrt(2 * TEST_TO_TRAIN) * world.truth[1], (shape[0], 1))
    return _outside(0.0, *nadeau_bengio_interval(one - other + shared, TEST_TO_TRAIN))


def splits_used(distance: float, num_random: int, repetitions: int) -> tuple[float, float]:
    """Mean number of random splits at which a study is stopped whose mean Dice lies so far above min-dice (SD .05), and
    how often it is decided at all."""
    scores = normal(generator_for("splits used", round(1000 * distance), num_random), (repetitions, num_random))
    used = np.full(repetitions, num_random)
    decided = np.zeros(repetitions, bool)
    for look in looks_up_to(num_random):
        alpha = ALPHA * look.share
        low, high = mean_bounds(scores[:, : look.num_random], alpha, alpha)
        new = ~decided & ((low >= 0.7 - distance) | (high < 0.7 - distance))
        used[new], decided = look.num_random, decided | new
    return float(used.mean()), float(decided.mean())


def _outside(value: float, low: Floats, high: Floats) -> NDArray[np.bool_]:
    return (value < low) | (value > high)


def report(rows: list[Measured]) -> str:
    """A Markdown table: a row for each promise and world, a column for each number of splits."""
    numbers = list(dict.fromkeys(row.num_splits for row in rows))
    lines = [
        f"| promise | world | {' | '.join(f'n = {n}' for n in numbers)} |",
        f"|---|---|{'---|' * len(numbers)}",
    ]
    promises = list(dict.fromkeys(row.promise for row in rows))
    for promise in promises:
        for world in WORLDS:
            of_both = [row for row in rows if row.promise == promise and row.world == world]
            if of_both:
                cells = " | ".join(map(_cell, of_both))
                lines.append(f"| {promise} ({of_both[0].allowed:.0%}) | {world.name} | {cells} |")
    return "\n".join(lines)


def _cell(row: Measured) -> str:
    """The rate in %; in bold where it is more than is allowed; in italics where that is because nothing was seen."""
    shown = f"{100 * row.rate:.1f}"
    if not row.broken:
        return shown
    seen_once = row.unseen > 0 and row.rate <= row.unseen + row.allowed + 3 * row.error
    return f"_{shown}_" if seen_once else f"**{shown}**"


def report_of_looks(repetitions: int) -> str:
    """A Markdown table: what looking saves."""
    lines = ["| mean Dice above min-dice, in SDs | random splits at most | used, mean | decided |", "|---|---|---|---|"]
    for num_random in (8, 16, 30):
        for distance in (0.0, 0.02, 0.05, 0.1, 0.15):
            used, decided = splits_used(distance, num_random, repetitions)
            lines.append(f"| {distance / 0.05:g} | {num_random} | {used:.1f} | {decided:.0%} |")
    return "\n".join(lines)


HOW_TO_READ = (
    "Each number: in how many of 100 repetitions the answer was wrong, where the truth lies at the limit itself. In "
    "brackets what is promised. **Bold**: more than is promised, by more than twice the Monte Carlo error. _Italics_: "
    "more than is promised, in the worlds of which so few splits may have shown one side alone: with n splits, a kind "
    f"of training that comes in fewer than {', '.join(f'{share_unseen(n, ALPHA):.0%} (n = {n})' for n in NUMBERS)} of "
    "trainings may be unseen, as `analysis check` says each time."
)


def main() -> None:
    """Run, and write benchmarks/results/validity.md and .json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=10_000)
    repetitions = parser.parse_args().repetitions
    rows, saved = list(measured(repetitions)), report_of_looks(repetitions)
    found = [
        {"promise": r.promise, "world": r.world.name, "num_splits": r.num_splits, "rate": r.rate, "error": r.error}
        for r in rows
    ]
    write(
        "validity", circumstances("numpy", "scipy"), {"measured": found}, f"{report(rows)}\n\n{HOW_TO_READ}\n\n{saved}"
    )


if __name__ == "__main__":
    main()
