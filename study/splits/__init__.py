"""Splits as pure functions of (definition, table of samples): which samples train, validate and test.

One file a kind of split; parts.py has what they share, units.py the samples that are never divided, nearest.py how they
are spread as evenly as they allow, absent.py what a split lacks, everything.py the split that leaves nothing to test.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from study.definition import Definition
from study.definition.splits import whole_of_share
from study.splits.absent import absent_notes, absent_problems
from study.splits.equal_tests import equal_notes
from study.splits.folds import fold
from study.splits.given import given, given_notes
from study.splits.held_out import held_out
from study.splits.matched import matched, matching_notes
from study.splits.parts import Division, SplitError, split_of
from study.splits.random_draws import random_draw
from study.splits.shares import share
from study.splits.units import unit_problems
from trainers.data.problems import Problem
from trainers.data.split import Split, SplitKind
from trainers.data.table import Samples
from trainers.printable import counted
from trainers.recipe import FEWEST_IN_A_BATCH

Divide = Callable[[str, Definition, Samples], Division]
"""The samples that the split of a name tests, and those that are left to it. Raises SplitError."""


def make_splits(definition: Definition, samples: Samples) -> dict[str, Split]:
    """Every split of the grid, by name. Raises SplitError with all problems."""
    splits, problems = _attempted(definition, samples)
    if problems:
        raise SplitError(problems)
    return splits


def split_problems(definition: Definition, samples: Samples) -> list[Problem]:
    """Why splits of the grid cannot be made."""
    return _attempted(definition, samples)[1]


def _attempted(definition: Definition, samples: Samples) -> tuple[dict[str, Split], list[Problem]]:
    """The splits of the grid that can be made, and what is wrong with them and with the others."""
    if problems := unit_problems(definition, samples):
        return {}, problems
    splits: dict[str, Split] = {}
    for name in definition.all_splits:
        try:
            splits[name] = make_split(name, definition, samples)
        except SplitError as error:
            problems += error.problems
        else:
            problems += _too_few_for_a_batch(splits[name], definition.largest_batch_size)
    if not definition.splits.allow_absent_classes:
        problems += absent_problems(splits.values(), samples)
    return splits, problems


def split_notes(splits: Collection[Split], definition: Definition, samples: Samples) -> list[str]:
    """What should be known of splits that can be made, in sentences: which test the same images, which lacks which
    class, which leaves samples out, and how near a matched split comes to its own."""
    notes = matching_notes(splits, samples, lambda name: make_split(name, definition, samples))
    equal = equal_notes(splits, definition.splits.unit)
    return [*equal, *absent_notes(splits, samples), *given_notes(splits, samples), *notes]


def _too_few_for_a_batch(split: Split, batch_size: int) -> list[Problem]:
    count = len(split.train)
    if count >= batch_size:
        return []
    smaller = f" or set training.batch_size to at most {count}" if count >= FEWEST_IN_A_BATCH else ""
    more = "take a larger share" if split.kind == "share" else "add samples"
    what = f"fewer samples are left to train on than a batch has: {more}{smaller}"
    return [Problem(split.name, what, counted(count, "sample"))]


def make_split(name: str, definition: Definition, samples: Samples) -> Split:
    """The split called `name`. Raises SplitError."""
    if problems := unit_problems(definition, samples):
        raise SplitError(problems)
    kind = definition.splits.kind_of(name)
    assert kind is not None, f"{name}: the definition has no such split"
    hangs_on_order = ("random", "held_out", "share")  # as it always has; a share, as its whole split does
    if definition.splits.unit or kind not in hangs_on_order:
        samples = replace(samples, rows=tuple(sorted(samples.rows, key=lambda row: row.id)))
    divide: dict[SplitKind, Divide] = {
        "random": random_draw,
        "held_out": held_out,
        "fold": fold,
        "given": given,
        "matched": lambda name, definition, samples: matched(name, definition, samples, make_split),
        "share": lambda name, definition, samples: share(name, definition, samples, make_split),
    }
    split = split_of(name, kind, divide[kind](name, definition, samples), definition, samples)
    return replace(split, whole=whole_of_share(name)[0]) if kind == "share" else split
