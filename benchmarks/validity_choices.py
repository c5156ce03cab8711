"""Is the score on the split left out fair, and does the interval of a choice's luck hold?
`python benchmarks/validity_choices.py`.

Of several candidates (configurations, or points of a search) the one with the highest mean over the splits is chosen.
In worlds whose truth is known, null ones first, where all candidates are equal: how far is its own mean above what it
is worth, how far is that of what the other splits choose, and how often does the interval of the difference hold the
expected luck? By the functions of the analysis. Half a minute on one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

import numpy as np
from machine import circumstances, write

from analysis.scores import ROUNDING, Floats
from analysis.statistics.luck_of_choice import LEAST_RATIO, Choice
from analysis.statistics.paired import nadeau_bengio_interval
from trainers.seeds import generator_for

NUM_SPLITS = (4, 8, 15, 30)
NUM_CANDIDATES = (2, 4, 12)
REPETITIONS = 4000
SD = 0.02
"""Of what differs from split to split within a candidate."""
Draw = Callable[[np.random.Generator, tuple[int, ...]], Floats]
"""Mean 0, variance 1."""


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return rng.standard_normal(shape)


def _beta(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return (rng.beta(19, 1, shape) - 0.95) / np.sqrt(19 / (400 * 21))


def _heavy(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return rng.standard_t(3, shape) / np.sqrt(3)


def _failing(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    values = 0.3 * rng.standard_normal(shape) - 3.0 * (rng.random(shape) < 0.05) + 0.15
    return values / np.sqrt(0.3**2 + 9 * 0.05 * 0.95)


def _two_modes(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return np.where(rng.random(shape) < 0.5, -1.0, 1.0) * np.sqrt(0.9) + np.sqrt(0.1) * rng.standard_normal(shape)


def _unequal(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """The last candidates scatter three times as much as the first."""
    return rng.standard_normal(shape) * np.linspace(0.5, 1.5, shape[-1])


def _overlapping(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Splits that share images: as correlated as Nadeau and Bengio assume, each candidate with the data set."""
    common = np.sqrt(LEAST_RATIO / (1 + LEAST_RATIO))
    of_data = rng.standard_normal((*shape[:-2], 1, shape[-1]))
    return np.asarray(common * of_data + np.sqrt(1 - common**2) * rng.standard_normal(shape))


@dataclass(frozen=True)
class World:
    """How scores come about."""

    name: str
    draw: Draw = _normal
    apart: float = 0.0
    """SD of the candidates' true means, in SDs; 0 is a null world."""
    num_seeds: int = 1
    unit: float = 0.0

    def scores(self, rng: np.random.Generator, shape: tuple[int, int, int]) -> tuple[Floats, Floats]:
        """Scores, repetition x split x candidate, and the true means of the candidates."""
        truth = 0.7 + SD * self.apart * rng.standard_normal((shape[0], 1, shape[2]))
        seeds = self.draw(rng, (self.num_seeds, *shape)).mean(axis=0)
        found = truth + 0.03 * rng.standard_normal((*shape[:2], 1)) + SD * seeds
        return np.round(found / self.unit) * self.unit if self.unit else found, truth[:, 0]


WORLDS = (
    World("null, normal"),
    World("null, near the ceiling (beta)", _beta),
    World("null, heavy tails (t, 3 df)", _heavy),
    World("null, one training in twenty fails", _failing),
    World("null, two modes", _two_modes),
    World("null, candidates scatter unequally", _unequal),
    World("null, three seeds", num_seeds=3),
    World("null, rounded to two digits", unit=0.01),
    World("candidates differ by 0.5 SD", apart=0.5),
    World("candidates differ by 1 SD, heavy tails", _heavy, apart=1.0),
    World("candidates differ by 3 SD", apart=3.0),
    World("null, splits share images: worth on other images", _overlapping),
)


@dataclass(frozen=True)
class Row:
    """How the rule does in one world. Biases are of the score, against what the choice is worth in truth."""

    world: str
    num_candidates: int
    num_splits: int
    bias: float
    """Of the mean over the very splits that choose."""
    left_out_bias: float
    left_out_error: float
    """Its Monte Carlo standard error."""
    coverage: float
    """Of the interval of the luck in the score: of its expectation, where an interval is given."""
    lead_coverage: float
    """Likewise of the luck in the lead over the second."""
    coverage_error: float
    """The larger one of both Monte Carlo standard errors."""
    given: float
    """Share of the repetitions in which the luck in the score has an interval."""


