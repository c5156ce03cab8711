"""What all figures share: colours, sizes, empty panels, heat-map cells, names as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from analysis.report.svg import FAINT, INK
from analysis.scores import FOLD, GIVEN, HELD_OUT, MATCHED
from trainers.printable import printable

# Okabe & Ito's colours first, told apart by the colour-blind; on white as on black.
COLOURS = (
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#a0743c", "#7f7fd5"),
    *("#e0314f", "#8aa80d", "#b14fc5", "#8d9299"),
)
STYLES = ("-", "--", ":", "-.")
OF_RANDOM = COLOURS[0]
_OF_AXES = OF_HELD_OUT, *_ = COLOURS[1], COLOURS[2], COLOURS[4], COLOURS[5]
_OF_OTHERS = {FOLD: COLOURS[7], GIVEN: COLOURS[6], MATCHED: COLOURS[3]}
SCALE = mpl.colormaps["viridis"]
WIDTH, ROW = 4.6, 0.3  # inches: of a panel, of one row in it
LEGEND_ROW = 0.17  # inches
SMALL = 8.0  # points
MOST_CHARACTERS = 32  # of a name
MOST_CHARACTERS_OF_COLUMN = 5  # of a heat map, side by side
MOST_CHARACTERS_OF_MARKER = 4
MOST_CHARACTERS_BELOW = 48  # of all names below a panel, side by side


def empty_panel(height: float, width: float = WIDTH) -> tuple[Figure, Axes]:
    """An empty panel, so many inches high and wide."""
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.subplots()
    style(axes)
    return figure, axes


def line_of(place: int) -> tuple[str, str]:
    """The colour and the dashes of the line at this place among many: all differ up to 48, by colour alone up to 12."""
    return COLOURS[place % len(COLOURS)], STYLES[place // len(COLOURS) % len(STYLES)]


def colours_of(kinds: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Kind of split and axis -> its colour; of held-out splits that of the first axis is OF_HELD_OUT."""
    held_out = [each for each in kinds if each[0] == HELD_OUT]
    of_axes = {each: _OF_AXES[place % len(_OF_AXES)] for place, each in enumerate(held_out)}
    return {each: of_axes[each] if each in of_axes else _OF_OTHERS.get(each[0], OF_RANDOM) for each in kinds}


def style(axes: Axes) -> None:
    """Plain axes: ink for text, a faint grid, no box."""
    axes.patch.set_alpha(0)
    axes.tick_params(colors=INK, labelsize=SMALL, length=0)
    axes.xaxis.label.set(color=INK, size=SMALL)
    axes.yaxis.label.set(color=INK, size=SMALL)
    axes.grid(color=FAINT, alpha=0.3, lw=0.6)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set(color=FAINT, lw=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def legend_above(axes: Axes, columns: int = 4) -> None:
    """The legend over the axes, where it covers nothing."""
    if not axes.get_legend_handles_labels()[1]:
        return
    where: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1.0), "borderaxespad": 0.2}
    axes.legend(
        ncols=columns, frameon=False, fontsize=SMALL, labelcolor=INK, handletextpad=0.3, columnspacing=1.2, **where
    )


def slant(axes: Axes, names: Sequence[str]) -> None:
    """The names below the axes, slanted where they would overlap."""
    crowded = sum(len(name) + 2 for name in names) > MOST_CHARACTERS_BELOW
    turned: dict[str, Any] = {"rotation": 45, "ha": "right"} if crowded else {}
    axes.set_xticklabels(names, **turned)


def sides_below(axes: Axes, what: str, left: str, right: str) -> None:
    """Below axes with zero at their middle: what they show, and what either side favours; names that are too long to
    stand side by side stand one below the other, across the figure, as a label is not drawn beyond it."""
    if len(left) + len(right) <= MOST_CHARACTERS_BELOW:
        axes.set_xlabel(f"{what}\n{left}    {right}")
        return
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.supxlabel(f"{what}\n{left}\n{right}", size=SMALL, color=INK)


def names_above(axes: Axes, names: Sequence[str]) -> None:
    """The names of a heat map's columns, upright where they would overlap."""
    axes.xaxis.tick_top()
    axes.set_xticklabels(names, rotation=90 if _crowded(names) else 0)


def height_above(names: Sequence[str]) -> float:
    """The inches that `names_above` needs."""
    return max(ROW, 0.07 * max(map(len, names), default=0)) if _crowded(names) else ROW


def _crowded(names: Sequence[str]) -> bool:
    return max(map(len, names), default=0) > MOST_CHARACTERS_OF_COLUMN


def bare(axes: Axes) -> None:
    """No grid, no lines: for heat maps."""
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def heat_cell(axes: Axes, x: float, y: float, value: float, shown: str, share: float, marked: bool = False) -> None:
    """One number on its colour, at `share` of the colour scale; a dash where it is undefined."""
    if np.isnan(value):
        axes.text(x, y, "–", ha="center", va="center", color=FAINT, size=SMALL)  # noqa: RUF001
        return
    colour = SCALE(min(1.0, share))
    axes.add_patch(Rectangle((x - 0.48, y - 0.47), 0.96, 0.94, fc=colour, lw=0))
    linear = [(part / 12.92) if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour[:3]]
    light = np.dot(linear, (0.2126, 0.7152, 0.0722)) > 0.18  # above it, black has the higher contrast (WCAG 2)
    weight = "bold" if marked else "normal"
    axes.text(x, y, shown, ha="center", va="center", color="#000" if light else "#fff", size=SMALL, weight=weight)
    if marked:
        axes.add_patch(Rectangle((x - 0.46, y - 0.44), 0.92, 0.88, fill=False, ec=OF_HELD_OUT, lw=2))


def plain_cell(axes: Axes, x: float, y: float, shown: str) -> None:
    """What is too little for a colour."""
    axes.text(x, y, shown, ha="center", va="center", color=INK, size=SMALL - 1)


def plain_text(name: object) -> str:
    """A name as it is: no formula, no control character; the middle of a long one left out, as it must fit."""
    plain = printable(name)
    short = plain if len(plain) <= MOST_CHARACTERS else f"{plain[:20]}…{plain[-11:]}"
    return short.replace("$", r"\$")
