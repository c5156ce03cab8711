"""The paper's Tables 2-5 from any scores: split x class under each averaging, and the worst value of every column.

The scores are a table as `analysis.scores` describes it. The paper marked its worst values by hand; here they are
computed, and `audit` compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import pandas as pd

from analysis.axes import HeldOut
from analysis.metric import DICE, Metric
from analysis.scores import HELD_OUT, PAPERS, RANDOM, capitalised
from trainers.dice import class_order
from trainers.printable import printable

NAMES = ["model", "loss", "split", "averaging", "class"]
KEYS = [*NAMES, "seed"]
UNDEFINED, MISSING = "-", "?"  # in print

Tables = dict[tuple[str, str], pd.DataFrame]


def tables(
    table: pd.DataFrame, averagings: Sequence[str] | None = None, *, simulated: bool = False, metric: Metric = DICE
) -> Tables:
    """One frame per (model, loss): rows are splits, columns (averaging, class), values scores.

    Several seeds of a split are averaged. A cell is NaN where any of these scores is undefined, and where a seed that
    the split has elsewhere is missing: nothing is averaged around. All frames share rows and columns, so what one
    model lacks shows as missing. Each frame's `attrs` hold, by split, its `kinds` (kind, axis) and the number of its
    `seeds`; as (split, averaging, class) the `missing` cells: a NaN that is not among them is undefined; and whether
    the scores are `simulated`, and what they measure, the `metric`: its name and it in full.

    :param averagings: in the order wanted, e.g. ``("pw", "ew", "pooled")``; None: pw and ew, or else pooled.
    :raises ValueError: columns or averagings are missing, or a score is given twice.
    """
    order = _wanted(table, averagings)
    chosen = _chosen(table, order)
    places = chosen.drop_duplicates("split").set_index("split")[["split_kind", "axis"]].astype(str)
    kinds = {str(split): (kind, axis) for split, kind, axis in places.itertuples(name=None)}
    rows = pd.Index(sorted(kinds, key=lambda split: _split_order(kinds[split], split)), name="split")
    pairs = set(zip(chosen["averaging"], chosen["class"], strict=True))
    classes = class_order(chosen["class"].unique())
    columns = pd.MultiIndex.from_tuples(
        sorted(pairs, key=lambda pair: (order.index(pair[0]), classes.index(pair[1]))), names=["averaging", "class"]
    )
    frames = {}
    for (model, loss), part in chosen.groupby(["model", "loss"], observed=True):
        frames[str(model), str(loss)] = _layout(part, rows, columns)
        frames[str(model), str(loss)].attrs |= {"kinds": {s: kinds[s] for s in rows}, "simulated": simulated}
        frames[str(model), str(loss)].attrs["metric"] = metric.name, metric.in_full
    return frames


def _wanted(table: pd.DataFrame, averagings: Sequence[str] | None) -> list[str]:
    """The averagings to show. Raises ValueError if the table lacks a column, or one of them."""
    if absent := [name for name in [*KEYS, "split_kind", "axis", "dice"] if name not in table.columns]:
        raise ValueError(f"the scores lack the column(s) {', '.join(absent)}")
    available = sorted(map(str, table["averaging"].unique()))
    chosen = averagings or [name for name in PAPERS if name in available] or list({"pooled"} & {*available})
    if (unknown := [name for name in chosen if name not in available]) or not chosen:
        wanted = ", ".join(unknown) or " or ".join(PAPERS)
        raise ValueError(f"no scores under the averaging {wanted}; available: {', '.join(available) or 'none'}")
    return list(chosen)


def _chosen(table: pd.DataFrame, averagings: Sequence[str]) -> pd.DataFrame:
    """The rows of these averagings, once they are known to be there once."""
    chosen = table[table["averaging"].isin(averagings)].astype(dict.fromkeys(NAMES, str))
    twice = chosen[chosen.duplicated(KEYS)]
    if len(twice):
        first = ", ".join(f"{key} {twice.iloc[0][key]}" for key in KEYS)
        raise ValueError(f"{len(twice)} score(s) given twice, first {first}; choose one trial per cell")
    return chosen


def _layout(part: pd.DataFrame, rows: pd.Index[str], columns: pd.MultiIndex) -> pd.DataFrame:
    """The scores of one (model, loss) in the given rows and columns, with what is missing noted."""
    cells = part.assign(dice=part["dice"].astype(float)).groupby(["split", "averaging", "class"], observed=True)["dice"]
    given = cells.size().unstack(["averaging", "class"]).reindex(index=rows, columns=columns).fillna(0)
    mean = cells.mean().where(cells.count() == cells.size())
    seeds = part.groupby("split", observed=True)["seed"].nunique(dropna=False).reindex(rows, fill_value=0)
    missing = given.lt(seeds.clip(lower=1), axis=0)
    frame = mean.unstack(["averaging", "class"]).reindex(index=rows, columns=columns).mask(missing)
    frame.attrs["seeds"] = {str(split): int(number) for split, number in seeds.items()}
    frame.attrs["missing"] = [(split, *column) for column in columns for split in rows if missing.loc[split, column]]
    return frame


def _split_order(place: tuple[str, str], split: str) -> tuple[bool, tuple[str, str], list[str | int]]:
    """Random splits first, then by axis; numbers within a name count as numbers, so random_10 follows random_9."""
    parts = re.split(r"([0-9]+)", split)
    return place[0] != RANDOM, place, [int(part) if place % 2 else part for place, part in enumerate(parts)]


def worst(frame: pd.DataFrame, decimals: int | None = None) -> pd.DataFrame:
    """Where the lowest value of each column stands; ties are all marked, NaN never.

    :param decimals: compare the values as they print with so many decimals; None compares them at full precision.
    """
    values = frame if decimals is None else frame.map(lambda value: float(f"{value:.{decimals}f}"))
    return values.eq(values.min())


@dataclass(frozen=True)
class Printed:
    """One value as printed."""

    text: str
    worst: bool


@dataclass(frozen=True)
class Layout:
    """One table, ready to be set: names are printable, but not yet escaped."""

    title: str
    notes: list[str]
    groups: list[tuple[str, int]]  # each averaging and its number of columns
    columns: list[tuple[str, str]]  # (averaging, class)
    blocks: list[list[tuple[str, list[Printed]]]]  # of random splits, then of each held-out axis: (split, cells)

    @classmethod
    def of(cls, key: tuple[str, str], frame: pd.DataFrame, decimals: int, exact: bool) -> Layout:
        missing, kinds = set(frame.attrs.get("missing", ())), frame.attrs.get("kinds", {})
        marks = worst(frame, None if exact else decimals)
        rows = []
        for split in frame.index:
            absent = [(split, *column) in missing for column in frame.columns]
            texts = [_print(value, decimals, gone) for value, gone in zip(frame.loc[split], absent, strict=True)]
            cells = [Printed(text, bool(mark)) for text, mark in zip(texts, marks.loc[split], strict=True)]
            rows.append((kinds.get(split), (printable(split), cells)))
        columns = [(printable(averaging), printable(name)) for averaging, name in frame.columns]
        _, metric = frame.attrs.get("metric", (DICE.name, DICE.in_full))
        return cls(
            title=_title(printable(key[0]), printable(key[1]), metric, simulated=frame.attrs.get("simulated", False)),
            notes=_notes(frame),
            groups=[(name, len(list(members))) for name, members in groupby(averaging for averaging, _ in columns)],
            columns=columns,
            blocks=[[row for _, row in members] for _, members in groupby(rows, key=lambda row: row[0])],
        )


def _title(model: str, loss: str, metric: str, *, simulated: bool) -> str:
    if simulated:
        return f"Simulated {metric} of {model} with {loss} (drawn, not trained for), by split and class"
    return f"{capitalised(metric)} of {model} trained with {loss}, by split and class"


def _print(value: float, decimals: int, missing: bool) -> str:
    if pd.notna(value):
        return f"{value:.{decimals}f}"
    return MISSING if missing else UNDEFINED


def _notes(frame: pd.DataFrame) -> list[str]:
    """What a reader must know beside the numbers: seeds, undefined and missing cells."""
    seeds, missing = frame.attrs.get("seeds", {}), frame.attrs.get("missing", [])
    notes = [*map(printable, frame.attrs.get("remarks", []))]
    if max(seeds.values(), default=1) > 1:
        each = ", ".join(f"{printable(split)} {number}" for split, number in seeds.items())
        notes.append(f"Values are means over seeds; number of seeds by split: {each}.")
    if num_undefined := int(frame.isna().to_numpy().sum()) - len(missing):
        notes.append(f"{UNDEFINED} marks {num_undefined} undefined value(s): at least one seed has no such score.")
    if missing:
        splits = ", ".join(printable(split) for split in dict.fromkeys(split for split, *_ in missing))
        notes.append(f"{MISSING} marks {len(missing)} missing value(s), in {splits}.")
    return notes


def audit(table: pd.DataFrame) -> pd.DataFrame:
    """The columns whose printed marks (`bold`, 0 or 1, beside every score) are not at their lowest values.

    One row for each: model, loss, averaging, class; the marked splits, their values; the worst splits, their value.
    """
    found = []
    for (model, loss), (frame, marked) in _marked(table).items():
        lowest = worst(frame)
        for averaging, name in frame.columns[(marked != lowest).any()]:
            column, marks = frame[averaging, name], marked[averaging, name]
            true = column[lowest[averaging, name]]
            found.append(
                {"model": model, "loss": loss, "averaging": averaging, "class": name}
                | {"marked": tuple(column[marks].index), "marked_dice": tuple(column[marks])}
                | {"worst": tuple(true.index), "worst_dice": true.min()}
            )
    names = ["model", "loss", "averaging", "class", "marked", "marked_dice", "worst", "worst_dice"]
    return pd.DataFrame(found, columns=names)


def audit_summary(table: pd.DataFrame) -> str:
    """One line: how many cells are marked and how many should be, and which columns are marked wrongly."""
    frames = _marked(table)
    marks = _count({key: marked for key, (_, marked) in frames.items()}, table)
    minima = _count({key: worst(frame) for key, (frame, _) in frames.items()}, table)
    wrong = audit(table)
    where = [" ".join(row) for row in wrong[["model", "loss", "averaging", "class"]].itertuples(index=False)]
    num_columns = sum(len(frame.columns) for frame, _ in frames.values())
    ending = f": {', '.join(where)}" if where else ""
    return f"{marks} marked, {minima} worst; marks wrong in {len(wrong)} of {num_columns} columns{ending}"


def _marked(table: pd.DataFrame) -> dict[tuple[str, str], tuple[pd.DataFrame, pd.DataFrame]]:
    """The tables, each with where its values are printed as worst."""
    if "bold" not in table.columns:
        raise ValueError("the scores carry no printed marks (column bold); only the paper's own tables do")
    marks = tables(table.assign(dice=table["bold"].astype(float)))
    return {key: (frame, marks[key].eq(1)) for key, frame in tables(table).items()}


def _count(marks: Mapping[tuple[str, str], pd.DataFrame], table: pd.DataFrame) -> str:
    held_out = set(table.loc[table["split_kind"] == HELD_OUT, "split"])
    total = sum(int(marked.to_numpy().sum()) for marked in marks.values())
    of_held_out = sum(int(marked[marked.index.isin(held_out)].to_numpy().sum()) for marked in marks.values())
    return f"{total} cells ({of_held_out} on {HeldOut.of(table).split}s)"
