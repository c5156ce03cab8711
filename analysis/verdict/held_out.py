"""What the verdict says of held-out splits: how far scores drop there, and how far training's own chance moves them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from analysis.answer import Finding
from analysis.axes import HeldOut
from analysis.classes import MACRO, is_object
from analysis.scores import KINDS, ROUNDING, Scores, by_split, configuration_name, count_of
from analysis.statistics.bounds import NOISE_OF_HELD_OUT
from analysis.statistics.comparison import random_against_held_out
from analysis.statistics.ranks import worst_of_columns
from analysis.statistics.seeds_and_rounding import one_seed_held_out
from analysis.statistics.spread import Refusal
from trainers.printable import in_percent

LIKE_SIZES = 0.02
"""Numbers of images that differ by less, in parts of the one, are taken as alike."""


def does_it_hold(scores: Scores, table: pd.DataFrame, macro: pd.DataFrame) -> Finding | None:
    """`table` has held-out splits of one axis at most; `macro` is its spread, the rows for the mean of classes."""
    if not set(KINDS) <= set(table["split_kind"]):
        return None
    held_out, tests = HeldOut.of(table), random_against_held_out(table)
    p = {(row.model, row.loss): _p_of_mean(row) for row in tests.itertuples() if row.model}
    points = [
        f"{configuration_name(row)}: {row.mean:.3f} on random, {row.held_out_mean:.3f} on {held_out.split}s; "
        f"{_changed(row, p[row.model, row.loss])}."
        for row in macro.dropna(subset="gap").itertuples()
    ]
    if macro["gap_low"].notna().any() and one_seed_held_out(table):
        points.append(
            f"These intervals assume that a training on a {held_out.split} scatters at most {NOISE_OF_HELD_OUT:g} "
            "times as much as one on a random split; the p-values assume that it scatters equally. So an interval "
            "can reach 0 although p is small. A second seed of every split would measure that scatter."
        )
    points += [_over_all(tests, held_out), *_sizes(scores, table, held_out), *_where_the_lowest_lie(table, held_out)]
    if scores.one_division:
        points.append(
            "The random splits are one division of the images: how easy its test images happen to be is part of these "
            "differences, and no interval or p-value here allows for that."
        )
    return Finding(f"Does it hold on {held_out.samples}?", tuple(points))


def gaps_in_short(macro: pd.DataFrame, table: pd.DataFrame, metric: str) -> str:
    """How far the mean of classes drops, over all configurations, in one sentence with the test of all together.

    :param metric: in words.
    """
    held_out, rows = HeldOut.of(table), macro.dropna(subset="gap")
    worse, better = rows[rows["gap"] > ROUNDING], rows[rows["gap"] <= ROUNDING]
    tests = random_against_held_out(table)
    of_all = next(tests[tests["model"] == ""].itertuples())
    if len(rows) == 1:
        (row,) = rows.itertuples()
        return f"On {held_out.samples}, the mean {metric} {_from_to(row, _p(_p_of_mean(of_all)))}."
    which_scores = ", by the columns that have a score on every split" * bool(of_all.num_left_out)
    p = _p(of_all.p)
    all_together = f" (all together{which_scores}: {p})" if p else " (so few splits cannot tell that from chance)"
    if better.empty:
        by = _range(worse["gap"])
        which = "both" if len(rows) == 2 else f"all {len(rows)}"
        return f"On {held_out.samples}, the mean {metric} drops in {which} configurations, by {by}{all_together}."
    largest = "".join(
        f"; the largest drop is that of {configuration_name(row)}: {_from_to(row, '').removeprefix('drops ')}"
        for row in worse.nlargest(1, "gap").itertuples()
    )
    if worse.empty:
        which = "either configuration" if len(rows) == 2 else f"any of {len(rows)} configurations"
        return f"On {held_out.samples}, the mean {metric} does not drop in {which}{all_together}."
    dropping = f"{len(worse)} of {len(rows)} configurations{all_together}"
    return f"On {held_out.samples}, the mean {metric} drops in {dropping}{largest}."


def own_chance(scores: Scores, table: pd.DataFrame) -> list[str]:
    """The sentence on splits that test the same images and train on as many others: what their scores differ by is the
    training's own chance. Nothing where there are none.

    :param table: the scores of all splits under one averaging.
    """
    macro = by_split(table).xs(MACRO, level="class").droplevel("averaging").droplevel("split_kind", axis=1)
    found = []
    for model, loss, splits in alike(scores):
        values = macro.loc[(model, loss)].reindex(splits).dropna()
        if len(values) > 1:
            found.append((np.ptp(values), f"{model} {loss}", values))
    if not found:
        return []
    apart, name, values = max(found, key=lambda each: each[0])
    listed = ", ".join(f"{value:.2f} on {split}" for split, value in values.items())
    return [
        f"Training's own chance moves the mean {scores.metric.in_words} by {apart:.2f}: that is how far splits differ "
        f"that test the same images and train on equally many others ({name}: {listed}). Compare every drop and "
        "difference with that."
    ]


def alike(scores: Scores) -> Iterator[tuple[str, str, list[str]]]:
    """Model, loss, and two or more splits that test the same images and train on as many others."""
    if scores.facts is None or scores.simulated:
        return
    splits: dict[tuple[Any, ...], list[str]] = {}
    for each in scores.facts.test_images:
        split = str(each.factors["split"])
        key = each.factors["model"], each.factors["loss"], frozenset(each.images), scores.num_train.get(split)
        splits.setdefault(key, []).append(split)
    for (model, loss, _, _), names in splits.items():
        if len(different := list(dict.fromkeys(names))) > 1:
            yield str(model), str(loss), different


def _changed(row: Any, p: float) -> str:
    """e.g. `it drops by 0.093 (95 % interval 0.011 to 0.175; exact one-sided permutation p = 0.006)`."""
    behind = "; ".join(filter(None, [_interval(row, 3), _p(p)]))
    moved = "stays as it is" if abs(row.gap) < ROUNDING else f"{_verb(row)} by {abs(row.gap):.3f}"
    return f"it {moved}{f' ({behind})' * bool(behind)}"


def _from_to(row: Any, p: str) -> str:
    """e.g. `drops from 0.24 to 0.14 (by 0.09; 95 % interval 0.01 to 0.18)`."""
    if abs(row.gap) < ROUNDING:
        behind = "; ".join(filter(None, [_interval(row, 2), p]))
        return f"stays at {row.mean:.2f}{f' ({behind})' * bool(behind)}"
    parts = "; ".join(filter(None, [f"by {abs(row.gap):.2f}", _interval(row, 2), p]))
    if f"{row.mean:.2f}" == f"{row.held_out_mean:.2f}":
        return f"stays at {row.mean:.2f} ({_verb(row)} {parts})"
    return f"{_verb(row)} from {row.mean:.2f} to {row.held_out_mean:.2f} ({parts})"


def _p(value: float) -> str:
    return "" if np.isnan(value) else f"exact one-sided permutation p = {value:.2g}"


def _p_of_mean(test: Any) -> float:
    """Of a row of `random_against_held_out`; NaN where it left columns out, and so is not of the mean of classes."""
    return float("nan") if test.num_left_out else float(test.p)


def _verb(row: Any) -> str:
    return "drops" if row.gap > 0 else "rises"


def _interval(row: Any, decimals: int) -> str:
    if np.isnan(row.gap_low):
        return ""
    low, high = sorted((row.gap_low, row.gap_high) if row.gap > 0 else (-row.gap_low, -row.gap_high))
    return f"95 % interval {low:z.{decimals}f} to {high:z.{decimals}f}"


def _range(values: pd.Series[float]) -> str:
    low, high = f"{values.min():.2f}", f"{values.max():.2f}"
    return low if low == high else f"{low} to {high}"


def _over_all(tests: pd.DataFrame, held_out: HeldOut) -> str:
    """:param tests: of `random_against_held_out`."""
    overall = tests[tests["model"] == ""].iloc[0]
    over = "Over all configurations and classes"
    if overall["num_left_out"]:
        left_out = count_of(int(overall["num_left_out"]), "columns")
        over += f" that have a score on every split ({left_out} left out)"
    if np.isnan(overall["difference"]):
        return f"{over}: {overall['note']}."
    moved = f"{over}, {held_out.split}s score {_lower_or_higher(overall['difference'])} random ones"
    if overall["note"]:
        return f"{moved}; {overall['note']}."
    return (
        f"{moved}; {_p(overall['p'])}: if these splits were like random ones in every respect, they would score this "
        f"low, or lower, in {in_percent(overall['p'], 1)} of cases."
    )


def _lower_or_higher(difference: float) -> str:
    if abs(difference) < ROUNDING:
        return "the same as"
    return f"{abs(difference):.3f} {'lower' if difference > 0 else 'higher'} than"


def _sizes(scores: Scores, table: pd.DataFrame, held_out: HeldOut) -> list[str]:
    """The sentence on training sizes, where held-out splits train on fewer or more images than random ones."""
    splits = table.drop_duplicates("split").set_index("split")["split_kind"]
    known = [[scores.num_train.get(str(s)) for s in splits.index[splits == kind]] for kind in KINDS]
    if any(number is None for numbers in known for number in numbers):
        return []
    random, others = (float(np.mean(np.array(numbers, float))) for numbers in known)
    if abs(random - others) < LIKE_SIZES * random:
        return []
    return [
        f"Part of that may be due to the number of images: {held_out.split}s train on {others:.0f} on average, random "
        f"ones on {random:.0f}. Splits of the kind `matched` tell the two apart."
    ]


def _where_the_lowest_lie(table: pd.DataFrame, held_out: HeldOut) -> list[str]:
    """In how many columns (a class of a configuration) the lowest score is on a held-out split. Columns that are the
    same on every split do not count, and one column alone is no share."""
    objects = table[is_object(table["class"])].dropna(subset="dice")
    if objects.empty:
        return []
    worst = worst_of_columns(objects)
    columns = worst.columns[worst.columns["splits"].map(len) < len(worst.splits)]
    shares = columns["held_out_share"]
    if len(columns) < 2:
        return []
    whole, shared = int((shares == 1).sum()), int(shares.between(0, 1, inclusive="neither").sum())
    ties = f", and in {shared} more on a {held_out.split} and a random split alike" * bool(shared)
    in_part = ", ties counted in part" * bool(shared)
    p = "" if isinstance(worst.p, Refusal) else f" ({_p(worst.p)})"
    return [
        f"In {whole} of {len(columns)} columns (a class of a configuration) the lowest score is on a {held_out.split}"
        f"{ties}: {in_percent(shares.mean())}{in_part}, where chance gives {in_percent(worst.chance)}{p}."
    ]
