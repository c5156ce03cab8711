"""The figures of learning curves: Dice, and the gap to held-out splits, against training images."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.axes import in_words
from analysis.classes import MACRO
from analysis.report.drawing import SMALL, colours_of, empty_panel, legend_above, line_of, plain_text
from analysis.report.svg import INK
from analysis.scores import HELD_OUT, Floats, of_configuration
from analysis.statistics.learning_curve import FARTHEST, Rise, rise
from analysis.statistics.more_images import curves

_LEGEND_ROW = 0.09
"""Inches for each name: two stand side by side."""


def learning_curve(
    table: pd.DataFrame,
    model: str,
    loss: str,
    averaging: str,
    num_trained: Mapping[str, int],
    test_to_train: float | None,
    classes: Collection[str],
    *,
    metric: str = "Dice",
) -> Figure:
    """A line for each class, and the mean of classes: means over random splits against training images, a dot for each
    split. Dashed, where the curve carries it, what twice as many images would give, with its interval.

    :param table: random splits and their shares.
    :param classes: the classes to be drawn.
    """
    ours = of_configuration(table[table["averaging"] == averaging], model, loss)
    drawn = [each for each in curves(ours, num_trained) if each[0]["class"] in (*classes, MACRO)]
    figure, axes = empty_panel(3.2 + _LEGEND_ROW * len(drawn))
    for place, (key, _, numbers_SK, scores_SK) in enumerate(drawn):
        is_mean = key["class"] == MACRO
        colour, dashes = (INK, "-") if is_mean else line_of(place)
        at_K, means_K = np.median(numbers_SK, axis=0), _means(scores_SK)
        axes.plot(numbers_SK, scores_SK, "o", color=colour, ms=2.5, mew=0, alpha=0.4)
        label = "mean of classes" if is_mean else plain_text(key["class"])
        axes.plot(at_K, means_K, color=colour, ls=dashes, lw=2 if is_mean else 1.2, label=label)
        found = rise(numbers_SK, scores_SK, FARTHEST, test_to_train or 0.0)
        if isinstance(found, Rise):
            beside = 1 + 0.012 * (place - len(drawn) / 2)  # intervals of several classes would lie on each other
            _continue(axes, at_K[-1], means_K[-1], beside * FARTHEST * at_K[-1], found, colour)
    axes.set(xlabel="training images", ylabel=metric, ylim=(-0.02, 1.02), xlim=(0, None))
    legend_above(axes, columns=3)
    axes.tick_params(labelsize=SMALL)
    return figure


def _means(scores_SK: Floats) -> Floats:
    """Over the splits that have a score, at each share; NaN where none has."""
    return np.asarray(pd.DataFrame(scores_SK).mean(), float)


def _continue(axes: Axes, last: float, mean: float, end: float, found: Rise, colour: str) -> None:
    """The line on to more images, and the interval of where it ends."""
    axes.plot([last, end], [mean, mean + found.value], color=colour, ls=(0, (2, 2)), lw=1)
    axes.plot([end, end], np.clip([mean + found.low, mean + found.high], 0, 1), color=colour, lw=1.4)


def gap_curve(found: pd.DataFrame, model: str, loss: str, averaging: str) -> Figure:
    """The gap of the mean of classes against training images, with its interval at each share: a line for each axis.

    :param found: what `gap_curves` gives.
    """
    ours = of_configuration(found[(found["averaging"] == averaging) & (found["class"] == MACRO)], model, loss)
    figure, axes = empty_panel(2.6)
    axes.axhline(0, color=INK, lw=0.6)
    colours = colours_of([(HELD_OUT, str(axis)) for axis in ours["axis"].unique()])
    width = ours["num_images"].max()
    for place, (axis, rows) in enumerate(ours.groupby("axis", sort=False)):
        at = rows["num_images"] + 0.008 * place * width  # intervals of several axes would lie on each other
        beside = np.abs(rows[["gap_low", "gap_high"]].to_numpy(float).T - rows["gap"].to_numpy(float))
        colour, name = colours[HELD_OUT, str(axis)], plain_text(in_words(HELD_OUT, str(axis)))
        axes.errorbar(at, rows["gap"], np.nan_to_num(beside), color=colour, marker="o", ms=3, lw=1.4, label=f"{name}s")
    axes.set(xlabel="training images", ylabel="gap: random less held-out", xlim=(0, None))
    legend_above(axes, columns=2)
    return figure
