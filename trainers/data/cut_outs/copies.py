"""Copies among the files of cut-outs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from trainers.data.copies import alike, copy_problem
from trainers.data.cut_outs.catalogue import Catalogue, DataFile
from trainers.data.problems import Problem


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
    return [copy_problem([catalogue.place(file) for file in group]) for group in groups]


def _digest(file: DataFile) -> bytes:
    with file.path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest()
