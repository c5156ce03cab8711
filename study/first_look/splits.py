"""Splits that a data set allows: held-out ones from its columns, random ones, and what must stay together."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

from study.definition.file import parse
from study.errors import StudyError
from study.first_look.columns import grouped_columns
from study.first_look.sizes import propose_batch_size
from study.leaks import column_that_keeps, leak_notes, leak_problems, leaks
from study.proposals import Tested, divides, propose_held_out, proposed_unit
from study.splits import make_splits, split_notes, split_problems
from trainers.data.likeness import Likeness
from trainers.data.problems import DataError, Problem
from trainers.data.table import Samples

NUM_RANDOM = (8, 4, 2)
"""Random splits: the first of these that is wanted, or, where few units allow no more different ones, fewer."""


@dataclass(frozen=True)
class ProposedSplits:
    """What goes into grid.splits, splits and training.batch_size."""

    held_out: dict[str, Tested]
    """By axis."""
    unit: str | None = None
    """A column that looks like groups, or keeps identical images together."""
    keeps_copies: bool = False
    """Whether it was taken for the latter."""
    num_random: int = 4
    unit_is_set: bool = False
    """Whether the splits can be made with it."""
    allow_absent: bool = False
    shared_backgrounds: bool = False
    """Of cut-outs, whether there are too few groups of backgrounds to hold any out."""
    batch_size: int = 2
    notes: tuple[str, ...] = ()
    leaks: tuple[str, ...] = ()
    """The images on both sides of a split that are no reason to refuse it, in sentences."""

    @property
    def names(self) -> list[str]:
        """Of all splits."""
        held_out = [split for splits in self.held_out.values() for split in splits]
        return [*(f"random_{number}" for number in range(self.num_random)), *held_out]

    def as_table(self) -> dict[str, Any]:
        """The parts of a definition."""
        splits: dict[str, Any] = {"held_out": self.held_out, "allow_absent_classes": self.allow_absent}
        splits |= {"unit": self.unit} if self.unit_is_set else {}
        splits |= {"shared_backgrounds": True} if self.shared_backgrounds else {}
        return {"grid": {"splits": self.names}, "splits": splits, "training": {"batch_size": self.batch_size}}


def propose_splits(
    samples: Samples, looked: Likeness, *, allow_copies: bool = False, wanted: ProposedSplits | None = None
) -> ProposedSplits:
    """As many of the held-out splits as can be made, with units if there are any, so that no identical images lie on
    both sides of one. Raises DataError if none can be.

    :param looked: which images look the same.
    :param wanted: how many random splits there are to be, and whether backgrounds are shared.
    """
    axes = grouped_columns(samples)
    held_out = {axis: tested for axis in axes if (tested := propose_held_out(samples, axis))}
    wanted = replace(wanted or ProposedSplits({}), held_out=held_out, unit=proposed_unit(samples))
    keeps_copies = [column_that_keeps(looked.identical, samples)] if looked.identical and not allow_copies else []
    refused: list[Problem] = []
    for unit in dict.fromkeys([wanted.unit, *keeps_copies]):
        fits = _that_fits(replace(wanted, unit=unit, keeps_copies=unit != wanted.unit), samples)
        definition = parse(fits.as_table() | {"data": {"allow_copies": allow_copies}})
        splits = make_splits(definition, samples)
        found = list(leaks(looked, splits.values(), samples))
        if not (problems := leak_problems(found, definition)):
            notes = split_notes(splits.values(), definition, samples)
            notes += [f"No split holds out {axis}" for axis in wanted.held_out if axis not in fits.held_out]
            return replace(
                fits,
                batch_size=propose_batch_size(len(split.train) for split in splits.values()),
                notes=tuple(f"{note}." for note in notes),
                leaks=tuple(f"{note}." for note in leak_notes(found, definition)),
            )
        refused = refused or problems
    raise DataError(refused)


def _that_fits(wanted: ProposedSplits, samples: Samples) -> ProposedSplits:
    """As many of the wanted splits as can be made. Raises DataError if none can be."""
    fits = _first_that_fits(wanted, samples, lambda proposed, problems: None)
    fits = fits or _first_that_fits(wanted, samples, _without_those_of)
    if fits is None:
        raise DataError(_problems(replace(wanted, held_out={}, allow_absent=True, num_random=1), samples))
    return fits


Mend = Callable[[ProposedSplits, Collection[Problem]], ProposedSplits | None]
"""What to try in place of a proposal that has these problems."""


def _first_that_fits(wanted: ProposedSplits, samples: Samples, mend: Mend) -> ProposedSplits | None:
    """With units before without; with every class everywhere before without."""
    with_units = (True, False) if wanted.unit else (False,)
    numbers = [number for number in NUM_RANDOM if number <= wanted.num_random]
    for with_unit, allow_absent, num_random in itertools.product(with_units, (False, True), numbers):
        held_out = _that_divide_no_unit(wanted, samples) if with_unit else wanted.held_out
        proposed: ProposedSplits | None = replace(
            wanted, held_out=held_out, unit_is_set=with_unit, allow_absent=allow_absent, num_random=num_random
        )
        while proposed and (problems := _problems(proposed, samples)):
            proposed = mend(proposed, problems)
        if proposed:
            return proposed
    return None


def _that_divide_no_unit(wanted: ProposedSplits, samples: Samples) -> dict[str, Tested]:
    """The held-out splits along the columns in which all samples of a unit have one value."""
    assert wanted.unit is not None
    return {axis: splits for axis, splits in wanted.held_out.items() if not divides(axis, wanted.unit, samples)}


def _problems(proposed: ProposedSplits, samples: Samples) -> list[Problem]:
    try:
        return split_problems(parse(proposed.as_table()), samples)
    except StudyError as error:  # a column or value that a definition cannot name
        return [Problem("splits", str(error).replace("\n", " "))]


def _without_those_of(proposed: ProposedSplits, problems: Collection[Problem]) -> ProposedSplits | None:
    """Without the held-out splits that have problems."""
    bad = {problem.place.partition(",")[0] for problem in problems}
    kept = {
        axis: {name: t for name, t in splits.items() if name not in bad} for axis, splits in proposed.held_out.items()
    }
    kept = {axis: splits for axis, splits in kept.items() if splits}
    if "splits" in bad:
        kept = {}
    return replace(proposed, held_out=kept) if kept != proposed.held_out else None
