"""The axes of held-out splits: what is said of held-out splits is said of one axis at a time, in that axis's words."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import pandas as pd

from analysis.scores import FOLD, HELD_OUT, OTHER_KINDS, RANDOM

_BEFORE_AXIS = ("model", "loss", "less_model", "less_loss", "averaging", "class")
"""The columns of a statistic that stand before its axis."""


@dataclass(frozen=True)
class HeldOut:
    """The words for a table's held-out splits: they name the axis, where it is known."""

    axes: tuple[str, ...]
    """In the table's order; none where one of them is unknown."""

    @classmethod
    def of(cls, table: pd.DataFrame) -> HeldOut:
        axes = axes_of(table)
        return cls(() if "" in axes else tuple(axes))

    @property
    def split(self) -> str:
        """e.g. `held-out angle split`, without an article."""
        return " ".join(["held-out", *self._any, "split"])

    @property
    def samples(self) -> str:
        """e.g. `samples whose angle was not trained on`."""
        return f"samples whose {self._any[0]} was not trained on" if self.axes else "held-out samples"

    @property
    def _any(self) -> list[str]:
        return [" or ".join(self.axes)] if self.axes else []


def in_words(kind: str, axis: str) -> str:
    """A split of this kind and axis, e.g. `random split`, `held-out angle split`, `held-out split`, `fold`."""
    if kind == HELD_OUT:
        return HeldOut((axis,) if axis else ()).split
    return "fold" if kind == FOLD else f"{kind} split"


def kinds_in_words(table: pd.DataFrame, kinds: Collection[str]) -> str:
    """Those of these kinds that the table has, or all where it has none, e.g. `folds and matched splits`."""
    there = set(table["split_kind"])
    names = [kind for kind in kinds if kind in there] or list(kinds)
    splits = ["folds" if kind == FOLD else kind for kind in names]
    if names and names[-1] != FOLD:
        splits[-1] += " splits"
    return " and ".join(filter(None, [", ".join(splits[:-1]), *splits[-1:]]))


def axes_of(table: pd.DataFrame) -> list[str]:
    """The axes of the held-out splits, in the table's order; "" is an unknown one."""
    return list(dict.fromkeys(map(str, table.loc[table["split_kind"] == HELD_OUT, "axis"])))


def kinds_of(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Every (kind, axis) of the table's splits: random ones, held-out ones, then any others."""
    there = set(table["split_kind"])
    random, others = ([(kind, "") for kind in kinds if kind in there] for kinds in ([RANDOM], OTHER_KINDS))
    return [*random, *((HELD_OUT, axis) for axis in axes_of(table)), *others]


def of_kind_and_axis(rows: pd.DataFrame, kind: str, axis: str) -> pd.DataFrame:
    """The rows of splits of one kind and, of held-out ones, of one axis."""
    return rows[(rows["split_kind"] == kind) & ((kind != HELD_OUT) | (rows["axis"] == axis))]


def by_axis(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Axis -> the rows of the random splits and of the splits that hold out that axis, in the table's order.

    Without held-out splits the table is the only part, under "".
    """
    if len(axes := axes_of(table)) < 2:
        return {axes[0] if axes else "": table}
    return {axis: table[(table["split_kind"] == RANDOM) | (table["axis"] == axis)] for axis in axes}


def each_axis(table: pd.DataFrame, statistic: Callable[[pd.DataFrame], pd.DataFrame]) -> pd.DataFrame:
    """The statistic of the table; of several axes that of each part of `by_axis`, one below the other, with a column
    `axis`. What it says of random splits alone is the same for every axis, and stands beside each.
    """
    if len(axes_of(table)) < 2:
        return statistic(table)
    frames = [_with_axis(statistic(rows), axis) for axis, rows in by_axis(table).items()]
    return pd.concat(frames, ignore_index=True)[_columns_of_all(frames)]


def _with_axis(frame: pd.DataFrame, axis: str) -> pd.DataFrame:
    if len(frame.columns):
        frame.insert(sum(name in _BEFORE_AXIS for name in frame.columns), "axis", axis)
    return frame


def _columns_of_all(frames: list[pd.DataFrame]) -> list[str]:
    """Each column once: those of later frames stand before the column that follows them there."""
    columns = list(frames[0].columns)
    for frame in frames[1:]:
        following = list(frame.columns)[1:]
        for name, after in reversed(list(zip(frame.columns, following, strict=False))):
            if name not in columns:
                columns.insert(columns.index(after), name)
    return columns
