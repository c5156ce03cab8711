"""What is a choice over splits worth, and how much of its score is luck? `python benchmarks/validity_choices.py`.

Of several candidates (configurations, or points of a search) the one with the highest mean over the splits is chosen.
In worlds whose truth is known, null ones first, where all candidates are equal: is the score on the split left out
fair, does the interval of the optimism hold, and how near to the luck in one study does an estimate come? By the
functions of the analysis. A minute on one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

import numpy as np
from machine import circumstances, write

from analysis.scores import ROUNDING, Floats
from analysis.statistics.luck_of_choice import LEAST_RATIO, Choice, luck_in_lead
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
    groups: float = 0.0
    """So many SDs the second half of the candidates is above the first."""
    ratio: float = 0.0
    """Images tested over images left to training, where splits share some."""

    def scores(self, rng: np.random.Generator, shape: tuple[int, int, int]) -> tuple[Floats, Floats]:
        """Scores, repetition x split x candidate, and the true means of the candidates."""
        above = self.groups * (np.arange(shape[2]) >= shape[2] / 2)
        truth = 0.7 + SD * (self.apart * rng.standard_normal((shape[0], 1, shape[2])) + above)
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
    World("two groups of equal candidates", groups=5.0),
    World("null, splits share images: worth on other images", _overlapping, ratio=LEAST_RATIO),
    World("differ by 1 SD, splits share images: worth on other images", _overlapping, apart=1.0, ratio=LEAST_RATIO),
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
    """Of the interval of the optimism: of its expectation, where an interval is given."""
    coverage_error: float
    given: float
    """Share of the repetitions in which the optimism has an interval."""
    lead_luck: float
    """In truth, of the lead over the second; mean."""
    lead_bias: float
    """Of `luck_in_lead`."""
    lead_rmse: float
    """Root mean square of what it is off, study by study."""
    lead_rmse_left_out: float
    """Likewise of the lead less that of what the others choose, on the splits left out."""
    lead_rmse_of_none: float
    """Likewise if there were no luck."""


def measured(repetitions: int = REPETITIONS, num_splits: Iterable[int] = NUM_SPLITS) -> list[Row]:
    """A row for every world and number of candidates and splits."""
    numbers = list(num_splits)
    return [_row(world, c, s, repetitions) for world in WORLDS for c in NUM_CANDIDATES for s in numbers]


def _row(world: World, num_candidates: int, num_splits: int, repetitions: int) -> Row:
    rng = generator_for("validity of choices", world.name, num_candidates, num_splits)
    scores, truth = world.scores(rng, (repetitions, num_splits, num_candidates))
    choice, worth = Choice.by(scores), np.broadcast_to(truth[:, None], scores.shape)
    own, left_out = choice.of_all(scores), choice.of_others(scores)
    off = left_out.mean(axis=-1) - choice.of_others(worth).mean(axis=-1)
    coverage, given = _covered(own - left_out)
    return Row(
        world.name,
        num_candidates,
        num_splits,
        bias=float((own - choice.of_all(worth)).mean()),
        left_out_bias=float(off.mean()),
        left_out_error=float(off.std(ddof=1) / np.sqrt(repetitions)),
        coverage=coverage,
        coverage_error=float(np.sqrt(max(coverage * (1 - coverage), 1 / repetitions) / max(given * repetitions, 1))),
        given=given,
        **_of_one_study(scores, worth, choice, world.ratio),
    )


def _of_one_study(scores: Floats, worth: Floats, choice: Choice, ratio: float) -> dict[str, float]:
    """How far estimates of the luck in the lead are off, study by study."""
    leads, true_leads = (choice.of_all(each) - choice.of_all(each, 1) for each in (scores, worth))
    left_out = choice.of_others(scores) - choice.of_others(scores, 1)
    luck, found = (leads - true_leads).mean(axis=-1), luck_in_lead(leads, ratio)
    off = {"": found - luck, "_left_out": (leads - left_out).mean(axis=-1) - luck, "_of_none": luck}
    errors = {f"lead_rmse{name}": float(np.sqrt((each**2).mean())) for name, each in off.items()}
    return {"lead_luck": float(luck.mean()), "lead_bias": float((found - luck).mean()), **errors}


def _covered(beyond: Floats) -> tuple[float, float]:
    """How often the interval holds the expectation, which all repetitions together tell; how often there is one."""
    differ = np.ptp(beyond, axis=-1) >= ROUNDING
    if not differ.any():
        return float("nan"), 0.0
    low, high = nadeau_bengio_interval(beyond[differ], LEAST_RATIO)
    truth = beyond.mean()
    return float(np.mean((low <= truth) & (truth <= high))), float(differ.mean())


def report(rows: list[Row], cell: Callable[[Row], str]) -> str:
    """A Markdown table: a line for each world and number of candidates, a column for each number of splits."""
    numbers = list(dict.fromkeys(row.num_splits for row in rows))
    lines = [
        f"| world | candidates | {' | '.join(f'{number} splits' for number in numbers)} |",
        f"|---|---|{'---|' * len(numbers)}",
    ]
    for world, count in dict.fromkeys((row.world, row.num_candidates) for row in rows):
        cells = [cell(row) for row in rows if (row.world, row.num_candidates) == (world, count)]
        lines.append(f"| {world} | {count} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _of_rule(row: Row) -> str:
    held = f"{row.coverage:.3f} ± {row.coverage_error:.3f} ({row.given:.0%})" if row.given else "no interval"
    return f"{row.bias:+.4f}, {row.left_out_bias:+.4f} ± {row.left_out_error:.4f}; {held}"


def _of_lead(row: Row) -> str:
    return (
        f"{row.lead_luck:+.4f} ({row.lead_bias:+.4f}); {row.lead_rmse:.4f}, {row.lead_rmse_left_out:.4f}, "
        f"{row.lead_rmse_of_none:.4f}"
    )


TABLES = {
    "The rule": (
        _of_rule,
        "In each cell: how far the mean of the choice over the very splits that choose is above what it is worth; the "
        "same of the mean over splits of what the other splits choose, ± its Monte Carlo error; how often the 95 % "
        "interval of the optimism holds its expectation, ± that; in brackets how often there is one (none where every "
        "split gives the same). On other images, which no split of these can show, what the others choose is "
        "flattered, too: the last two worlds are what is taken for granted.",
    ),
    "The luck in one study's lead": (
        _of_lead,
        "In each cell: the luck in the lead over the second, and in brackets the bias of its estimate by shrinkage; "
        "then how far off, study by study (root mean square), the estimate is by shrinkage, by leaving out one split "
        "at a time, and with none at all.",
    ),
}


def main() -> None:
    """Simulate, and write benchmarks/results/validity_choices.md and .json."""
    parser = argparse.ArgumentParser(description="How much of a choice's score is luck: bias, coverage, error.")
    parser.add_argument("--repetitions", type=int, default=REPETITIONS, help="of each cell (default: %(default)s)")
    repetitions = parser.parse_args().repetitions
    rows, about = measured(repetitions), circumstances("numpy", "scipy")
    title = f"# How much of a choice's score is luck?\n\n{repetitions} repetitions of each cell; a split's own score "
    title += f"of a candidate has an SD of {SD:g}."
    parts = [f"## {name}\n\n{how}\n\n{report(rows, cell)}" for name, (cell, how) in TABLES.items()]
    write("validity_choices", about, {"rows": [asdict(row) for row in rows]}, "\n\n".join([title, *parts]))


if __name__ == "__main__":
    main()
