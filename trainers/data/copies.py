"""The same picture under several names: a split would train on it and test on it. Told by content, not by name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from trainers.data.problems import PLACES_TOLD, Problem

WHAT = (
    "one picture under several names, which a split could train on and test on: keep one of them, or set "
    "data.allow_copies = true"
)

File = TypeVar("File")


def copy_problem(places: Sequence[str]) -> Problem:
    """Of the files at these places, which hold one picture."""
    names = " = ".join(places[:PLACES_TOLD])
    more = f" = {len(places) - PLACES_TOLD} more" if len(places) > PLACES_TOLD else ""
    return Problem(names + more, WHAT)


def alike(files: Iterable[File], key_of: Callable[[File], Hashable]) -> list[list[File]]:
    """The groups of at least two files that share a key; a file whose key cannot be read is in none."""
    groups: dict[Hashable, list[File]] = defaultdict(list)
    for file in files:
        try:
            groups[key_of(file)].append(file)
        except OSError:
            continue
    return [group for group in groups.values() if len(group) > 1]
