"""Images on both sides of a split: what is tested was trained on, or nearly so."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from study.definition import Definition
from study.splits.units import FEWEST
from trainers.data.likeness import Likeness, likeness, partners
from trainers.data.problems import Problem, in_lines
from trainers.data.source import Glimpsed, Source
from trainers.data.split import Split
from trainers.data.table import Samples


@dataclass(frozen=True)
class Leak:
    """Test images of a split with a counterpart among its training or validation images."""

    split: str
    is_identical: bool
    pairs: tuple[tuple[str, str], ...]
    """Ids: a test image, and the first of its counterparts."""
    num_test: int
    kept_by: str | None = None
    """A column that all such images of the data set share, so that as splits.unit it keeps them together."""

    def as_problem(self, remedy: str) -> Problem:
        """What is to be known of it, in words that are the same for all splits that have such images."""
        one, other = self.pairs[0]
        like = "an identical" if self.is_identical else "a near-identical"
        what = f"test images with {like} image among those trained on or validated with; {remedy}"
        return Problem(f"split {self.split}", what, f"{len(self.pairs)} of {self.num_test}, e.g. {one} and {other}")


def leaks(found: Likeness, splits: Iterable[Split], samples: Samples | None = None) -> Iterator[Leak]:
    """Of every split that has any, the identical images, and the near-identical ones of other test images.

    :param samples: whose columns may keep them together.
    """
    same, near = partners(found)
    kept = [column_that_keeps(groups, samples) if samples else None for groups in (found.identical, found.near)]
    for split in splits:
        seen = frozenset((*split.train, *split.val))
        copied = _pairs(split.test, same, seen)
        others = [id_ for id_ in split.test if id_ not in dict(copied)]
        for is_identical, pairs, kept_by in ((True, copied, kept[0]), (False, _pairs(others, near, seen), kept[1])):
            if pairs:
                yield Leak(split.name, is_identical, tuple(pairs), len(split.test), kept_by)


def column_that_keeps(groups: Iterable[Sequence[str]], samples: Samples) -> str | None:
    """Of the columns that could be splits.unit, one in which the images of each group share a value; of several that
    with the most values."""
    rows = {row.id: row.values for row in samples.rows}
    columns = [
        column
        for column in samples.columns
        if len(samples.values(column)) >= FEWEST and all(column in values for values in rows.values())
    ]
    for group in groups:
        columns = [column for column in columns if len({rows[id_][column] for id_ in group}) == 1]
    return max(columns, key=lambda column: len(samples.values(column)), default=None)


def _pairs(ids: Iterable[str], partners: Mapping[str, Sequence[str]], seen: frozenset[str]) -> list[tuple[str, str]]:
    """Each of the ids that has a partner that was seen, with the first of these."""
    found = ((id_, next((other for other in partners.get(id_, ()) if other in seen), None)) for id_ in ids)
    return [(id_, other) for id_, other in found if other is not None]


def leaks_of(source: Source, splits: Collection[Split]) -> list[Leak]:
    """What lies on both sides of these splits; of shares it is among what the whole split has. Cut-outs are not looked
    at: they are put before backgrounds that the splits do not share, and copies are looked for in their files."""
    if not isinstance(source, Glimpsed) or not splits:
        return []
    names = {split.name for split in splits}
    return list(leaks(likeness(source.glimpses), [s for s in splits if s.whole not in names], source.samples))


def leak_problems(found: Iterable[Leak], definition: Definition) -> list[Problem]:
    """The identical images, unless data.allow_copies lets them pass."""
    if definition.data.allow_copies:
        return []
    return [
        leak.as_problem(f"keep one of them{_or_unit(leak.kept_by)}, or set data.allow_copies = true")
        for leak in found
        if leak.is_identical
    ]


def _or_unit(column: str | None) -> str:
    return "" if column is None else f", {_unit_to_set(column)}"


def leak_notes(found: Iterable[Leak], definition: Definition) -> list[str]:
    """The near-identical images, and the identical ones that are allowed, as warnings: a line for each kind."""
    unit = definition.splits.unit
    not_kept = f"splits.unit, {unit}, does not keep them together"
    shown = [leak for leak in found if not leak.is_identical or definition.data.allow_copies]
    return in_lines(
        leak.as_problem(_unit_to_set(leak.kept_by) if unit is None or leak.kept_by else not_kept) for leak in shown
    )


def _unit_to_set(column: str | None) -> str:
    if column is None:
        return "if they belong together, give them a column that says so (in metadata.csv), and set splits.unit to it"
    return f'set splits.unit = "{column}", a column that all such images share'


def near_notes(near: Sequence[tuple[str, str]], samples: Samples) -> list[str]:
    """What near-identical images mean for splits that are still to be made."""
    what = (
        "near-identical images, of which a split that divides them tests one beside the other that it trained on; "
        f"{_unit_to_set(column_that_keeps(near, samples))}"
    )
    return in_lines(Problem(f"{one} and {other}", what) for one, other in near)
