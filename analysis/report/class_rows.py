"""A row for each class: what the scores of all kinds of splits are, kind by kind, with a legend."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis.axes import in_words, kinds_of, of_kind_and_axis
from analysis.classes import NOT_OBJECTS
from analysis.report.drawing import (
    LEGEND_ROW,
    MOST_CHARACTERS_OF_MARKER,
    OF_RANDOM,
    ROW,
    SMALL,
    colours_of,
    legend_above,
    plain_text,
)
from analysis.report.svg import FAINT, INK
from analysis.scores import HELD_OUT, KINDS, RANDOM, Floats, of_kind

_LINE = 0.42
"""Of a row with one line of marks, what each line more is high."""
_MOST_WORDS = 4
"""Splits of a kind and axis that are marked by words; more words would cover each other."""


def height_of_rows(names: Sequence[str], table: pd.DataFrame) -> float:
    """The inches of a panel with a row for each class and a legend of the table's kinds of splits."""
    return ROW * 1.2 * len(names) * _row_height(table) + 0.8 + LEGEND_ROW * len(kinds_of(table))


def _lines_of_marks(table: pd.DataFrame) -> list[str]:
    """The kinds of splits whose marks have a line of their own in a row, held-out ones first."""
    return list(dict.fromkeys([HELD_OUT, *(kind for kind, _ in kinds_of(table) if kind not in KINDS)]))


def _row_height(table: pd.DataFrame) -> float:
    """Of a row, in rows with one line of marks."""
    return 1 + _LINE * (len(_lines_of_marks(table)) - 1)


def class_rows(
    axes: Axes, names: Sequence[str], wide: pd.DataFrame, intervals: pd.DataFrame, table: pd.DataFrame
) -> None:
    """A row for each class: a dot for every random split, its interval (low, middle, high) where it has one, and every
    other split of the table as what its name ends in: held-out ones in the colour of their axis, others behind the
    letter of their kind, too. Of many that end in words, held-out ones are diamonds, and others the letter alone.

    :param wide: class x (kind, split).
    """
    random, numbered = of_kind(wide, RANDOM), wide.drop(columns=RANDOM, level="split_kind", errors="ignore")
    colours, row = colours_of(kinds_of(table)), _row_height(table)
    below = {kind: (0.34 + _LINE * place) / row for place, kind in enumerate(_lines_of_marks(table))}
    axis_of = table.drop_duplicates("split").set_index("split")["axis"]
    ends = {place: [_end(split) for split in of_kind_and_axis(table, *place)["split"].unique()] for place in colours}
    for y, name in enumerate(names):
        scores = random.loc[name].to_numpy(float)
        axes.plot(scores, y + _jitter(len(scores)) / row, "o", color=OF_RANDOM, ms=4, alpha=0.75, mew=0)
        if name in intervals.index:
            low, middle, high = intervals.loc[name]
            axes.plot([low, high], [y, y], "-", color=INK, lw=1.4)
            axes.plot([middle], [y], "|", color=INK, ms=9, mew=1.6)
        for (kind, split), score in numbered.loc[name].items():
            place = kind, axis_of[split] if kind == HELD_OUT else ""
            mark = _mark(kind, _end(split) if _are_told(ends[place]) else "")
            _draw_mark(axes, score, y + below[kind], mark, colours[place])
    objects = sum(name not in NOT_OBJECTS for name in names)
    axes.set(ylim=(len(names) - 0.4 / row, -0.6 / row), yticks=range(len(names)))
    axes.set_yticklabels([plain_text(name) for name in names])
    if 0 < objects < len(names):
        axes.axhline(objects - 0.5 / row, color=FAINT, lw=0.6)
    axes.grid(visible=False, axis="y")
    for (kind, axis), colour in colours.items():
        marker, how = _marker_and_how(kind, ends[kind, axis])
        label = f"{in_words(kind, plain_text(axis))}{how}"
        axes.plot([], [], marker=marker, ls="none", color=colour, ms=4.5, mew=0.4, label=label)
    legend_above(axes, columns=2 if len(kinds_of(table)) < 3 else 1)


def _are_told(ends: Sequence[str]) -> bool:
    """Whether splits whose names end so are told apart."""
    return len(ends) <= _MOST_WORDS or all(end.isdigit() for end in ends)


def _marker_and_how(kind: str, ends: Sequence[str]) -> tuple[str, str]:
    """What stands for splits of a kind in a legend, and what it is, in words."""
    if kind == RANDOM:
        return "o", ""
    if not _are_told(ends):
        return ("d", "") if kind == HELD_OUT else (rf"$\mathrm{{{kind[0]}}}$", f", by {kind[0]}")
    are_numbers = all(end.isdigit() for end in ends)
    end = "number" if are_numbers else "the end of its name"
    if kind == HELD_OUT:
        return "$0$" if are_numbers else "$a$", f", by {end}"
    return rf"$\mathrm{{{kind[0]}}}$", f", by {kind[0]} and {end}"


def _mark(kind: str, end: str) -> str:
    """What stands for a split: the end of its name, behind the first letter of a kind that is neither random nor
    held-out: in print without colours it tells the kinds apart."""
    return end if kind in KINDS else f"{kind[0]}{'-' * bool(end and not end.isdigit())}{end}"


def _draw_mark(axes: Axes, x: float, y: float, mark: str, colour: str) -> None:
    """A split's mark at its score; a diamond without one."""
    if not mark:
        axes.plot([x], [y], "d", color=colour, ms=4.5, mew=0, alpha=0.75)
    elif not np.isnan(x):
        shown = plain_text(mark)
        axes.text(x, y, shown, color=colour, size=SMALL - 0.5, weight="bold", ha="center", va="center", clip_on=True)


def _end(split: object) -> str:
    return str(split).rpartition("_")[2][:MOST_CHARACTERS_OF_MARKER]


def _jitter(number: int) -> Floats:
    return np.linspace(-0.16, 0.16, number) if number > 1 else np.zeros(number)
