"""Splits as pure functions of (definition, table of samples): which samples train, validate and test."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence

from study.definition import Definition
from study.errors import StudyError, did_you_mean
from trainers.data.problems import Problem, in_lines
from trainers.data.split import Split, SplitKind
from trainers.data.table import ALL_SAMPLES, Sample, Samples, Value, in_order, in_words
from trainers.printable import counted
from trainers.seeds import generator_for, shuffled

EVERY_CLASS = "*"
MOST_VALUES_SHOWN = 20


class SplitError(StudyError):
    """A split cannot be made. `problems` holds every reason, each naming split, class and remedy."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        lines = [f"  {line}" for line in in_lines(self.problems)]
        super().__init__("\n".join(["the data cannot be split as defined:", *lines]))


def make_splits(definition: Definition, samples: Samples) -> dict[str, Split]:
    """Every split of the grid, by name. Raises SplitError with all problems."""
    problems = split_problems(definition, samples)
    if problems:
        raise SplitError(problems)
    return {name: make_split(name, definition, samples) for name in definition.grid.splits}


def split_problems(definition: Definition, samples: Samples) -> list[Problem]:
    """Why splits of the grid cannot be made."""
    problems: list[Problem] = []
    for name in definition.grid.splits:
        try:
            split = make_split(name, definition, samples)
        except SplitError as error:
            problems += error.problems
        else:
            problems += _too_few_for_a_batch(split, definition.largest_batch_size)
    return problems


def _too_few_for_a_batch(split: Split, batch_size: int) -> list[Problem]:
    count = len(split.train)
    if count >= batch_size:
        return []
    what = (
        "fewer samples are left to train on than a batch has: add samples or set training.batch_size to at most "
        f"{count}"
    )
    return [Problem(split.name, what, counted(count, "sample"))]


def make_split(name: str, definition: Definition, samples: Samples) -> Split:
    """The split called `name`. Raises SplitError."""
    axis = definition.splits.axis_of(name)
    if axis is None:
        tested = _random_test(int(name.removeprefix("random_")), definition, samples)
    else:
        tested = _held_out_test(name, axis, definition, samples)
    pool, test, problems = [], [], []
    for stratum, rows in samples.strata().items():
        stratum_test = [row for row in rows if row.id in tested]
        stratum_pool = [row for row in rows if row.id not in tested]
        problems += _empty_parts(name, axis, stratum, rows, stratum_pool, stratum_test)
        pool += stratum_pool
        test += stratum_test
    if problems:
        raise SplitError(problems)
    validation = _validation_samples(name, definition, samples, pool)
    parts = {
        "train": tuple(row.id for row in pool if row.id not in validation),
        "val": tuple(row.id for row in pool if row.id in validation),
        "test": tuple(row.id for row in test),
    }
    kind: SplitKind = "random" if axis is None else "held_out"
    return Split(name, kind, axis, **parts, fingerprint=_fingerprint({"kind": kind, "axis": axis, **parts}))


def _empty_parts(
    split: str, axis: str | None, stratum: str, rows: Sequence[Sample], pool: Sequence[Sample], test: Sequence[Sample]
) -> list[Problem]:
    place = f"{split}, {stratum}" if stratum == ALL_SAMPLES else f"{split}, class {stratum}"
    if axis is None:
        detail, remedy = f"it has {len(rows)}", "add samples"
    else:
        detail, remedy = f"its {axis}: {_values_in_words(rows, axis)}", f"change splits.held_out.{axis}.{split}"
    problems = []
    if not test:
        problems.append(Problem(place, f"no sample to test on: {remedy}", detail))
    if len(pool) < 2:
        what = f"fewer than the 2 samples that are needed to train on and to validate with: {remedy}"
        problems.append(Problem(place, what, detail))
    return problems


def _values_in_words(rows: Iterable[Sample], axis: str) -> str:
    values = in_order(row.values[axis] for row in rows if axis in row.values)
    more = f" and {len(values) - MOST_VALUES_SHOWN} more" if len(values) > MOST_VALUES_SHOWN else ""
    return ", ".join(map(_as_written, values[:MOST_VALUES_SHOWN])) + more


