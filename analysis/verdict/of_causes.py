"""What the verdict says of the causes of the spread, of what to add next, and of the luck in a tuned score."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from analysis.answer import Finding
from analysis.classes import MACRO
from analysis.scores import Scores, capitalised, configuration_name, count_of
from analysis.shown import shown_of
from analysis.statistics import lacking
from analysis.statistics.causes import causes_of_spread
from analysis.statistics.luck import luck
from analysis.statistics.material import Material
from analysis.statistics.purchases import IMAGES, NOW, SEED, SPLIT, purchases
from analysis.verdict.of_choices import luck_of_common_points
from trainers.printable import in_percent

CAUSES = "What is the spread made of, and what should be added next?"
ASSUMED = (
    "These intervals allow for scores with heavy tails, but not for the case that one training in twenty fails "
    "outright: so few trainings cannot show how often that happens."
)
WORTH_SAYING = 0.05
"""Of the test images' share of the variance."""
LUCK = "How much of the tuned score is luck?"


def spread_and_luck(scores: Scores, averaging: str) -> Iterator[Finding]:
    """Nothing of a spread with one seed a split, nothing of luck without a search."""
    material = Material(scores)
    table = material.table[material.table["averaging"] == averaging]
    if not lacking.two_seeds(material) and (points := tuple(_causes(material, table))):
        yield Finding(CAUSES, points)
    if scores.facts is not None and not lacking.searched(material) and (points := tuple(_luck(material))):
        yield Finding(LUCK, points)


def _causes(material: Material, table: pd.DataFrame) -> Iterator[str]:
    """A sentence for each configuration that is shown, and what the intervals assume."""
    found = causes_of_spread(table[table["split_kind"] == "random"], material.image_parts)
    offers = purchases(table, material.image_parts)
    for row in found[found["class"] == MACRO].itertuples():
        if (row.model, row.loss) not in material.shown:
            continue
        name = configuration_name(row)
        if np.isnan(row.sd):
            yield f"{name}: {row.note}."
            continue
        own = offers[(offers["model"] == row.model) & (offers["loss"] == row.loss)].set_index("purchase")
        yield f"{name}: {_made_of(row)} {_next(own, row)}"
    if found["sd"].notna().any():
        yield ASSUMED


def _made_of(row: pd.Series[float]) -> str:
    """Of the variance: the split's share, training chance, and the test images' part of the split."""
    share, low, high = map(in_percent, (row.share_split, row.share_split_low, row.share_split_high))
    told = (
        f"by estimate {share} of the variance of one training's score is due to the split (95 % interval {low} to "
        f"{high}), the rest to training's own chance."
    )
    if not row.share_images >= WORTH_SAYING:
        return told
    alone = in_percent(row.share_images)
    return (
        f"{told} The test images alone make up {alone} of the variance: only more test images would shrink that part."
    )


def _next(offers: pd.DataFrame, row: pd.Series[float]) -> str:
    """The mean's standard error as it is, and after each purchase."""
    se, gained = offers["se"], offers["gain_per_trial"]
    splits, seeds = int(row.num_splits), int(row.num_seeds)
    split = f"one more random split with {count_of(seeds, 'seeds')} ({seeds} trials) would make that {se[SPLIT]:.3f}"
    seed = f"one more seed on each split ({splits} trials) {se[SEED]:.3f}"
    best = "the split" if gained[SPLIT] >= gained[SEED] else "the seed"
    told = (
        f"The mean's standard error is {se[NOW]:.3f} for other random splits of these images; {split}, {seed}: per "
        f"trial, {best} gains more."
    )
    if not row.share_images >= WORTH_SAYING:
        return told
    elsewhere = offers["se_elsewhere"]
    return (
        f"{told} For other images like these it is {elsewhere[NOW]:.3f} or more, and twice the images would make that "
        f"{elsewhere[IMAGES]:.3f}."
    )


def _luck(material: Material) -> Iterator[str]:
    if lacking.same_metric(material):
        return
    shown = shown_of(material.scores.table)
    found = luck(material.runs, material.startup, material.scores.test_to_train, material.within)
    for row in found[found["num_cells"] > 0].itertuples():
        if (row.model, row.loss) not in shown:
            continue
        interval = "" if np.isnan(row.low) else f" (95 % interval {row.low:+.3f} to {row.high:+.3f})"
        told = (
            f"{configuration_name(row)}: the chosen trials have {row.validation:.3f} on validation images and "
            f"{row.test:.3f} on test images, which is {_lower(row.lost)}; the default ones, which nothing chose, are "
            f"{_lower(row.lost_by_default)} there. "
            f"The difference, {row.luck:+.3f}{interval}, is what being chosen as the highest adds to a score."
        )
        open_ = " It may be nothing." * (row.low <= 0 <= row.high)
        yield told + open_ + f" {capitalised(row.note)}." * bool(row.note) + _of_choices(row)
    yield from luck_of_common_points(material)


def _lower(difference: float) -> str:
    return f"{abs(difference):.3f} {'lower' if difference >= 0 else 'higher'}"


def _of_choices(row: pd.Series[float]) -> str:
    if np.isnan(row.share_best):
        return ""
    return (
        f" Of {row.num_points:.0f} points that all cells tried, the best by validation is the best on test in "
        f"{100 * row.share_best:.0f} % of the cells (by chance {100 * row.share_best_by_chance:.0f} %)."
    )
