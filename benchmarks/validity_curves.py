"""How often do the intervals of learning curves and divided gaps hold what is true?
`python benchmarks/validity_curves.py`.

Scores are drawn in worlds whose truth is known, the procedures of the analysis answer, and it is counted how often
their 95 % intervals cover. Every draw is seeded by what it is for. A few minutes on one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
from machine import circumstances, write

from analysis.scores import Floats
from analysis.statistics.learning_curve import FARTHEST, Rise, rise
from analysis.statistics.shift import divided_gap
from trainers.seeds import generator_for

NUM_SPLITS = (4, 8, 15)
REPETITIONS = 2000
SHARES = np.array([0.25, 0.5, 1.0])
TEST_TO_TRAIN = 0.25
NUM_HELD_OUT = 3

Errors = Callable[[np.random.Generator, int], Floats]
"""Errors, 1 - Dice, of so many splits at SHARES, shape (S, K)."""
Groups = tuple[Floats, Floats, Floats]
"""Scores on random, matched and held-out splits, each split x seed."""


@dataclass(frozen=True)
class Row:
    """How one interval does in one world."""

    interval: str
    world: str
    procedure: str
    num_splits: int
    coverage: float
    """Of the intervals that are given."""
    error: float
    """Of the coverage: its Monte Carlo standard error."""
    given: float
    """Share of the repetitions in which there is an interval, and no refusal."""
    width: float
    """Mean, of those that are given."""


@dataclass(frozen=True)
class Curve:
    """A world of learning curves: what the mean error is, and how scores lie around it."""

    name: str
    mean: Callable[[Floats], Floats]
    """Of the share of the training images."""
    around: Callable[[np.random.Generator, Floats], Floats]
    """Means, shape (S, K) -> errors."""

    @property
    def rise(self) -> float:
        """The true one, to FARTHEST times the images."""
        before, after = self.mean(np.array([1.0, FARTHEST]))
        return float(before - after)


def power(a: float, b: float, c: float, share: Floats) -> Floats:
    return np.asarray(a + b * share**-c)


def normal(draws: np.random.Generator, mean_SK: Floats, sd_K: Floats | float = 0.02) -> Floats:
    of_split = 0.03 * draws.standard_normal((len(mean_SK), 1))
    return np.asarray(mean_SK + of_split + sd_K * draws.standard_normal(mean_SK.shape))


def heavy(draws: np.random.Generator, mean_SK: Floats) -> Floats:
    return np.asarray(mean_SK + 0.02 * draws.standard_t(3, mean_SK.shape) / np.sqrt(3))


def beta(draws: np.random.Generator, mean_SK: Floats) -> Floats:
    return draws.beta(40 * mean_SK, 40 * (1 - mean_SK))


def collapsing(draws: np.random.Generator, mean_SK: Floats) -> Floats:
    """Now and then a training fails."""
    collapsed = draws.random(mean_SK.shape) < 0.05
    errors = normal(draws, mean_SK) + 0.2 * (collapsed - 0.05)
    return np.asarray(errors)


def _overlapping(draws: np.random.Generator, mean_SK: Floats) -> Floats:
    """Splits that share a data set, of which the truth is not: as correlated as Nadeau and Bengio assume."""
    common = np.sqrt(TEST_TO_TRAIN / (1 + TEST_TO_TRAIN))
    of_data = draws.standard_normal((1, mean_SK.shape[1]))
    own = draws.standard_normal(mean_SK.shape)
    return np.asarray(mean_SK + 0.02 * (common * of_data + np.sqrt(1 - common**2) * own))


def _exponential(share: Floats) -> Floats:
    return np.asarray(0.1 + 0.3 * np.exp(-2 * share))


CURVES = (
    Curve("normal, c = 0.5", partial(power, 0.1, 0.15, 0.5), normal),
    Curve("normal, c = 0.1", partial(power, 0.0, 0.25, 0.1), normal),
    Curve("normal, c = 2", partial(power, 0.2, 0.02, 2.0), normal),
    Curve("beta near 1, c = 0.5", partial(power, 0.02, 0.04, 0.5), beta),
    Curve("heavy tails (t3), c = 0.5", partial(power, 0.1, 0.15, 0.5), heavy),
    Curve("spread 1 / share, c = 0.5", partial(power, 0.1, 0.15, 0.5), partial(normal, sd_K=0.01 / SHARES)),
    Curve("5 % of trainings collapse, c = 0.5", partial(power, 0.1, 0.15, 0.5), collapsing),
    Curve("splits overlap, c = 0.5", partial(power, 0.1, 0.15, 0.5), _overlapping),
    Curve("no power law: exponential", _exponential, normal),
)


def _of_rise(world: Curve, num_splits: int, test_to_train: float, repetitions: int) -> Row:
    procedure = "for overlapping splits" if test_to_train else "for independent splits"
    draws = generator_for("validity of rises", world.name, num_splits)
    mean_SK = np.tile(world.mean(SHARES), (num_splits, 1))
    numbers_SK = np.tile(400 * SHARES, (num_splits, 1))
    found = []
    for _ in range(repetitions):
        scores_SK = np.clip(1 - world.around(draws, mean_SK), 0, 1)
        each = rise(numbers_SK, scores_SK, FARTHEST, test_to_train)
        found += [(each.low, each.high)] if isinstance(each, Rise) else []
    return row_of("rise", world.name, procedure, num_splits, found, world.rise, repetitions)


def _normal_groups(
    draws: np.random.Generator,
    num_splits: int,
    num_seeds: int,
    held_out: float = 1.0,
    matched: float = 1.0,
    number: int = NUM_HELD_OUT,
) -> Groups:
    """Each draw of a split moves a score by SD 0.03, each training by 0.02; of others so many times as much."""

    def group(mean: float, number: int, drawn: float, trained: float) -> Floats:
        of_split = drawn * draws.standard_normal((number, 1))
        return np.asarray(mean + of_split + trained * draws.standard_normal((number, num_seeds)))

    random = group(MEANS[0], num_splits, 0.03, 0.02)
    of_matched = group(MEANS[1], number, 0.03 * matched, 0.02 * matched)
    return random, of_matched, group(MEANS[2], number, 0.0, 0.02 * held_out)


def _heavy_groups(draws: np.random.Generator, num_splits: int, num_seeds: int) -> Groups:
    def group(mean: float, number: int, drawn: float) -> Floats:
        of_split = drawn * draws.standard_t(3, (number, 1)) / np.sqrt(3)
        return np.asarray(mean + of_split + 0.02 * draws.standard_t(3, (number, num_seeds)) / np.sqrt(3))

    return group(MEANS[0], num_splits, 0.03), group(MEANS[1], NUM_HELD_OUT, 0.03), group(MEANS[2], NUM_HELD_OUT, 0.0)


def _beta_groups(draws: np.random.Generator, num_splits: int, num_seeds: int) -> Groups:
    def group(mean: float, number: int, *, is_drawn: bool = True) -> Floats:
        of_split = draws.beta(60 * mean, 60 * (1 - mean), (number, 1)) if is_drawn else np.full((number, 1), mean)
        of_split = np.clip(of_split, 1e-6, 1 - 1e-6)
        return draws.beta(100 * of_split, 100 * (1 - of_split), (number, num_seeds))

    return group(0.96, num_splits), group(0.95, NUM_HELD_OUT), group(0.93, NUM_HELD_OUT, is_drawn=False)


MEANS = 0.80, 0.77, 0.70
GAPS: dict[str, tuple[Callable[[np.random.Generator, int, int], Groups], tuple[float, float, float]]] = {
    "normal": (_normal_groups, MEANS),
    "beta near 1": (_beta_groups, (0.96, 0.95, 0.93)),
    "heavy tails (t3)": (_heavy_groups, MEANS),
    "held-out trainings vary 3 times as much": (partial(_normal_groups, held_out=3.0), MEANS),
    "matched splits vary 1.5 times as much": (partial(_normal_groups, matched=1.5), MEANS),
    "two held out, normal": (partial(_normal_groups, number=2), MEANS),
    "two held out, whose trainings vary 3 times as much": (partial(_normal_groups, held_out=3.0, number=2), MEANS),
    "two held out, matched ones vary 1.5 times as much": (partial(_normal_groups, matched=1.5, number=2), MEANS),
}
"""World -> its scores, and the true means on random, matched and held-out splits."""


def _of_gap(world: str, num_splits: int, num_seeds: int, repetitions: int) -> list[Row]:
    made, (random, matched, held_out) = GAPS[world]
    draws = generator_for("validity of divided gaps", world, num_splits, num_seeds)
    truth = {"fewer_images": random - matched, "shift": matched - held_out}
    found: dict[str, list[tuple[float, float]]] = {part: [] for part in truth}
    for _ in range(repetitions):
        parts = divided_gap(*made(draws, num_splits, num_seeds))
        if isinstance(parts, dict):
            for name, part in parts.items():
                found[name].append((part.low, part.high))
    procedure = "1 seed" if num_seeds == 1 else f"{num_seeds} seeds"
    return [row_of(name, world, procedure, num_splits, found[name], truth[name], repetitions) for name in truth]


def row_of(
    interval: str,
    world: str,
    procedure: str,
    num_splits: int,
    found: Iterable[tuple[float, float]],
    truth: float,
    repetitions: int,
) -> Row:
    low, high = np.array(list(found) or [(np.nan, np.nan)]).T
    given = float(np.isfinite(low).sum())
    coverage = float(((low <= truth) & (truth <= high)).sum() / given) if given else float("nan")
    error = float(np.sqrt(coverage * (1 - coverage) / given)) if given else float("nan")
    width = float(np.mean(high - low))
    return Row(interval, world, procedure, num_splits, coverage, error, given / repetitions, width)


def coverages(repetitions: int = REPETITIONS, num_splits: Iterable[int] = NUM_SPLITS) -> list[Row]:
    """A row for every interval, world, procedure and number of random splits."""
    rows = []
    for number in num_splits:
        for world in CURVES:
            rows += [_of_rise(world, number, ratio, repetitions) for ratio in (0.0, TEST_TO_TRAIN)]
        for name in GAPS:
            rows += [row for seeds in (1, 2) for row in _of_gap(name, number, seeds, repetitions)]
    return sorted(rows, key=lambda row: (row.interval != "rise", row.interval))


def in_markdown(rows: Iterable[Row]) -> str:
    """One line for each interval, world and procedure, the numbers of splits side by side."""
    by_line: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        by_line.setdefault((row.interval, row.world, row.procedure), []).append(row)
    first = next(iter(by_line.values()))
    lines = [
        f"| interval | world | | {' | '.join(f'{row.num_splits} splits' for row in first)} |",
        f"|---|---|---|{'---|' * len(first)}",
    ]
    for (interval, world, procedure), of_line in by_line.items():
        lines.append(f"| {interval} | {world} | {procedure} | {' | '.join(map(_cell, of_line))} |")
    return "\n".join(lines)


def _cell(row: Row) -> str:
    return f"{row.coverage:.3f} ± {row.error:.3f} ({row.given:.0%}, {row.width:.3f})" if row.given else "refused"


def main() -> None:
    """Simulate, and write benchmarks/results/validity_curves.md and .json."""
    parser = argparse.ArgumentParser(description="Coverage of the intervals of learning curves and divided gaps.")
    parser.add_argument("--repetitions", type=int, default=REPETITIONS, help="of each row (default: %(default)s)")
    options = parser.parse_args()
    rows, about = coverages(options.repetitions), circumstances("numpy", "scipy")
    text = (
        f"# Do the intervals cover?\n\nCoverage of the 95 % intervals ± its Monte Carlo error, {options.repetitions} "
        "repetitions each; in brackets the share of repetitions that have an interval and no refusal, and its mean "
        f"width.\n\n{in_markdown(rows)}"
    )
    write("validity_curves", about, {"rows": [asdict(row) for row in rows]}, text)


if __name__ == "__main__":
    main()
