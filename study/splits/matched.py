"""matched_<split>: drawn by chance, with as many samples of each class in train, val and test as another split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator

import numpy as np

from study.definition import Definition
from study.definition.splits import MATCHED
from study.splits.nearest import spread
from study.splits.parts import Division, SplitError
from study.splits.units import Units
from trainers.data.problems import Problem
from trainers.data.split import Split
from trainers.data.table import Samples
from trainers.seeds import generator_for

ATTEMPTS = 32
"""To find a division other than the matched one, where there are few units."""

Parts = tuple[frozenset[str], frozenset[str], frozenset[str]]
"""train, val and test."""


def matched(
    name: str, definition: Definition, samples: Samples, make_split: Callable[[str, Definition, Samples], Split]
) -> Division:
    """As many samples of each class as the matched split has: exactly, where each sample shows one class and is a unit
    of its own, else as nearly as units allow. Raises SplitError."""
    other = make_split(name.removeprefix(MATCHED), definition, samples)
    is_exact = definition.splits.unit is None and samples.is_stratified
    for attempt in range(ATTEMPTS):
        train, val, test = (_drawn if is_exact else _nearest)(name, attempt, other, definition, samples)
        parts = zip((train, val, test), (other.train, other.val, other.test), strict=True)
        is_whole = all(part or not wanted for part, wanted in parts)  # few units may leave a part without any
        if is_whole and test != set(other.test):
            return Division(test, train | val, val)
    others = "samples" if definition.splits.unit is None else f"values of {definition.splits.unit}"
    what = (
        f"no other {others} with as many images of each class as those that {other.name} tests were found, so there is "
        f"nothing to compare {other.name} with: take {name} out of grid.splits"
    )
    raise SplitError([Problem(name, what)])


def _drawn(name: str, attempt: int, other: Split, definition: Definition, samples: Samples) -> Parts:
    """Exactly as many of each class."""
    parts: tuple[set[str], set[str], set[str]] = (set(), set(), set())
    for stratum, rows in samples.strata().items():
        order = iter(generator_for(definition.seed, name, attempt, stratum).permutation(len(rows)).tolist())
        own = {row.id for row in rows}
        for part, ids in zip(parts, (other.train, other.val, other.test), strict=True):
            part |= {rows[next(order)].id for id_ in ids if id_ in own}
    train, val, test = map(frozenset, parts)
    return train, val, test


def _nearest(name: str, attempt: int, other: Split, definition: Definition, samples: Samples) -> Parts:
    """Nearly as many of each class."""
    units = Units.of(samples, definition.splits.unit)
    left_out = {row.id for row in samples.rows} - {*other.train, *other.val, *other.test}
    wanted = [_counts(ids, samples) for ids in (other.train, other.val, other.test, left_out)]
    wanted_PC = np.array(wanted[: 3 + bool(left_out)], np.int64)
    part_U = spread(units.counts_UC, wanted_PC, generator_for(definition.seed, name, attempt))
    train, val, test = (units.ids(np.flatnonzero(part_U == part).tolist()) for part in range(3))
    return train, val, test


def _counts(ids: Collection[str], samples: Samples) -> list[int]:
    """Of all samples, and of those that show each class."""
    own = set(ids)
    shown = Counter(name for row in samples.rows if row.id in own for name in row.classes)
    return [len(own), *(shown[name] for name in samples.classes)]


def matching_notes(splits: Iterable[Split], samples: Samples, made: Callable[[str], Split]) -> Iterator[str]:
    """How near each matched split comes to its own, where the numbers are not the same.

    :param made: the split of a name.
    """
    for split in splits:
        if split.kind != "matched":
            continue
        other = made(split.name.removeprefix(MATCHED))
        for part in ("train", "val", "test"):
            found, wanted = (_counts(getattr(each, part), samples) for each in (split, other))
            if off := [abs(a - b) for a, b in zip(found[1:], wanted[1:], strict=True) if a != b]:
                yield (
                    f"{split.name}: {part} has {found[0]} samples ({other.name}: {wanted[0]}), and of a class up to "
                    f"{max(off)} more or fewer"
                )
