"""held_out: samples whose value on an axis is one of those that the definition names are tested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from study.definition import Definition
from study.errors import did_you_mean
from study.splits.parts import Division, SplitError, as_written, everything_but, values_in_words
from trainers.data.problems import Problem
from trainers.data.table import Samples, Value, in_order

EVERY_CLASS = "*"


def held_out(name: str, definition: Definition, samples: Samples) -> Division:
    """Tests the samples whose value on the axis is one that the split tests of their class. Raises SplitError."""
    axis = definition.splits.axis_of(name)
    assert axis is not None
    tested = definition.splits.held_out[axis][name]
    if problems := _problems(name, axis, tested, samples):
        raise SplitError(problems)
    values = {of: {samples.value(axis, value) for value in given} for of, given in tested.items()}
    others = values.get(EVERY_CLASS, set())

    def tested_of(classes: tuple[str, ...]) -> set[Value]:
        return values.get(classes[0], others) if samples.is_stratified else others

    test = frozenset(row.id for row in samples.rows if row.values[axis] in tested_of(row.classes))
    return everything_but(test, samples)


def _problems(split: str, axis: str, tested: Mapping[str, Sequence[Value]], samples: Samples) -> list[Problem]:
    if axis not in samples.columns:
        what = f"the samples have no column of that name (they have: {', '.join(samples.columns) or 'none'})"
        return [Problem(f"splits.held_out.{axis}", what + did_you_mean(axis, samples.columns))]
    unknown = sorted(set(tested) - {EVERY_CLASS, *samples.classes})
    what = f"splits.held_out.{axis} names a class that the data set does not have ({', '.join(samples.classes)})"
    problems = [Problem(split, what, f"class {name!r}") for name in unknown]
    if not samples.is_stratified and set(tested) != {EVERY_CLASS}:
        what = f'samples show several classes each, so what is tested is given for all: {split} = {{ "*" = [...] }}'
        problems.append(Problem(split, what))
    without = [row.id for row in samples.rows if axis not in row.values]
    problems += [Problem(split, f"a sample without {axis}: give it one", name) for name in without]
    what = f"no sample has this {axis}; there are: {values_in_words(samples.rows, axis)}"
    return problems + [Problem(split, what, f"{axis} {as_written(value)}") for value in _absent(axis, tested, samples)]


def _absent(axis: str, tested: Mapping[str, Sequence[Value]], samples: Samples) -> list[Value]:
    """What is to be tested and no sample has: misspelt, most likely."""
    there = samples.values(axis)
    return in_order(value for values in tested.values() for value in values if samples.value(axis, value) not in there)
