"""The figures of a study behind its scores, each one panel: cost, search, training, and classes that are not there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, ScalarFormatter

from analysis.report.drawing import (
    COLOURS,
    LEGEND_ROW,
    OF_HELD_OUT,
    OF_RANDOM,
    ROW,
    SCALE,
    SMALL,
    WIDTH,
    bare,
    empty_panel,
    heat_cell,
    legend_above,
    plain_text,
    style,
)
from analysis.report.svg import FAINT, INK
from analysis.scores import HELD_OUT, KINDS, OTHER_KINDS, RANDOM
from analysis.statistics.search import hyperparameters
from study.definition.space import Choices, Range

KIND_COLOURS = {RANDOM: OF_RANDOM, HELD_OUT: OF_HELD_OUT, **dict.fromkeys(OTHER_KINDS, INK)}
KIND_MARKERS = {RANDOM: "o", HELD_OUT: "D"}


def trade_off(points: pd.DataFrame, cost: str, what: str) -> Figure:
    """Mean Dice against a cost, on a log scale; what no other point beats in both is filled, joined and named.

    :param points: rows of `analysis.statistics.costs.trade_off`, `non_dominated` in accuracy and this cost.
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
    axes.set(xscale="log", xlabel=what, ylabel="mean Dice, random splits")
    _plain_logarithmic(axes.xaxis, (1, 2, 5))
    return figure


def search_points(trials: pd.DataFrame, model: str, loss: str, space: Mapping[str, Range | Choices]) -> Figure:
    """Every trial at the values of the first two searched keys (of one key: and its validation objective), coloured by
    its validation objective; each cell's choice ringed, the default point crossed.

    :param trials: one row per trial: model, loss, split_kind, index, point, objective, chosen.
    """
    ours = _of(trials, model, loss)
    ours = ours.assign(**hyperparameters(ours))
    across, up = [*space, "objective"][:2]
    figure, axes = empty_panel(3.0)
    known = ours.dropna(subset="objective")
    low, high = (known["objective"].min(), known["objective"].max()) if len(known) else (0.0, 1.0)
    for kind, part in known.groupby("split_kind", sort=False):
        x, y, marker = part[across], part[up], KIND_MARKERS[str(kind)]
        drawn = axes.scatter(x, y, c=part["objective"], marker=marker, s=26, lw=0, vmin=low, vmax=high, cmap=SCALE)
    chosen = known[known["chosen"]]
    axes.plot(chosen[across], chosen[up], "o", ms=8.5, mfc="none", mec=OF_HELD_OUT, mew=1.1)
    default = ours[ours["index"] == 0]
    axes.plot(default[across].head(1), default[up].head(1), "x", color=INK, ms=9, mew=1.2)
    if len(known):
        bar = figure.colorbar(drawn, ax=axes, shrink=0.85, pad=0.02)
        bar.outline.set_visible(False)
        bar.ax.tick_params(colors=INK, labelsize=SMALL - 1, length=0)
        bar.set_label("validation Dice", color=INK, size=SMALL)
    axes.set(xlabel=across, ylabel="validation Dice" if up == "objective" else up)
    for key, axis in ((across, axes.xaxis), (up, axes.yaxis)):
        if isinstance(dimension := space.get(key), Range) and dimension.log:
            (axes.set_xscale if axis is axes.xaxis else axes.set_yscale)("log")
            axis.set_major_formatter(ScalarFormatter())
            axis.set_minor_formatter(ScalarFormatter())
    axes.tick_params(which="minor", colors=INK, labelsize=SMALL - 1, length=0)
    return figure


