"""The same picture under several names: a split would train on it and test on it. Told by content, not by name."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable

from trainers.data.cut_outs.catalogue import Catalogue, DataFile
from trainers.data.problems import PLACES_TOLD, Problem

WHAT = (
    "one picture under several names, which a split could train on and test on: keep one of them, or set "
    "data.allow_copies = true"
)


def copied_files(catalogue: Catalogue) -> list[Problem]:
    """Every group of files with the same bytes, links among them. Opens only files that share their size with another.

    Objects are compared with objects and backgrounds with backgrounds, as their pixels are when they are decoded.
    A file that cannot be read is passed over: `reading.check` names it.
    """
    same_size = alike(catalogue.files, lambda file: (type(file), file.path.stat().st_size))
    same_bytes = [group for files in same_size for group in alike(files, _digest)]
    return copy_problems(catalogue, same_bytes)


def copy_problems(catalogue: Catalogue, groups: Iterable[list[DataFile]]) -> list[Problem]:
    """A problem for each group of files that hold one picture, in the order of the catalogue."""
    problems = []
    for group in groups:
        names = " = ".join(catalogue.place(file) for file in group[:PLACES_TOLD])
        more = f" = {len(group) - PLACES_TOLD} more" if len(group) > PLACES_TOLD else ""
        problems.append(Problem(names + more, WHAT))
    return problems


def alike(files: Iterable[DataFile], key_of: Callable[[DataFile], Hashable]) -> list[list[DataFile]]:
    """The groups of at least two files that share a key; a file whose key cannot be read is in none."""
    groups: dict[Hashable, list[DataFile]] = defaultdict(list)
    for file in files:
        try:
            groups[key_of(file)].append(file)
        except OSError:
            continue
    return [group for group in groups.values() if len(group) > 1]


def _digest(file: DataFile) -> bytes:
    with file.path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest()
