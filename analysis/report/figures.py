"""The figures of scores, each one panel, a matplotlib Figure of its own.

`table` is the table of scores that `analysis.scores` describes. Random splits are dots, held-out splits are their
numbers; what is below a split's number of values (four, for an interval) is not drawn. Names come from users' folders
and are printed as they are.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.axes import HeldOut, in_words, kinds_of, of_kind_and_axis
from analysis.classes import MACRO, NOT_OBJECTS, is_object
from analysis.report.class_rows import class_rows, height_of_rows
from analysis.report.drawing import (
    LEGEND_ROW,
    ROW,
    SMALL,
    WIDTH,
    bare,
    empty_panel,
    heat_cell,
    height_above,
    line_of,
    names_above,
    plain_text,
    sides_below,
    slant,
)
from analysis.report.svg import FAINT, INK
from analysis.scores import CONFIGURATION, HELD_OUT, RANDOM, Floats, by_split, of_configuration, of_kind
from analysis.shown import MOST_CLASSES
from analysis.statistics.paired import compare
from analysis.statistics.ranks import configuration_ranks
from analysis.statistics.spread import spread
from analysis.tables import worst
from trainers.data.class_names import BACKGROUNDS
from trainers.dice import ALL


def heat_map(frame: pd.DataFrame, averaging: str) -> Figure:
    """Dice by split (rows) and class (columns), the worst of each class outlined and bold; where there are more than
    MOST_CLASSES, a class is a row and a split a column.

    :param frame: one of the frames of `analysis.tables.tables`.
    """
    values = frame[averaging]
    names = [*(n for n in values.columns if n not in NOT_OBJECTS), *(n for n in NOT_OBJECTS if n in values.columns)]
    values, marks = values[names], worst(values[names], 2)
    down = _with_gaps([frame.attrs.get("kinds", {}).get(split, (RANDOM, "")) for split in values.index])
    across = _with_gaps([name in NOT_OBJECTS for name in names])
    if sum(name not in NOT_OBJECTS for name in names) > MOST_CLASSES:
        values, marks, down, across = values.T, marks.T, across, down
    columns = _plain(values.columns)
    figure, axes = empty_panel(ROW * (len(values) + 1) + height_above(columns), max(WIDTH, 1.2 + 0.45 * len(columns)))
    for (row, column), value in np.ndenumerate(values.to_numpy(float)):
        heat_cell(axes, across[column], down[row], value, f"{value:.2f}", value, bool(marks.iloc[row, column]))
    axes.set(xlim=(-0.5, across[-1] + 0.5), ylim=(down[-1] + 0.5, -0.5), xticks=across, yticks=down)
    axes.set_yticklabels(_plain(values.index))
    names_above(axes, columns)
    bare(axes)
    return figure


def dots(
    table: pd.DataFrame,
    model: str,
    loss: str,
    averaging: str,
    classes: Collection[str] | None = None,
    *,
    metric: str = "Dice",
) -> Figure:
    """Every random split a dot, every held-out split its number; the mean of the random ones with its 95 % interval.

    :param classes: the classes to be drawn; None draws all.
    """
    ours = _of(table, model, loss, averaging)
    found = spread(ours).set_index("class")
    names = _drawn(found.index, classes)
    figure, axes = empty_panel(height_of_rows(names, table))
    intervals = found.loc[found["num_splits"] >= 4, ["mean_low", "mean", "mean_high"]]
    class_rows(axes, names, by_split(ours).droplevel([0, 1, 2]), intervals, table)
    axes.set(xlim=(-0.02, 1.02), xlabel=metric)
    return figure


def slopes(
    table: pd.DataFrame,
    model: str,
    loss: str,
    averaging: str,
    classes: Collection[str] | None = None,
    *,
    metric: str = "Dice",
) -> Figure:
    """A line per class from its mean over random splits to its mean over held-out splits; at either end a dot for each
    split, and a bar over them.

    :param table: with held-out splits of one axis.
    :param classes: the classes to be drawn; None draws all.
    """
    wide = by_split(_of(table, model, loss, averaging)).droplevel([0, 1, 2])
    wide = wide.loc[[name for name in _drawn(wide.index, classes) if name not in NOT_OBJECTS]]
    figure, axes = empty_panel(max(3.2, 0.8 + 0.2 * len(wide)))
    ends = []
    for i, name in enumerate(wide.index):
        (colour, dashes), beside = line_of(i), 0.3 * i / max(1, len(wide) - 1)
        sides = [(x, of_kind(wide, kind).loc[name].to_numpy(float)) for x, kind in enumerate((RANDOM, HELD_OUT))]
        places = [x + beside - 0.3 * (x == 0) for x, _ in sides]
        for place, (_, scores) in zip(places, sides, strict=True):
            axes.plot([place] * scores.size, scores, "o-", color=colour, lw=2.5, ms=3, mew=0, alpha=0.45)
        means = [pd.Series(scores).mean() for _, scores in sides]
        axes.plot(places, means, marker="D", ls=dashes, color=colour, ms=3.5, lw=1.1)
        ends.append((places[1], _last(np.array(means)), name, colour))
    _end_labels(axes, 1.42, ends)
    axes.set(xlim=(-0.4, 1.95), ylim=(-0.02, 1.02), xticks=(-0.15, 1.15), ylabel=metric)
    slant(axes, [f"{in_words(RANDOM, '')}s", f"{HeldOut.of(table).split}s"])
    return figure


def profiles(table: pd.DataFrame, averaging: str, *, metric: str = "Dice") -> Figure:
    """Share of the (split, class) scores above each value: a step line per configuration, thin ones per split.

    :param table: the scores on splits of one kind and axis.
    """
    rows = table[(table["averaging"] == averaging) & is_object(table["class"])]
    num_rows = math.ceil(len(rows[CONFIGURATION].drop_duplicates()) / 2)
    figure, axes = empty_panel(2.6 + LEGEND_ROW * num_rows)
    for i, ((model, loss), ours) in enumerate(rows.groupby(["model", "loss"], sort=False)):
        colour, style = line_of(i)
        for _, run in ours.groupby(["split", "seed"]):
            _profile(axes, run["dice"], color=colour, lw=0.6, alpha=0.3)
        _profile(axes, ours["dice"], color=colour, lw=1.8, ls=style, label=plain_text(f"{model} {loss}"))
    axes.set(xlim=(0, 1), ylim=(-0.02, 1.02), xlabel=metric, ylabel=f"share of scores above this {metric}")
    if axes.lines:
        handles, names = axes.get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower left", ncols=2, frameon=False, fontsize=SMALL, labelcolor=INK)
    return figure


def paired(
    table: pd.DataFrame,
    a: tuple[str, str],
    b: tuple[str, str],
    averaging: str,
    test_to_train: float | None,
    rope: float,
    classes: Collection[str] | None = None,
    *,
    metric: str = "Dice",
) -> Figure:
    """Differences a - b by class: a dot per random split, the mean with its interval, held-out splits by number, the
    region of practical equivalence as a band. Without `test_to_train` there is no interval.

    :param classes: the classes to be drawn; None draws all.
    """
    ours = table[table["averaging"] == averaging]
    found = compare(ours, a, b, test_to_train=test_to_train, rope=rope).set_index("class")
    wide = by_split(ours)
    rows_a, rows_b = (wide.xs((*each, averaging), level=[0, 1, 2]) for each in (a, b))
    differences = rows_a - rows_b.reindex(rows_a.index)
    names = _drawn(found.index, classes)
    figure, axes = empty_panel(height_of_rows(names, ours))
    axes.axvspan(-rope, rope, color=FAINT, alpha=0.25, lw=0)
    axes.axvline(0, color=INK, lw=0.8)
    known = (found["num_pairs"] >= 4) & found["low"].notna()
    intervals = found.loc[known, ["low", "difference", "high"]]
    class_rows(axes, names, differences, intervals, ours)
    drawn = [differences.loc[names], intervals[intervals.index.isin(names)]]
    reach = max(0.05, *(1.08 * np.nanmax(np.abs(each.to_numpy(float)), initial=2 * rope) for each in drawn))
    axes.set(xlim=(-reach, reach))
    sides = f"← {plain_text(' '.join(b))} better", f"{plain_text(' '.join(a))} better →"
    sides_below(axes, f"difference of {metric}", *sides)
    return figure


def ranks(table: pd.DataFrame, averaging: str) -> Figure:
    """Rank of every configuration on every split, by its mean score over the classes; 1 is the best."""
    found = configuration_ranks(table[table["averaging"] == averaging])
    found = found[found["class"] == MACRO].set_index(["model", "loss"])
    splits = {
        split: kind
        for kind in kinds_of(table)
        for split in of_kind_and_axis(table, *kind)["split"].unique()
        if split in found.columns
    }
    names = list(splits)
    figure, axes = empty_panel(0.36 * len(found) + 1.1, max(WIDTH, 1.6 + 0.3 * len(names)))
    xs = _with_gaps(list(splits.values()), 0.4)
    ends = []
    for i, ((model, loss), row) in enumerate(found.iterrows()):
        ys, (colour, dashes) = row[names].to_numpy(float), line_of(i)
        axes.plot(xs, ys, marker="o", color=colour, ls=dashes, ms=5, lw=0.8)
        ends.append((xs[-1], _last(ys), f"{model} {loss}", colour))
    _end_labels(axes, xs[-1] + 0.3, ends, spread=0.42)
    axes.set(
        ylim=(len(found) + 0.5, 0.5),
        xlim=(-0.4, xs[-1] + 0.45 + 0.22 * len(names)),
        ylabel="rank (1 is the best)",
        xticks=xs,
    )
    axes.set_yticks(range(1, len(found) + 1))
    slant(axes, _plain(names))
    axes.grid(visible=False, axis="y")
    return figure


def _with_gaps(groups: Sequence[object], gap: float = 0.25) -> list[float]:
    """Places one apart, and a gap more where another group begins."""
    begins = [i > 0 and group != groups[i - 1] for i, group in enumerate(groups)]
    return [i + gap * sum(begins[: i + 1]) for i in range(len(groups))]


End = tuple[float, float, str, str]
"""Where a line ends, its name and its colour."""


def _end_labels(axes: Axes, x: float, ends: Sequence[End], spread: float = 0.07) -> None:
    """Names right of where lines end, moved apart where they would overlap, each with a thin line to its own."""
    known = sorted((end for end in ends if not np.isnan(end[1])), key=lambda end: end[1])
    places = [y for _, y, _, _ in known]
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + spread)
    excess = max(0.0, places[-1] - max(1.0, known[-1][1])) if places else 0.0
    for i in reversed(range(len(places))):
        places[i] -= excess
        if i + 1 < len(places):
            places[i] = min(places[i], places[i + 1] - spread)
    for place, (end, y, name, colour) in zip(places, known, strict=True):
        axes.plot([end, x - 0.02], [y, place], color=colour, lw=0.6, alpha=0.7, zorder=0)
        axes.text(x, place, plain_text(name), color=colour, size=SMALL, va="center", weight="bold")


def _last(values: Floats) -> float:
    """The last that is defined, or NaN."""
    known = values[~np.isnan(values)]
    return float(known[-1]) if known.size else float("nan")


def _profile(axes: Axes, scores: pd.Series[float], **line: Any) -> None:
    known = np.sort(scores.dropna().to_numpy(float))
    if known.size:
        shares = 1 - np.arange(known.size + 1) / known.size
        axes.step([0, *known, 1], [*shares, shares[-1]], where="post", **line)


def _of(table: pd.DataFrame, model: str, loss: str, averaging: str) -> pd.DataFrame:
    return of_configuration(table[table["averaging"] == averaging], model, loss)


def _drawn(names: pd.Index[Any], classes: Collection[str] | None) -> list[str]:
    """Classes in their order, all or these; then macro, all and background."""
    objects = [name for name in names if name not in NOT_OBJECTS and (classes is None or name in classes)]
    return [*objects, *(name for name in (MACRO, ALL, *BACKGROUNDS) if name in names)]


def _plain(names: Any) -> list[str]:
    return [plain_text(name) for name in names]
