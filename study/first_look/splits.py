"""Splits that a data set allows: held-out ones from its columns, random ones, and what must stay together."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from study.definition.file import parse
from study.errors import StudyError
from study.first_look.axes import axes_of, those_run
from study.first_look.sizes import propose_batch_size
from study.leaks import column_that_keeps, leak_notes, leak_problems, leaks
from study.proposals import Tested, divides, proposed_unit
from study.splits import make_splits, split_notes, split_problems
from study.splits.equal_tests import equal_splits
from trainers.data.likeness import Likeness
from trainers.data.problems import DataError, Problem
from trainers.data.split import Split
from trainers.data.table import Samples

NUM_RANDOM = (8, 4, 2)
"""Random splits: the first of these that is wanted, or, where few units allow no more different ones, fewer."""
_NAMES_TOLD = 8


@dataclass(frozen=True)
class ProposedSplits:
    """What goes into grid.splits, splits and training.batch_size."""

    held_out: dict[str, Tested]
    """Those that are run, by axis."""
    described: dict[str, Tested] = field(default_factory=dict)
    """Those and others, which the definition describes so that they need only be named in grid.splits."""
    units_are_held_out_by_chance: bool = False
    """Random splits test one unit each: those that hold out a unit are described, and not run."""
    given: str | None = None
    """A column that says which samples are tested."""
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
        """Of all splits that are run."""
        random = (f"random_{number}" for number in range(self.num_random))
        return [*random, *(["given"] if self.given else []), *_names_of(self.held_out)]

    @property
    def not_run(self) -> list[str]:
        """Those that are described alone, as they are many."""
        units = self.described.get(self.unit or "", {}) if self.units_are_held_out_by_chance else {}
        run = {*_names_of(self.held_out), *units}
        return [name for name in _names_of(self.described) if name not in run]

    @property
    def few_units(self) -> str:
        """Why those that hold out a unit are not run, in a sentence; empty where they are."""
        if not self.units_are_held_out_by_chance:
            return ""
        return (
            f"There are so few values of {self.unit} that every random split tests one, and trains on the others: "
            f"random splits are held-out ones, too. Those that hold out {self.unit} would test the same images again, "
            "and are described and not run."
        )

    def as_table(self) -> dict[str, Any]:
        """The parts of a definition."""
        splits: dict[str, Any] = {"held_out": self.described, "allow_absent_classes": self.allow_absent}
        splits |= {"unit": self.unit} if self.unit_is_set else {}
        splits |= {"given": {"column": self.given}} if self.given else {}
        splits |= {"shared_backgrounds": True} if self.shared_backgrounds else {}
        return {"grid": {"splits": self.names}, "splits": splits, "training": {"batch_size": self.batch_size}}


def _names_of(held_out: Mapping[str, Tested]) -> list[str]:
    return [split for splits in held_out.values() for split in splits]


def propose_splits(
    samples: Samples, looked: Likeness, *, allow_copies: bool = False, wanted: ProposedSplits | None = None
) -> ProposedSplits:
    """As many of the splits that columns offer as can be made, with units if there are any, so that no identical images
    lie on both sides of one. Raises DataError if none can be.

    :param looked: which images look the same.
    :param wanted: how many random splits there are to be, and whether backgrounds are shared.
    """
    likely_unit = proposed_unit(samples)
    axes = axes_of(samples, likely_unit)
    wanted = replace(wanted or ProposedSplits({}), described=axes.held_out, given=axes.part, unit=likely_unit)
    keeps_copies = [column_that_keeps(looked.identical, samples)] if looked.identical and not allow_copies else []
    refused: list[Problem] = []
    for unit in dict.fromkeys([wanted.unit, *keeps_copies]):
        fits = _that_fits(replace(wanted, unit=unit, keeps_copies=unit != wanted.unit), samples)
        definition = parse(fits.as_table() | {"data": {"allow_copies": allow_copies}})
        splits = make_splits(definition, samples)
        found = list(leaks(looked, splits.values(), samples))
        if not (problems := leak_problems(found, definition)):
            fits = _without_those_of_random_splits(fits, splits.values())
            splits = {name: splits[name] for name in fits.names}
            notes = [*split_notes(splits.values(), definition, samples), *axes.notes, *_left_out(fits, wanted)]
            return replace(
                fits,
                batch_size=propose_batch_size(len(split.train) for split in splits.values()),
                notes=tuple(f"{note}." for note in notes),
                leaks=tuple(f"{note}." for note in leak_notes(found, definition)),
            )
        refused = refused or problems
    raise DataError(refused)


def _left_out(fits: ProposedSplits, wanted: ProposedSplits) -> Iterator[str]:
    """Of what the columns offer, what cannot be made, and what is not run."""
    with_unit = f" with splits.unit = {fits.unit!r}" * fits.unit_is_set
    axes = [axis for axis in wanted.described if axis not in fits.described]
    yield from (f"No split holds out {axis}: none can be made{with_unit}" for axis in axes)
    offered = _names_of({axis: splits for axis, splits in wanted.described.items() if axis in fits.described})
    cannot = [name for name in offered if name not in _names_of(fits.described)]
    cannot += ["given"] if wanted.given and not fits.given else []
    yield from [f"Left out, as they cannot be made{with_unit}: {', '.join(cannot)}"] * bool(cannot)
    yield from [fits.few_units.removesuffix(".")] * fits.units_are_held_out_by_chance
    if more := fits.not_run:
        which = ", ".join(more[:_NAMES_TOLD]) + ", ..." * (len(more) > _NAMES_TOLD)
        yield (
            f"{len(_names_of(fits.held_out))} held-out splits are run, so that a first study ends soon. {len(more)} "
            f"more {'is' if len(more) == 1 else 'are'} described under splits.held_out ({which}): to run more, add "
            "names to grid.splits"
        )


def _without_those_of_random_splits(fits: ProposedSplits, splits: Iterable[Split]) -> ProposedSplits:
    """Without the splits that hold out a unit, where one of them tests the same images as a random one: with few units
    all that is drawn is one of them, and the two kinds would be one and the same split, trained twice."""
    own = fits.held_out.get(fits.unit, {}) if fits.unit and fits.unit_is_set else {}
    both = [{split.name for split in equal} for equal in equal_splits(splits) if equal[0].kind == "random"]
    if not any(names & own.keys() for names in both):
        return fits
    held_out = {axis: tested for axis, tested in fits.held_out.items() if axis != fits.unit}
    return replace(fits, held_out=held_out, units_are_held_out_by_chance=True)


def _that_fits(wanted: ProposedSplits, samples: Samples) -> ProposedSplits:
    """As many of the wanted splits as can be made. Raises DataError if none can be.

    A unit is kept though some splits cannot be made with it: without it, all others would say too much.
    """
    mends: tuple[Mend, ...] = (lambda proposed, problems: None, _without_those_of)
    for with_unit, mend in itertools.product((True, False) if wanted.unit else (False,), mends):
        if fits := _first_that_fits(wanted, samples, mend, with_unit=with_unit):
            return fits
    least = replace(wanted, held_out={}, described={}, given=None, allow_absent=True, num_random=1)
    raise DataError(_problems(least, samples))


Mend = Callable[[ProposedSplits, Collection[Problem]], ProposedSplits | None]
"""What to try in place of a proposal that has these problems."""


def _first_that_fits(wanted: ProposedSplits, samples: Samples, mend: Mend, *, with_unit: bool) -> ProposedSplits | None:
    """With every class everywhere before without."""
    described = _that_divide_no_unit(wanted, samples) if with_unit else wanted.described
    numbers = [number for number in NUM_RANDOM if number <= wanted.num_random]
    for allow_absent, num_random in itertools.product((False, True), numbers):
        proposed: ProposedSplits | None = replace(
            wanted,
            held_out=those_run(described),
            described=described,
            unit_is_set=with_unit,
            allow_absent=allow_absent,
            num_random=num_random,
        )
        while proposed and (problems := _problems(proposed, samples)):
            proposed = mend(proposed, problems)
        if proposed:
            return proposed
    return None


def _that_divide_no_unit(wanted: ProposedSplits, samples: Samples) -> dict[str, Tested]:
    """The held-out splits along the columns in which all samples of a unit have one value."""
    assert wanted.unit is not None
    return {axis: splits for axis, splits in wanted.described.items() if not divides(axis, wanted.unit, samples)}


def _problems(proposed: ProposedSplits, samples: Samples) -> list[Problem]:
    try:
        return split_problems(parse(proposed.as_table()), samples)
    except StudyError as error:  # a column or value that a definition cannot name
        return [Problem("splits", str(error).replace("\n", " "))]


def _without_those_of(proposed: ProposedSplits, problems: Collection[Problem]) -> ProposedSplits | None:
    """Without the splits from columns that have problems; others take their place."""
    bad = {problem.place.partition(",")[0] for problem in problems}
    kept = {
        axis: {name: t for name, t in splits.items() if name not in bad} for axis, splits in proposed.described.items()
    }
    kept = {axis: splits for axis, splits in kept.items() if splits}
    if "splits" in bad:
        kept = {}
    given = None if "given" in bad else proposed.given
    if (kept, given) == (proposed.described, proposed.given):
        return None
    return replace(proposed, held_out=those_run(kept), described=kept, given=given)
