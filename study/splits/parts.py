"""From the samples that a split tests to the split: validation samples are taken from the others; all is checked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from study.definition import Definition
from study.errors import StudyError
from study.splits.units import Units
from trainers.data.problems import Problem, in_lines
from trainers.data.split import Split, SplitKind
from trainers.data.table import ALL_SAMPLES, Sample, Samples, Value, in_order, in_words
from trainers.seeds import generator_for

MOST_VALUES_SHOWN = 20
VALIDATION_DRAWS = 16
"""Of which the one whose numbers of samples are nearest to the share is taken, where samples form units."""


class SplitError(StudyError):
    """A split cannot be made. `problems` holds every reason, each naming split, class and remedy."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        lines = [f"  {line}" for line in in_lines(self.problems)]
        super().__init__("\n".join(["the data cannot be split as defined:", *lines]))


@dataclass(frozen=True)
class Division:
    """What a kind of split decides, by id. What is in neither is left out of the split."""

    test: frozenset[str]
    pool: frozenset[str]
    """To train on and to validate with."""
    val: frozenset[str] | None = None
    """Of the pool; None: a share of it, drawn by chance."""


def everything_but(test: frozenset[str], samples: Samples) -> Division:
    """A division that leaves no sample out."""
    return Division(test, frozenset(row.id for row in samples.rows) - test)


def split_of(name: str, kind: SplitKind, division: Division, definition: Definition, samples: Samples) -> Split:
    """The split that a division makes. Raises SplitError."""
    axis = definition.splits.axis_of(name)
    pool = _in_strata(samples, division.pool)
    if problems := [
        *_divided_units(name, division, definition, samples),
        *_empty_parts(name, kind, division, definition, samples),
    ]:
        raise SplitError(problems)
    validation = _drawn_validation(name, definition, samples, pool) if division.val is None else division.val
    parts = {
        "train": tuple(row.id for row in pool if row.id not in validation),
        "val": tuple(row.id for row in pool if row.id in validation),
        "test": tuple(row.id for row in _in_strata(samples, division.test)),
    }
    fingerprint = fingerprint_of({"kind": kind, "axis": axis, **parts})
    return Split(name, kind, axis, parts["train"], parts["val"], parts["test"], fingerprint)


def _in_strata(samples: Samples, ids: frozenset[str]) -> list[Sample]:
    return [row for rows in samples.strata().values() for row in rows if row.id in ids]


def _drawn_validation(name: str, definition: Definition, samples: Samples, pool: Iterable[Sample]) -> frozenset[str]:
    """The validation samples: a seeded share of each class's training samples, at least one of each class that has two
    or more; and of all, where every class has but one."""
    splits = definition.splits
    units = Units.of(samples, splits.unit, pool)
    draws: list[list[int]] = [[] for _ in range(1 if splits.unit is None else VALIDATION_DRAWS)]
    for stratum, members in units.strata(fewest=2).items():
        shuffle = generator_for(definition.seed, name, "validation images", stratum)
        count = min(len(members) - 1, max(1, round(splits.validation_share * len(members))))
        for draw in draws:
            draw += [members[i] for i in shuffle.permutation(len(members))[:count]]
    if not draws[0]:
        shuffle = generator_for(definition.seed, name, "validation images", ALL_SAMPLES)
        draws = [shuffle.permutation(len(units))[:1].tolist()]
    return units.ids(units.nearest(draws, splits.validation_share))


def _divided_units(name: str, division: Division, definition: Definition, samples: Samples) -> list[Problem]:
    """The units of which a part of the split has some samples, but not all."""
    column = definition.splits.unit
    if column is None:
        return []
    val = division.val or frozenset()
    parts = {"train": division.pool - val, "val": val, "test": division.test}
    axis = definition.splits.axis_of(name)
    what = (
        f"one {column} is in two parts of the split, though splits.unit keeps its samples together: let every "
        f"{column} be in one, take {name} out of grid.splits, or set another splits.unit"
    )
    problems = []
    for rows in Units.of(samples, column).rows:
        where = [part for part, ids in parts.items() if any(row.id in ids for row in rows)]
        if len(where) > 1:
            in_parts = "in " + " and ".join(where)
            detail = f"its {axis}: {values_in_words(rows, axis)}" if axis else in_parts
            problems.append(Problem(f"{name}, {column} {as_written(rows[0].values[column])}", what, detail))
    return problems


def _empty_parts(
    name: str, kind: SplitKind, division: Division, definition: Definition, samples: Samples
) -> list[Problem]:
    """Of each class, where samples are divided by class, whether there is what a split needs. Where classes may be
    absent, of all samples."""
    splits = definition.splits
    units = Units.of(samples, splits.unit)
    everything = {ALL_SAMPLES: list(range(len(units)))}
    strata = everything if splits.allow_absent_classes else units.strata(fewest=3)
    problems = []
    for stratum, members in strata.items():
        place = f"{name}, {stratum}" if stratum == ALL_SAMPLES else f"{name}, class {stratum}"
        rows = [row for unit in members for row in units.rows[unit]]
        detail, remedy = _what_to_do(name, kind, definition, rows)
        tested, left = (
            sum(any(row.id in ids for row in units.rows[unit]) for unit in members)
            for ids in (division.test, division.pool - (division.val or frozenset()))
        )
        if not tested:
            problems.append(Problem(place, f"no sample to test on: {remedy}", detail))
        if not left and division.val is not None:
            problems.append(Problem(place, f"no sample to train on: {remedy}", detail))
        if left < 2 and division.val is None:
            needed = "samples" if splits.unit is None else f"values of {splits.unit}"
            what = f"fewer than the 2 {needed} that are needed to train on and to validate with: {remedy}"
            problems.append(Problem(place, what, detail))
    return problems


def _what_to_do(name: str, kind: SplitKind, definition: Definition, rows: Sequence[Sample]) -> tuple[str, str]:
    """What a class (or all samples) has, and what gives a split what it needs of it."""
    splits = definition.splits
    if axis := splits.axis_of(name):
        change = f"change splits.held_out.{axis}.{name}"
        return f"its {axis}: {values_in_words(rows, axis)}", f"{change}, or take {name} out of grid.splits"
    has = f"it has {len(rows)}"
    if kind == "fold":
        return has, f"add samples, or set splits.folds to less than {splits.folds}"
    if kind == "given" and splits.given:
        change = f"change the parts in {splits.given.file or f'column {splits.given.column}'}"
        return has, f"{change}, or take {name} out of grid.splits"
    if kind == "share":
        return has, "take a larger share in grid.train_shares, or add samples"
    return has, "add samples"


def values_in_words(rows: Iterable[Sample], axis: str) -> str:
    values = in_order(row.values[axis] for row in rows if axis in row.values)
    more = f" and {len(values) - MOST_VALUES_SHOWN} more" if len(values) > MOST_VALUES_SHOWN else ""
    return ", ".join(map(as_written, values[:MOST_VALUES_SHOWN])) + more


def as_written(value: Value) -> str:
    """As a definition has it: the number 7 is not the word "7"."""
    return f'"{value}"' if isinstance(value, str) else in_words(value)


def fingerprint_of(parts: dict[str, object]) -> str:
    """Twelve hexadecimal digits that name a split's kind, axis and samples."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]