def search_progress(trials: pd.DataFrame, model: str, loss: str, startup: int) -> Figure:
    """The best validation objective so far by trial index, a line per cell; right of the rule TPE chooses."""
    ours = _of(trials, model, loss)
    figure, axes = empty_panel(2.4)
    for (_, _), cell in ours.sort_values("index").groupby(["split", "seed"], sort=False):
        kind = str(cell["split_kind"].iloc[0])
        best = cell["objective"].cummax()
        axes.plot(cell["index"], best, color=KIND_COLOURS[kind], ls="-" if kind == RANDOM else "--", lw=1, alpha=0.8)
    last = int(ours["index"].max()) if len(ours) else 0
    if startup <= last:
        axes.axvline(startup - 0.5, color=FAINT, lw=0.8)
    for kind in _named(ours):
        axes.plot(
            [],
            [],
            color=KIND_COLOURS[kind],
            ls="-" if kind == RANDOM else "--",
            lw=1.2,
            label=f"{kind.replace('_', '-')} split",
        )
    legend_above(axes)
    axes.set(xlabel="trial of the cell", ylabel="best validation Dice so far", xlim=(-0.3, last + 0.3))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def curves(history: pd.DataFrame, model: str, loss: str) -> Figure:
    """Validation objective, and losses (training dotted), by epoch; a dot where the weights were kept.

    :param history: what `Facts.history` gives.
    """
    ours = _of(history, model, loss)
    figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
    figure.patch.set_alpha(0)
    above, below = figure.subplots(2, 1, sharex=True)
    for axes in (above, below):
        style(axes)
    for _, run in ours.sort_values("epoch").groupby("trial", sort=False):
        colour = KIND_COLOURS[str(run["split_kind"].iloc[0])]
        above.plot(run["epoch"], run["objective"], color=colour, lw=0.9, alpha=0.8)
        below.plot(run["epoch"], run["val_loss"], color=colour, lw=0.9, alpha=0.8)
        below.plot(run["epoch"], run["train_loss"], color=colour, lw=0.8, ls=":", alpha=0.8)
        kept = run[run["epoch"] == run["selected_epoch"]]
        above.plot(kept["epoch"], kept["objective"], "o", color=colour, ms=4)
        below.plot(kept["epoch"], kept["val_loss"], "o", color=colour, ms=4)
    for kind in _named(ours):
        above.plot([], [], color=KIND_COLOURS[kind], lw=1.2, label=f"{kind.replace('_', '-')} split")
    legend_above(above)
    above.set_ylabel("validation Dice")
    below.set(ylabel="loss (dotted: training)", xlabel="epoch", yscale="log")
    below.xaxis.set_major_locator(MaxNLocator(integer=True))
    _plain_logarithmic(below.yaxis, (1, 3))
    return figure


def false_class_matrix(matrix: pd.DataFrame, top: float = 1.0) -> Figure:
    """True object (rows) x falsely predicted class (columns), per cent of the object's test images.

    :param matrix: one of `analysis.statistics.false_classes.false_class_matrices`.
    :param top: the share at the upper end of the colour scale, the same for panels that are to be compared.
    """
    values = matrix.to_numpy(float)
    figure, axes = empty_panel(ROW * (len(matrix) + 2.2), max(WIDTH, 1.2 + 0.45 * matrix.shape[1]))
    for (y, x), value in np.ndenumerate(values):
        heat_cell(axes, x, y, value, f"{100 * value:.0f}", value / top)
    axes.set(xlim=(-0.5, matrix.shape[1] - 0.5), ylim=(len(matrix) - 0.5, -0.5))
    axes.set_xticks(range(matrix.shape[1]), [plain_text(name) for name in matrix.columns])
    axes.set_yticks(range(len(matrix)), [plain_text(name) for name in matrix.index])
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set(xlabel="falsely predicted (% of images)", ylabel="object in the image")
    bare(axes)
    return figure


def _plain_logarithmic(axis: Axis, digits: Sequence[int]) -> None:
    """Ticks at these digits of every power of ten, as plain numbers."""
    axis.set_major_locator(LogLocator(subs=digits))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_formatter(NullFormatter())


def _named(rows: pd.DataFrame) -> list[str]:
    """The kinds of splits that a legend names: random and held-out ones, and any other that is there."""
    return [*KINDS, *(kind for kind in OTHER_KINDS if (rows["split_kind"] == kind).any())]


def _of(rows: pd.DataFrame, model: str, loss: str) -> pd.DataFrame:
    return rows[(rows["model"] == model) & (rows["loss"] == loss)]
