"""Do the 95 % intervals hold? Simulated coverage: `python benchmarks/validity_images.py`. About ten minutes on a core.

Of four promises of the analysis, in worlds from normal scores to trainings that fail outright, with few images, splits
and seeds: the difference of two trained models on the same images, what the spread is made of, what the test images do,
and the luck in a tuned score. Each share has its Monte Carlo standard error.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from machine import circumstances, write
from numpy.typing import NDArray
from scipy import stats

from analysis.statistics import mean_squares, ratios
from analysis.statistics.causes import log_interval
from analysis.statistics.mean_squares import nested
from analysis.statistics.paired import nadeau_bengio_interval
from analysis.statistics.ratios import Block

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Floats]
Row = dict[str, Any]

NUM_IMAGES = (12, 20, 40, 130)
NUM_SPLITS = (3, 4, 5, 8, 15)
TEST_TO_TRAIN = 0.25
MANY = 1_000_000


def _rare_failure(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """One value in twenty is far below all others; mean 0, variance 1."""
    values = 0.3 * rng.standard_normal(shape) - 3.0 * (rng.random(shape) < 0.05) + 0.15
    return values / np.sqrt(0.3**2 + 9 * 0.05 * 0.95)


CHANCE: dict[str, Draw] = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "beta near 1": lambda rng, shape: (rng.beta(19, 1, shape) - 0.95) / np.sqrt(19 / (400 * 21)),
    "heavy tails (t, 3 df)": lambda rng, shape: rng.standard_t(3, shape) / np.sqrt(3),
    "one in twenty fails": _rare_failure,
}
"""A split's or a training's chance, with mean 0 and variance 1."""

OF_SPLIT = {"seed dominates": 0.25, "equal": 1.0, "split dominates": 4.0}
"""v_split, where v_seed is 1: seeds nested in splits."""


def coverages(repetitions: int = 1000, seed: int = 0) -> list[Row]:
    """One row per promise, world and size: `coverage` of the 95 % interval, `error` of it, `repetitions`."""
    rows = [*_of_differences(repetitions, seed), *_of_causes(repetitions, seed)]
    return [*rows, *_of_images(repetitions, seed), *_of_luck(repetitions, seed)]


def _row(promise: str, world: str, size: str, covered: NDArray[np.bool_]) -> Row:
    share = float(np.mean(covered))
    error = float(np.sqrt(max(share * (1 - share), 1 / covered.size) / covered.size))
    return {
        "promise": promise,
        "world": world,
        "size": size,
        "coverage": share,
        "error": error,
        "repetitions": covered.size,
    }


# The difference of two models on the same images.


def images_of(world: str, rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    """Numerators and weights of n images for two models, shape (n, 2)."""
    difficulty = rng.standard_normal((n, 1))
    weights = np.ones((n, 2))
    if world == "normal":
        dice = np.array([0.70, 0.68]) + 0.08 * difficulty + 0.06 * rng.standard_normal((n, 2))
    elif world == "beta near 1":
        place = stats.norm.cdf(0.8 * difficulty + 0.6 * rng.standard_normal((n, 2)))
        dice = np.column_stack([stats.beta.ppf(place[:, 0], 19, 1), stats.beta.ppf(place[:, 1], 12, 1)])
    elif world == "heavy tails":
        dice = 0.75 + 0.05 * difficulty + 0.05 * rng.standard_t(2.5, (n, 2))
    elif world == "some objects missed":
        dice = (0.85 + 0.05 * difficulty + 0.04 * rng.standard_normal((n, 2))) * (rng.random((n, 2)) > [0.08, 0.12])
    elif world == "false classes":
        absent = rng.random((n, 1)) < 0.4
        dice = np.where(absent, 0.0, 0.85 + 0.05 * difficulty + 0.04 * rng.standard_normal((n, 2)))
        weights = np.where(absent, rng.random((n, 2)) < 0.4, 1.0)
    else:  # pixel-wise: images weigh by their objects' size
        size = np.exp(0.7 * rng.standard_normal((n, 1)))
        dice = 0.8 + 0.08 * difficulty + 0.06 * np.log(size) + 0.06 * rng.standard_normal((n, 2))
        weights = size * (2 - np.clip(dice, 0.05, 1))
    return np.clip(dice, 0, 1) * weights, weights


IMAGES = ("normal", "beta near 1", "heavy tails", "some objects missed", "false classes", "pixel-wise, sizes differ")


def _difference(numerators: Floats, weights: Floats) -> float:
    first, second = numerators.sum(axis=0) / weights.sum(axis=0)
    return float(first - second)


def _of_differences(repetitions: int, seed: int) -> Iterator[Row]:
    for world in IMAGES:
        rng = np.random.default_rng(seed)
        truth = _difference(*images_of(world, rng, MANY))
        for n in NUM_IMAGES:
            covered: dict[str, list[bool]] = {}
            for repetition in range(repetitions):
                for method, (low, high) in _methods(*images_of(world, rng, n), repetition).items():
                    covered.setdefault(method, []).append(low <= truth <= high)
            for method, each in covered.items():
                yield _row(f"difference on images, {method}", world, f"{n} images", np.array(each))
    yield from _of_units(repetitions, seed)
    yield from _of_overlapping_splits(repetitions, seed)


def _methods(numerators: Floats, weights: Floats, seed: int) -> dict[str, tuple[float, float]]:
    """The interval that is used, and those that were not chosen."""
    block = Block(np.arange(len(weights)), numerators[:, :, None], weights[:, :, None], np.array([1.0, -1.0]))
    used, _ = ratios.intervals([block], seed, 499)
    if used.note:
        return {}
    theta, se = (each[0, 0] for each in ratios.replicates([block], np.ones((1, len(weights)))))
    drawn, drawn_se = (each[:, 0] for each in ratios.bootstrap([block], seed, 499))
    known = ~np.isnan(drawn)
    drawn, drawn_se = drawn[known], np.maximum(drawn_se[known], 1e-12)
    low, high = np.quantile((drawn - theta) / drawn_se, [0.025, 0.975])
    return {
        "symmetric studentised (used)": (used.low, used.high),
        "percentile": tuple(np.quantile(drawn, [0.025, 0.975])),
        "BCa": _bca(numerators, weights, theta, drawn),
        "studentised": (theta - high * se, theta - low * se),
    }


def _bca(numerators: Floats, weights: Floats, theta: float, drawn: Floats) -> tuple[float, float]:
    """Efron 1987: bias by the share of draws below theta, acceleration by the influences."""
    total = weights.sum(axis=0)
    u = ((numerators - numerators.sum(axis=0) / total * weights) / total) @ np.array([1.0, -1.0])
    acceleration = (u**3).sum() / 6 / (u**2).sum() ** 1.5
    bias = stats.norm.ppf(np.clip(np.mean(drawn < theta) + np.mean(drawn == theta) / 2, 0.001, 0.999))
    z = bias + stats.norm.ppf([0.025, 0.975])
    return tuple(np.quantile(drawn, stats.norm.cdf(bias + z / (1 - acceleration * z))))


def _of_units(repetitions: int, seed: int) -> Iterator[Row]:
    """Images of one unit are alike: five of each of G units; by unit, and as if they were independent."""
    truth = 0.02
    for num_units in (12, 26):
        rng = np.random.default_rng(seed)
        by_unit, by_image = [], []
        for repetition in range(repetitions):
            shared = 0.05 * rng.standard_normal((num_units, 1, 2))
            dice = np.array([0.72, 0.70]) + shared + 0.05 * rng.standard_normal((num_units, 5, 2))
            flat = dice.reshape(-1, 2)
            for values, weight, covered in ((dice.sum(axis=1), 5.0, by_unit), (flat, 1.0, by_image)):
                block = Block(
                    np.arange(len(values)),
                    values[:, :, None],
                    np.full((len(values), 2, 1), weight),
                    np.array([1.0, -1.0]),
                )
                used, _ = ratios.intervals([block], repetition, 499)
                covered.append(used.low <= truth <= used.high)
        size = f"{num_units} units of 5 images"
        yield _row("difference on images, by unit (used)", "images of a unit alike", size, np.array(by_unit))
        yield _row("difference on images, units ignored", "images of a unit alike", size, np.array(by_image))


def _of_overlapping_splits(repetitions: int, seed: int) -> Iterator[Row]:
    """Eight splits test a fifth each of one pool of images of two classes, each with models of its own: the pool's
    images are new in every repetition, the models are not. Of the first class, and of the mean of classes."""
    num_splits, is_first = 8, np.array([True, False])
    for pool in (60, 150):
        rng = np.random.default_rng(seed)
        lead = 0.02 + 0.02 * rng.standard_normal((num_splits, 2))  # of the one model over the other, by split and class
        covered: dict[str, list[bool]] = {"first class": [], "mean of classes": []}
        for repetition in range(repetitions):
            difficulty = 0.1 * rng.standard_normal(pool)
            shown = np.where(np.arange(pool)[:, None] % 2 == 0, is_first, ~is_first).astype(float)
            blocks = []
            for split in range(num_splits):
                images = np.sort(rng.permutation(pool)[: pool // 5])
                of_pool = 0.7 + difficulty[images, None] + 0.08 * rng.standard_normal((len(images), 2))
                dice = of_pool[:, :, None] + lead[split] * np.array([1.0, 0.0])[:, None]
                weights = np.repeat(shown[images][:, None], 2, axis=1)
                blocks.append(Block(images, dice * weights, weights, np.array([1.0, -1.0]) / num_splits))
            of_class, _, of_mean = ratios.intervals(blocks, repetition, 199)
            for name, used, truth in (
                ("first class", of_class, lead[:, 0].mean()),
                ("mean of classes", of_mean, lead.mean()),
            ):
                if not used.note:
                    covered[name].append(bool(used.low <= truth <= used.high))
        for name, each in covered.items():
            size = f"8 splits, {pool // 5} of {pool} images each"
            if each:
                yield _row(
                    "difference on images, over splits (used)", f"overlapping splits, {name}", size, np.array(each)
                )


# What the spread is made of.


def _of_causes(repetitions: int, seed: int) -> Iterator[Row]:
    for world, draw in CHANCE.items():
        for nesting, v_split in OF_SPLIT.items():
            for s in NUM_SPLITS:
                for r in (2, 3):
                    rng = np.random.default_rng(seed)
                    y = np.sqrt(v_split) * draw(rng, (repetitions, s, 1)) + draw(rng, (repetitions, s, r))
                    for promise, (low, high), truth in _parts(y, v_split):
                        covered = (low <= truth) & (truth <= high)
                        yield _row(promise, f"{world}, {nesting}", f"{s} splits, {r} seeds", covered)


def _parts(y_NSR: Floats, v_split: float) -> Iterator[tuple[str, tuple[Floats, Floats], float]]:
    r = y_NSR.shape[2]
    between, within = nested(y_NSR)
    yield "SD of one training", mean_squares.total(between, within, r), v_split + 1
    yield "SD by split", mean_squares.difference(between, within, r), v_split
    yield "SD by seed", mean_squares.one(within), 1.0
    yield "share of the split", mean_squares.share(between, within, r), v_split / (v_split + 1)


# What the test images do.


def _of_images(repetitions: int, seed: int) -> Iterator[Row]:
    """Splits of one pool of images, a fifth of which each tests, with two seeds. The truth is that of the pool."""
    for world in ("normal", "beta near 1", "heavy tails", "some objects missed"):
        for s in (5, 6, 8, 15):  # with five it is refused
            for n in (12, 40, 130):
                rng, covered = np.random.default_rng(seed), []
                for _ in range(max(1, repetitions // 2)):
                    pool = images_of(world, rng, 5 * n)[0][:, 0]
                    drawn = np.stack([pool[rng.permutation(5 * n)[:n]] for _ in range(s)])
                    dice = drawn[:, :, None] + 0.05 * rng.standard_normal((s, n, 2))
                    u = dice - dice.mean(axis=1, keepdims=True)
                    low, high = log_interval((u[..., 0] * u[..., 1]).sum(axis=1) / (n * (n - 1)))
                    covered.append(low <= pool.var(ddof=1) / n <= high)
                yield _row("SD by test images", world, f"{s} splits, {n} images", np.array(covered))


# Luck.


def luck_of(draw: Draw, rng: np.random.Generator, shape: tuple[int, ...], num_points: int = 8) -> Floats:
    """What `luck` averages, for so many cells: the chosen point's validation less test Dice, less the default's."""
    quality = 0.02 * draw(rng, (*shape, num_points))
    validation, test = (quality + 0.03 * draw(rng, (*shape, num_points)) for _ in range(2))
    chosen = validation.argmax(axis=-1)[..., None]
    lost = validation - test
    return np.take_along_axis(lost, chosen, axis=-1)[..., 0] - lost[..., 0]


def _of_luck(repetitions: int, seed: int) -> Iterator[Row]:
    for world, draw in CHANCE.items():
        rng = np.random.default_rng(seed)
        truth = float(luck_of(draw, rng, (MANY // 4,)).mean())
        for s in NUM_SPLITS:
            for r in (1, 2):
                values = luck_of(draw, rng, (repetitions, s, r)).mean(axis=2)
                low, high = nadeau_bengio_interval(values, TEST_TO_TRAIN)
                covered = (low <= truth) & (truth <= high)
                yield _row("luck in a tuned score", world, f"{s} splits, {r} seeds", covered)


def report(rows: list[Row]) -> str:
    """A Markdown table for each promise: a line per world, a column per size."""
    lines = []
    for promise in dict.fromkeys(row["promise"] for row in rows):
        own = [row for row in rows if row["promise"] == promise]
        sizes = list(dict.fromkeys(row["size"] for row in own))
        lines += [f"\n**{promise}**\n", f"| world | {' | '.join(sizes)} |", "|---" * (1 + len(sizes)) + "|"]
        for world in dict.fromkeys(row["world"] for row in own):
            cells = {row["size"]: f"{row['coverage']:.3f}" for row in own if row["world"] == world}
            lines.append(f"| {world} | {' | '.join(cells.get(size, '') for size in sizes)} |")
    most = max(row["repetitions"] for row in rows)
    largest = max(row["error"] for row in rows)
    return "\n".join(
        [
            *lines,
            "",
            f"Monte Carlo standard errors: {np.sqrt(0.95 * 0.05 / most):.3f} at .95 by {most} repetitions, at most "
            f"{largest:.3f} (fewer repetitions, lower shares; the .json has them all). Shares are of what is "
            "answered; what is refused is not counted.",
        ]
    )


def main() -> None:
    """Run, and write benchmarks/results/validity_images.md and .json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=1000, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    rows = coverages(options.repetitions, options.seed)
    write("validity_images", circumstances("numpy", "scipy"), {"rows": rows}, report(rows))


if __name__ == "__main__":
    main()