def _as_written(value: Value) -> str:
    """As a definition has it: the number 7 is not the word "7"."""
    return f'"{value}"' if isinstance(value, str) else in_words(value)


def _held_out_test(split: str, axis: str, definition: Definition, samples: Samples) -> frozenset[str]:
    """The samples whose value on the axis is one that the split tests of their class. Raises SplitError."""
    tested = definition.splits.held_out[axis][split]
    if problems := _held_out_problems(split, axis, tested, samples):
        raise SplitError(problems)
    values = {name: {samples.value(axis, value) for value in given} for name, given in tested.items()}
    others = values.get(EVERY_CLASS, set())
    of_class = {name: values.get(name, others) for name in samples.classes} if samples.is_stratified else {}
    return frozenset(row.id for row in samples.rows if row.values[axis] in of_class.get(row.classes[0], others))


def _held_out_problems(split: str, axis: str, tested: Mapping[str, Sequence[Value]], samples: Samples) -> list[Problem]:
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
    what = f"no sample has this {axis}; there are: {_values_in_words(samples.rows, axis)}"
    return problems + [Problem(split, what, f"{axis} {_as_written(value)}") for value in _absent(axis, tested, samples)]


def _absent(axis: str, tested: Mapping[str, Sequence[Value]], samples: Samples) -> list[Value]:
    """What is to be tested and no sample has: misspelt, most likely."""
    there = samples.values(axis)
    return in_order(value for values in tested.values() for value in values if samples.value(axis, value) not in there)


def _random_test(number: int, definition: Definition, samples: Samples) -> frozenset[str]:
    """The test samples of random_<number>: of each class a random share; the others, rounded down, are left to train.

    The paper's authors cut without a shuffle, so that their eight random splits are one. Here all the ways to choose
    test samples are numbered, and a seeded shuffle of these numbers gives every split its own: splits differ pairwise,
    and none asks what the others are.
    """
    strata = [
        (rows, len(rows) - int(round((1 - definition.splits.test_share) * len(rows), 9)))
        for rows in samples.strata().values()
    ]
    ways = [math.comb(len(rows), num_test) for rows, num_test in strata]
    if number >= math.prod(ways):
        what = f"the data set is too small: it has {math.prod(ways)} random splits that differ; ask for no others"
        raise SplitError([Problem(f"random_{number}", what)])
    rank = shuffled(number, math.prod(ways), definition.seed, "test images of random splits")
    tested = []
    for (rows, num_test), ways_of_stratum in zip(strata, ways, strict=True):
        rank, rank_of_stratum = divmod(rank, ways_of_stratum)
        tested += [rows[i].id for i in combination(rank_of_stratum, len(rows), num_test)]
    return frozenset(tested)


def combination(rank: int, num_items: int, num_chosen: int) -> list[int]:
    """The combination that has this rank, from 0, among all those of `num_chosen` of the items 0 to num_items - 1."""
    chosen: list[int] = []
    ways = math.comb(num_items, num_chosen)  # to choose what is still to be chosen among the items still to come
    for item in range(num_items):
        with_it = ways * (num_chosen - len(chosen)) // (num_items - item)
        if rank < with_it:
            chosen.append(item)
            ways = with_it
        else:
            rank -= with_it
            ways -= with_it
    return chosen


def _validation_samples(split: str, definition: Definition, samples: Samples, pool: Iterable[Sample]) -> frozenset[str]:
    """The validation samples: a seeded share of each class's training samples, at least one of each class."""
    chosen: list[str] = []
    for stratum, rows in samples.strata(pool).items():
        shuffle = generator_for(definition.seed, split, "validation images", stratum)
        count = min(len(rows) - 1, max(1, round(definition.splits.validation_share * len(rows))))
        chosen += [rows[i].id for i in shuffle.permutation(len(rows))[:count]]
    return frozenset(chosen)


def _fingerprint(parts: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]
