"""Along which columns a first study holds samples out, and how many of the splits that this gives it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from study.first_look.columns import grouped_columns
from study.proposals import Tested, propose_held_out
from study.splits.given import part_of
from trainers.data.table import Samples, Value

MOST_RUN = 8
"""Held-out splits: so many trainings of each configuration end in sensible time."""


@dataclass(frozen=True)
class Axes:
    """What a table of samples offers beside random splits."""

    held_out: dict[str, Tested]
    """By axis; of columns that divide the samples alike, and of splits that test the same, one."""
    part: str | None
    """A column that says of each sample whether it is for training, validation or testing."""
    notes: tuple[str, ...]
    """What was left out, and why."""


def axes_of(samples: Samples, unit: str | None) -> Axes:
    """:param unit: a column that looks like groups; of two that divide the samples alike it is the one that is kept."""
    part = part_column(samples)
    kept: dict[str, Tested] = {}
    notes: list[str] = []
    first = [column for column in (part, unit) if column is not None]
    divided = {column: _division([row.values[column] for row in samples.rows]) for column in first}
    tested_by: dict[frozenset[str], str] = {}
    grouped = grouped_columns(samples)
    for axis in [column for column in dict.fromkeys([*first, *grouped]) if column in grouped]:
        division = _division([row.values[axis] for row in samples.rows])
        twin = next((other for other, known in divided.items() if known == division and other != axis), None)
        if twin is not None:
            notes.append(f"{axis} divides the images as {twin} does: left out")
        divided[axis] = division
        if twin is not None or axis == part or _names_parts(axis, samples):
            continue
        for name, tested in propose_held_out(samples, axis).items():
            same = tested_by.setdefault(_ids_tested(tested, axis, samples), name)
            if same == name:
                kept.setdefault(axis, {})[name] = tested
            else:
                notes.append(f"{name} would test the same images as {same}: left out")
    return Axes(kept, part, tuple(notes))


def part_column(samples: Samples) -> str | None:
    """The first column whose values are parts, one of them for training and one to be tested."""
    for column in samples.columns:
        parts = {part_of(row.values.get(column)) for row in samples.rows}
        if "train" in parts and len(parts) > 1 and None not in parts:
            return column
    return None


def _names_parts(column: str, samples: Samples) -> bool:
    return all(part_of(value) is not None for value in samples.values(column))


def _division(values: list[Value]) -> tuple[int, ...]:
    """Which samples share a value: the same of two columns that divide them alike."""
    number: dict[Value, int] = {}
    return tuple(number.setdefault(value, len(number)) for value in values)


def _ids_tested(tested: Mapping[str, tuple[Value, ...]], axis: str, samples: Samples) -> frozenset[str]:
    return frozenset(
        row.id
        for row in samples.rows
        if row.values[axis] in tested.get(row.classes[0] if samples.is_stratified else "*", tested["*"])
    )


def those_run(held_out: Mapping[str, Tested]) -> dict[str, Tested]:
    """At most MOST_RUN of the splits: of each axis as many as of the others, if it has them, evenly among its own."""
    number: Counter[str] = Counter()
    while number.total() < MOST_RUN:
        more = [axis for axis, splits in held_out.items() if number[axis] < len(splits)]
        if not more:
            break
        number.update(more[: MOST_RUN - number.total()])
    return {axis: _evenly(splits, number[axis]) for axis, splits in held_out.items() if number[axis]}


def _evenly(splits: Tested, count: int) -> Tested:
    names = [*splits]
    return {name: splits[name] for name in (names[place * len(names) // count] for place in range(count))}