def measured(repetitions: int = REPETITIONS, num_splits: Iterable[int] = NUM_SPLITS) -> list[Row]:
    """A row for every world and number of candidates and splits."""
    numbers = list(num_splits)
    return [_row(world, c, s, repetitions) for world in WORLDS for c in NUM_CANDIDATES for s in numbers]


def _row(world: World, num_candidates: int, num_splits: int, repetitions: int) -> Row:
    rng = generator_for("validity of choices", world.name, num_candidates, num_splits)
    scores, truth = world.scores(rng, (repetitions, num_splits, num_candidates))
    choice, worth = Choice.by(scores), np.broadcast_to(truth[:, None], scores.shape)
    own, left_out = choice.of_all(scores), choice.of_others(scores)
    lead, left_out_lead = own - choice.of_all(scores, 1), left_out - choice.of_others(scores, 1)
    off = left_out.mean(axis=-1) - choice.of_others(worth).mean(axis=-1)
    coverages, given = zip(*(_covered(values) for values in (own - left_out, lead - left_out_lead)), strict=True)
    errors = [
        np.sqrt(max(c * (1 - c), 1 / repetitions) / max(g * repetitions, 1))
        for c, g in zip(coverages, given, strict=True)
    ]
    return Row(
        world.name,
        num_candidates,
        num_splits,
        bias=float((own - choice.of_all(worth)).mean()),
        left_out_bias=float(off.mean()),
        left_out_error=float(off.std(ddof=1) / np.sqrt(repetitions)),
        coverage=coverages[0],
        lead_coverage=coverages[1],
        coverage_error=float(max(errors)),
        given=given[0],
    )


def _covered(lucky: Floats) -> tuple[float, float]:
    """How often the interval holds the expectation, which all repetitions together tell; how often there is one."""
    differ = np.ptp(lucky, axis=-1) >= ROUNDING
    low, high = nadeau_bengio_interval(lucky[differ], LEAST_RATIO)
    truth = lucky.mean()
    return float(np.mean((low <= truth) & (truth <= high))), float(differ.mean())


def report(rows: list[Row]) -> str:
    """A Markdown table: a line for each world and number of candidates, a column for each number of splits."""
    numbers = list(dict.fromkeys(row.num_splits for row in rows))
    lines = [
        f"| world | candidates | {' | '.join(f'{number} splits' for number in numbers)} |",
        f"|---|---|{'---|' * len(numbers)}",
    ]
    for world, count in dict.fromkeys((row.world, row.num_candidates) for row in rows):
        cells = [_cell(row) for row in rows if (row.world, row.num_candidates) == (world, count)]
        lines.append(f"| {world} | {count} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(row: Row) -> str:
    return (
        f"{row.bias:+.4f}, {row.left_out_bias:+.4f} ± {row.left_out_error:.4f}; {row.coverage:.3f}, "
        f"{row.lead_coverage:.3f} ± {row.coverage_error:.3f} ({row.given:.0%})"
    )


HOW_TO_READ = (
    "In each cell: how far the mean of the choice over the very splits that choose is above what it is worth; the same "
    "of the mean over splits of what the other splits choose, ± its Monte Carlo error; how often the 95 % interval of "
    "the luck in the score, and of that in the lead over the second, holds the expected luck, ± the larger Monte Carlo "
    "error; in brackets how often there is an interval (none where every split gives the same). The last world is what "
    "is taken for granted: there each candidate suits the data set more or less, which splits of that data set cannot "
    f"show. A split's own scores have an SD of {SD:g}."
)


def main() -> None:
    """Simulate, and write benchmarks/results/validity_choices.md and .json."""
    parser = argparse.ArgumentParser(description="How much of a choice's score is luck: bias and coverage.")
    parser.add_argument("--repetitions", type=int, default=REPETITIONS, help="of each cell (default: %(default)s)")
    repetitions = parser.parse_args().repetitions
    rows, about = measured(repetitions), circumstances("numpy", "scipy")
    title = f"# How much of a choice's score is luck?\n\n{repetitions} repetitions of each cell."
    found = {"rows": [asdict(row) for row in rows]}
    write("validity_choices", about, found, f"{title}\n\n{report(rows)}\n\n{HOW_TO_READ}")


if __name__ == "__main__":
    main()
