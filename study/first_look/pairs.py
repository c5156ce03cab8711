"""Photographs with label maps, looked at for the first time: what they hold, and every problem."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from study.definition import Definition
from study.first_look.classes import NamedClasses, name_classes
from study.first_look.columns import propose_pattern
from study.first_look.odd_mask import odd_mask
from study.first_look.sizes import WorkingSize, propose_size, with_given
from study.first_look.smeared import smeared_problem
from study.first_look.waiting import Tell, silently, with_progress
from trainers.data.class_names import IGNORED
from trainers.data.likeness import Likeness, likeness
from trainers.data.pairs.columns import metadata_place, with_columns
from trainers.data.pairs.description import Pairs
from trainers.data.pairs.fitting import Fitting
from trainers.data.pairs.label_table import LabelTable
from trainers.data.pairs.listing import list_pairs, with_maximum
from trainers.data.pairs.mask_values import Seen, see_all, values_in
from trainers.data.pairs.pair import Listing
from trainers.data.pairs.parts import PART
from trainers.data.pairs.survey import Survey
from trainers.data.problems import DataError, Problem
from trainers.data.size import Size
from trainers.data.table import Samples


@dataclass(frozen=True)
class ClassCount:
    """How much a class occurs, at the images' own size."""

    name: str
    pixels: int
    images: int


@dataclass(frozen=True)
class PairsSeen:
    """A data set without problems."""

    described: Pairs
    """Everything settled."""
    named: NamedClasses
    samples: Samples
    likeness: Likeness
    """Of the images at the working size."""
    sizes: Counter[Size]
    """Of the images, upright."""
    counts: tuple[ClassCount, ...]
    """The background first, if there is one; the ignored pixels last."""
    working: WorkingSize
    notes: tuple[str, ...]
    pattern_why: str
    """What a pattern that nobody gave was seen by; nothing where there is none."""


@dataclass(frozen=True)
class Described:
    """A data set of which everything is settled that a definition may leave open; only its masks were read."""

    pairs: Pairs
    named: NamedClasses
    listing: Listing
    labels: LabelTable
    seen: Sequence[Seen]
    sizes: Counter[Size]
    """Of the images, upright."""
    pattern_why: str
    working: WorkingSize
    """As given, else as proposed."""

    @property
    def survey(self) -> Survey:
        """A new one, of the images at the working size."""
        return Survey(self.listing, self.labels, Fitting(self.working.size, self.working.resize))

    def with_maximum(self, image_maximum: int) -> Described:
        """The same, of whose images of 16 bits this value becomes 255."""
        pairs = self.pairs.model_copy(update={"image_maximum": image_maximum})
        return replace(self, pairs=pairs, listing=with_maximum(self.listing, image_maximum))


def look_at_pairs(root: Path, described: Pairs, given: Definition, tell: Tell = silently) -> PairsSeen:
    """Read everything once or twice.

    :param described: with a layout; what else it leaves open is proposed.
    :param given: what the user says of the data and the working size.
    :raises DataError: every problem.
    """
    found = describe_pairs(root, described, given, tell)
    survey = _looked_at(found, given, tell)
    notes = list(survey.notes)
    if described.image_maximum is None and (maximum := survey.likely_maximum):
        found = found.with_maximum(maximum)
        survey = _looked_at(found, given, tell)
        notes.append(f"The definition has image_maximum = {maximum}.")
    return PairsSeen(
        described=found.pairs,
        named=found.named,
        samples=survey.samples,
        likeness=likeness(survey.glimpses),
        sizes=found.sizes,
        counts=tuple(_counts(found.labels, found.seen)),
        working=found.working,
        notes=(*found.named.notes, *notes),
        pattern_why=found.pattern_why,
    )


def _looked_at(found: Described, given: Definition, tell: Tell) -> Survey:
    """Every image decoded. Raises DataError."""
    survey = found.survey
    survey.look(with_progress(found.listing.pairs, "Looking at images", tell), with_images=True)
    survey.refuse_problems(allow_copies=given.data.allow_copies)
    return survey


def describe_pairs(root: Path, described: Pairs, given: Definition, tell: Tell = silently) -> Described:
    """Propose what is left open. Raises DataError, with the problems of files too, where that cannot be done."""
    listing = list_pairs(root, described)
    pattern = propose_pattern([pair.id for pair in listing.pairs]) if _may_have_a_pattern(listing, described) else None
    if pattern:
        described = described.model_copy(update={"columns": pattern.text})
        listing = with_columns(listing, root, described)
        listing = replace(listing, problems=tuple(dict.fromkeys(listing.problems)))  # those of a table come again
    described = described.model_copy(update={"metadata": metadata_place(root, described, listing.pairs)})
    seen = see_all(with_progress(listing.pairs, "Counting the values of masks", tell))
    problems = list(dict.fromkeys([*listing.problems, *(each.problem for each in seen if each.problem)]))
    if not any(each.size for each in seen):
        raise DataError(problems or [Problem(".", "no image")])
    named, labels = _named(described, listing, seen, problems)
    sizes = Counter(each.size for each in seen if each.size)
    why = pattern.why if pattern else ""
    working = with_given(propose_size(list(sizes.elements())), given.training)
    return Described(named.put_into(described), named, listing, labels, seen, sizes, why, working)


def _may_have_a_pattern(listing: Listing, described: Pairs) -> bool:
    """Whether nobody has said what the columns are; the folders of parts alone say too little."""
    values = [pair.values for pair in listing.pairs]
    return described.columns is None and not any(each.keys() - {PART} for each in values)


def _named(
    described: Pairs, listing: Listing, seen: Sequence[Seen], problems: Iterable[Problem]
) -> tuple[NamedClasses, LabelTable]:
    """The classes, without those of the format that no image shows, and their labels.

    Raises DataError with the problems that there are already, and more.
    """
    nobody_says = described.classes is None and listing.classes is None
    if nobody_says and (smeared := smeared_problem(listing, seen)):
        raise DataError([*problems, smeared])
    odd = odd_mask(listing, seen) if nobody_says else None
    try:
        named = name_classes(
            described, listing, [value for value in values_in(seen) if not odd or value not in odd.values]
        )
        named.notes += [odd.in_words] if odd else []
        table = LabelTable.of(named.put_into(described), listing)
        labels: Counter[int] = sum((each.labels(table) for each in seen), Counter())
        absent = [name for label, name in enumerate(table.names, int(table.has_background)) if not labels[label]]
        if absent and described.classes is None and len(absent) < len(table.names):
            named.leave_out(absent)
            table = LabelTable.of(named.put_into(described), listing)
    except DataError as error:
        raise DataError([*problems, *error.problems]) from None
    return named, table


def _counts(table: LabelTable, seen: Sequence[Seen]) -> Iterable[ClassCount]:
    of_images = [each.labels(table) for each in seen]
    names = dict(enumerate(("background",) * table.has_background + table.names))
    has_ignored = any(each[IGNORED] for each in of_images)
    for label, name in (names | ({IGNORED: "ignored"} if has_ignored else {})).items():
        yield ClassCount(name, sum(each[label] for each in of_images), sum(each[label] > 0 for each in of_images))
