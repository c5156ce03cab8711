"""The figures of a study behind its scores, each one panel: cost, search, training, and classes that are not there."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from analysis.axes import in_words, kinds_of, of_kind_and_axis
from analysis.report.drawing import (
    COLOURS,
    LEGEND_ROW,
    OF_HELD_OUT,
    ROW,
    SCALE,
    SMALL,
    WIDTH,
    bare,
    colours_of,
    empty_panel,
    heat_cell,
    height_above,
    legend_above,
    names_above,
    plain_cell,
    plain_text,
    style,
)
from analysis.report.svg import FAINT, INK
from analysis.scores import HELD_OUT, RANDOM, of_configuration
from analysis.statistics.false_classes import FalseClasses
from analysis.statistics.search import hyperparameters
from study.definition.space import Choices, Range
from study.summary import MIN_IMAGES

MARKERS = ("o", "D", "s", "^", "v", "P")  # of random splits, then of the held-out ones of each axis
MOST_KEYS = 6
"""Of the searched keys, those that have a figure of their own where there are more than two."""


def trade_off(points: pd.DataFrame, cost: str, what: str, *, ringed: bool = False, metric: str = "Dice") -> Figure:
    """Mean score against a cost, on a log scale; what no other point beats in both is filled, joined and named.

    :param points: rows of `analysis.statistics.costs.trade_off`, `non_dominated` in accuracy and this cost.
    :param ringed: whether this is the cost of the search, and a ring marks the `chosen` point.
    """
    known = points.dropna(subset=["mean", cost])
    configurations = list(dict.fromkeys(zip(known["model"], known["loss"], strict=True)))
    figure, axes = empty_panel(2.7 + LEGEND_ROW * math.ceil(len(configurations) / 2))
    for row in known.itertuples():
        colour = COLOURS[configurations.index((row.model, row.loss)) % len(COLOURS)]
        x, front = getattr(row, cost), row.non_dominated
        low, high = (getattr(row, f"{cost}_{end}", x) for end in ("low", "high"))
        axes.plot([low, high], [row.mean, row.mean], "-", color=colour, lw=1, alpha=0.5)
        if not np.isnan(row.low):
            axes.plot([x, x], [row.low, row.high], "-", color=colour, lw=1, alpha=0.5)
        axes.plot([x], [row.mean], "o", color=colour, ms=6, mfc=colour if front else "none")
    chosen = known[known["chosen"]] if ringed else known[:0]
    axes.plot(chosen[cost], chosen["mean"], "o", ms=10, mfc="none", mec=INK, mew=1.1)
    front = known[known["non_dominated"]].sort_values(cost)
    axes.step(front[cost], front["mean"], where="post", color=FAINT, lw=1, zorder=0)
    for (model, loss), colour in zip(configurations, COLOURS * len(configurations), strict=False):
        axes.plot([], [], "o", color=colour, ms=5, label=plain_text(f"{model} {loss}"))
    legend_above(axes, columns=2)
    for row in front.itertuples():
        axes.annotate(
            row.label.rpartition(" ")[2],
            (getattr(row, cost), row.mean),
            xytext=(3, 4),
            textcoords="offset points",
            color=INK,
            size=SMALL - 1,
        )
    axes.margins(0.08, 0.12)
    axes.set(xscale="log", xlabel=what, ylabel=f"mean {metric}, random splits")
    _plain_logarithmic(axes.xaxis, (1, 2, 5))
    return figure


Space = Mapping[str, Range | Choices]


def sides_of(space: Space) -> list[tuple[str, str]]:
    """What the panels of `search_points` show across and up: two keys against each other, else each of the first
    MOST_KEYS against the validation objective."""
    keys = list(space)
    return [(keys[0], keys[1])] if len(keys) == 2 else [(key, "objective") for key in keys[:MOST_KEYS]]


def search_points(trials: pd.DataFrame, model: str, loss: str, space: Space, across: str, up: str) -> Figure:
    """Every trial at the values of two searched keys, or of one and its validation objective, coloured by its
    validation objective; each cell's choice ringed, the default point crossed.

    :param trials: one row per trial: model, loss, split_kind, axis, index, point, objective, chosen.
    :param across, up: one of `sides_of`.
    """
    ours = of_configuration(trials, model, loss)
    points = hyperparameters(ours).reindex(columns=list(space))
    ours = ours.assign(**{key: _places(points[key], space[key]) for key in (across, up) if key in space})
    figure, axes = empty_panel(3.2)
    known = ours.dropna(subset="objective")
    low, high = (known["objective"].min(), known["objective"].max()) if len(known) else (0.0, 1.0)
    for place, (kind, axis) in enumerate(kinds_of(known)):
        part, marker = of_kind_and_axis(known, kind, axis), MARKERS[place % len(MARKERS)]
        x, y = part[across], part[up]
        drawn = axes.scatter(x, y, c=part["objective"], marker=marker, s=26, lw=0, vmin=low, vmax=high, cmap=SCALE)
        label = in_words(kind, plain_text(axis))
        axes.plot([], [], marker=marker, ls="none", color=FAINT, ms=4.5, mew=0, label=label)
    chosen = known[known["chosen"]]
    axes.plot(chosen[across], chosen[up], "o", ms=8.5, mfc="none", mec=OF_HELD_OUT, mew=1.1)
    default = known[known["index"] == 0].drop_duplicates([across, up])
    axes.plot(default[across], default[up], "x", color=INK, ms=9, mew=1.2)
    if len(known):
        bar = figure.colorbar(drawn, ax=axes, shrink=0.85, pad=0.02)
        bar.outline.set_visible(False)
        bar.ax.tick_params(colors=INK, labelsize=SMALL - 1, length=0)
        bar.set_label("validation Dice", color=INK, size=SMALL)
    axes.set(xlabel=across, ylabel="validation Dice" if up == "objective" else up)
    _scale(axes.xaxis, axes.set_xscale, space.get(across))
    _scale(axes.yaxis, axes.set_yscale, space.get(up))
    axes.tick_params(which="minor", length=0)
    if len(known):
        legend_above(axes, columns=2)
    return figure


def fronts(trials: pd.DataFrame, model: str, loss: str, what: str) -> Figure:
    """Validation Dice against the search's second objective, on a log scale: every trial, each cell's front joined,
    each cell's choice ringed.

    :param trials: one row per trial: model, loss, split, split_kind, axis, seed, objective, cost, on_front, chosen.
    """
    ours = of_configuration(trials, model, loss).dropna(subset=["objective", "cost"])
    figure, axes = empty_panel(3.0)
    lines = _line_of_kinds(ours)
    for _, cell in ours.groupby(["split", "seed"], sort=False):
        line = lines[_kind_of(cell)]
        joined = cell[cell["on_front"]].sort_values("cost")
        axes.plot(cell["cost"], cell["objective"], ".", color=line["color"], ms=4, alpha=0.5)
        axes.step(joined["cost"], joined["objective"], where="post", **line, lw=1, alpha=0.8)
    chosen = ours[ours["chosen"]]
    axes.plot(chosen["cost"], chosen["objective"], "o", ms=8.5, mfc="none", mec=INK, mew=1.1)
    _name_kinds(axes, lines)
    axes.set(xscale="log", xlabel=what, ylabel="validation Dice")
    _plain_logarithmic(axes.xaxis, (1, 2, 5))
    return figure


def _places(values: pd.Series[Any], dimension: Range | Choices) -> pd.Series[Any]:
    """The values, or the places of choices in their order."""
    return values.map(list(dimension.choices).index) if isinstance(dimension, Choices) else values


def _scale(axis: Axis, set_scale: Callable[[str], None], dimension: Range | Choices | None) -> None:
    """Ticks for a searched key: plain numbers, on a logarithmic scale if it was searched so, or its choices."""
    if isinstance(dimension, Choices):
        axis.set_ticks(range(len(dimension.choices)), [plain_text(choice) for choice in dimension.choices])
    elif isinstance(dimension, Range) and dimension.log:
        set_scale("log")
        decades = math.log10(dimension.high / dimension.low)
        _plain_logarithmic(axis, (1, 2, 5) if decades < 1.5 else (1, 3) if decades < 3 else (1,))


def search_progress(trials: pd.DataFrame, model: str, loss: str, startup: int) -> Figure:
    """The best validation objective so far by trial index, a line per cell; right of the rule TPE chooses."""
    ours = of_configuration(trials, model, loss)
    figure, axes = empty_panel(2.4)
    lines = _line_of_kinds(ours)
    for (_, _), cell in ours.sort_values("index").groupby(["split", "seed"], sort=False):
        axes.plot(cell["index"], cell["objective"].cummax(), **lines[_kind_of(cell)], lw=1, alpha=0.8)
    last = int(ours["index"].max()) if len(ours) else 0
    if startup <= last:
        axes.axvline(startup - 0.5, color=FAINT, lw=0.8)
        axes.annotate(
            "chosen by TPE",
            (startup - 0.5, 0),
            xycoords=("data", "axes fraction"),
            xytext=(3, 2),
            textcoords="offset points",
            color=INK,
            size=SMALL - 1,
        )
    _name_kinds(axes, lines)
    axes.set(xlabel="trial of the cell", ylabel="best validation Dice so far", xlim=(-0.3, last + 0.3))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def curves(history: pd.DataFrame, model: str, loss: str) -> Figure:
    """Validation objective, and losses (training dotted), by epoch; a dot where the weights were kept.

    :param history: what `Facts.history` gives.
    """
    ours = of_configuration(history, model, loss)
    figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
    figure.patch.set_alpha(0)
    above, below = figure.subplots(2, 1, sharex=True)
    for axes in (above, below):
        style(axes)
    lines = _line_of_kinds(ours)
    for _, run in ours.sort_values("epoch").groupby("trial", sort=False):
        colour = lines[_kind_of(run)]["color"]
        above.plot(run["epoch"], run["objective"], color=colour, lw=0.9, alpha=0.8)
        below.plot(run["epoch"], run["val_loss"], color=colour, lw=0.9, alpha=0.8)
        below.plot(run["epoch"], run["train_loss"], color=colour, lw=0.8, ls=":", alpha=0.8)
        kept = run[run["epoch"] == run["selected_epoch"]]
        above.plot(kept["epoch"], kept["objective"], "o", color=colour, ms=4)
        below.plot(kept["epoch"], kept["val_loss"], "o", color=colour, ms=4)
    _name_kinds(above, {kind: line | {"ls": "-"} for kind, line in lines.items()})
    above.set_ylabel("validation Dice")
    below.set(ylabel="loss (dotted: training)", xlabel="epoch", yscale="log")
    below.xaxis.set_major_locator(MaxNLocator(integer=True))
    _plain_logarithmic(below.yaxis, (1, 3))
    return figure


def false_class_matrix(found: FalseClasses, top: float = 1.0) -> Figure:
    """True class (rows) x falsely predicted class (columns), per cent of the images that show the one, not the other;
    of fewer than MIN_IMAGES the counts, uncoloured, such as 1/2.

    :param top: the share at the upper end of the colour scale, the same for panels that are to be compared.
    """
    shares, false, images = found.shares, found.num_false.to_numpy(), found.num_images.to_numpy()
    columns = [plain_text(name) for name in shares.columns]
    height = ROW * (len(shares) + 1.2) + height_above(columns)
    figure, axes = empty_panel(height, max(WIDTH, 1.2 + 0.45 * len(columns)))
    for (y, x), value in np.ndenumerate(shares.to_numpy(float)):
        if 0 < images[y, x] < MIN_IMAGES:
            plain_cell(axes, x, y, f"{false[y, x]}/{images[y, x]}")
        else:
            heat_cell(axes, x, y, value, f"{100 * value:.0f}", value / top)
    axes.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(shares) - 0.5, -0.5))
    axes.set_xticks(range(len(columns)))
    axes.set_yticks(range(len(shares)), [plain_text(name) for name in shares.index])
    names_above(axes, columns)
    axes.xaxis.set_label_position("top")
    axes.set(xlabel="falsely predicted (% of images)", ylabel="true class")
    bare(axes)
    return figure


def _plain_logarithmic(axis: Axis, digits: Sequence[int]) -> None:
    """Ticks at these digits of every power of ten, or at as many more as it takes for two, as plain numbers."""
    low, high = sorted(axis.get_view_interval())
    for subs in (digits, (1, 2, 5), range(1, 10), np.arange(10, 100) / 10):
        locator = LogLocator(subs=tuple(subs))
        if sum(low <= tick <= high for tick in locator.tick_values(low, high)) >= 2:
            break
    axis.set_major_locator(locator)
    axis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    axis.set_minor_formatter(NullFormatter())


def _short(value: float) -> str:
    """e.g. `0.003`, `500`, `20k`, `1.5M`: labels of large numbers would run into each other."""
    for power, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= power:
            return f"{value / (1e3 if letter == 'k' else power):.10g}{letter}"
    return f"{value:,.10g}"


Kind = tuple[str, str]


def _kind_of(rows: pd.DataFrame) -> Kind:
    """The kind and axis of the one split that the rows are of."""
    return str(rows["split_kind"].iloc[0]), str(rows["axis"].iloc[0])


def _line_of_kinds(rows: pd.DataFrame) -> dict[Kind, dict[str, Any]]:
    """Kind and axis -> the colour and the dashes of a line: random splits are drawn solid."""
    dashes = {RANDOM: "-", HELD_OUT: "--"}
    return {
        each: {"color": colour, "ls": dashes.get(each[0], ":")} for each, colour in colours_of(kinds_of(rows)).items()
    }


def _name_kinds(axes: Axes, lines: Mapping[Kind, dict[str, Any]]) -> None:
    """A legend of the kinds of splits, above the axes."""
    for (kind, axis), line in lines.items():
        axes.plot([], [], **line, lw=1.2, label=in_words(kind, plain_text(axis)))
    if lines:
        legend_above(axes, columns=2)
