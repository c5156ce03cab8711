"""Why a folder may have no layout that is known: files on which that depends, and that cannot be read."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator
from pathlib import Path

from trainers.data.pairs.tree import HEAD, Tree, few_json_files, has_a_key_of_coco
from trainers.data.problems import Problem
from trainers.data.walk import CANNOT_BE_LISTED

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def unreadable_in(tree: Tree) -> Iterator[Problem]:
    """Folders that cannot be listed, tables, and COCO's files, of a folder that fits no layout."""
    for place, folder in tree.folders.items():
        for name in folder.folders:
            path = tree.root / place / name
            if not os.access(path, os.R_OK | os.X_OK):
                yield Problem(path.relative_to(tree.root).as_posix(), CANNOT_BE_LISTED, "Permission denied")
    yield from _tables(tree)
    for file in few_json_files(tree):
        if what := _why_not_coco(tree.root / file):
            yield Problem(file.as_posix(), what)


def _tables(tree: Tree) -> Iterator[Problem]:
    tables = [folder / name for folder, name in tree.files_ending(".parquet")]
    if tables:
        from trainers.data.pairs.parquet import why_no_pairs  # pyarrow takes time to import

        for table in tables:
            yield Problem(table.as_posix(), *why_no_pairs(tree.root / table))


def _why_not_coco(file: Path) -> str | None:
    """Of a file that is none of COCO's, what keeps it from being one; None if it does not look like one."""
    try:
        with file.open("rb") as opened:
            head = opened.read(HEAD)
    except OSError:
        return "cannot be read: let it be read by whoever runs this"
    if head.startswith(_UTF16) or b"\0" in head[:4]:
        return "JSON in UTF-16: save it in UTF-8"
    if has_a_key_of_coco(head):
        return "looks like COCO's JSON, but lacks images, annotations or categories: is it cut off? export it anew"
    return None
