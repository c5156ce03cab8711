"""The pairs of a data set, in whatever format it is kept."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from trainers.data.pairs.columns import with_columns
from trainers.data.pairs.description import Format, Pairs
from trainers.data.pairs.folders import list_folders
from trainers.data.pairs.pair import Listing
from trainers.data.pairs.recognise import settled
from trainers.data.problems import DataError, Problem
from trainers.data.walk import CANNOT_BE_LISTED, printable_name


def list_pairs(root: Path, described: Pairs) -> Listing:
    """All pairs of the data set in a folder, as described; what is not described is recognised. No image is opened.

    Problems that leave some pairs to be read are kept in the listing. Raises DataError if there is no such folder, and
    if no layout, or more than one, fits the folder and the description.
    """
    refuse_no_folder(root)
    taken = settled(root, described)
    assert taken.format is not None
    listing = with_columns(with_maximum(_READERS[taken.format](root, taken), described.image_maximum), root, taken)
    if not listing.pairs and not listing.problems:
        nothing = Problem(
            ".", "no image with a mask: look at the places in data.pairs", f"{taken.images}, {taken.masks}"
        )
        return replace(listing, problems=(nothing,))
    return listing


def with_maximum(listing: Listing, image_maximum: int | None) -> Listing:
    """The same pairs, of whose images of 16 bits this value becomes 255."""
    return replace(listing, pairs=tuple(replace(pair, image_maximum=image_maximum) for pair in listing.pairs))


def refuse_no_folder(root: Path) -> None:
    """Raises DataError where there is no folder that can be listed."""
    try:
        is_folder = root.is_dir()
    except (OSError, ValueError):
        is_folder = False
    if not is_folder:
        raise DataError([Problem(printable_name(str(root)), "no such folder: give the folder that holds the data set")])
    if not os.access(root, os.R_OK | os.X_OK):
        raise DataError([Problem(printable_name(str(root)), CANNOT_BE_LISTED, "Permission denied")])


def _list_coco(root: Path, described: Pairs) -> Listing:
    from trainers.data.pairs.coco import list_coco  # pycocotools takes time to import: only for those who have outlines

    return list_coco(root, described)


def _list_parquet(root: Path, described: Pairs) -> Listing:
    from trainers.data.pairs.parquet import list_parquet  # so does pyarrow

    return list_parquet(root, described)


_READERS: dict[Format, Callable[[Path, Pairs], Listing]] = {
    "folders": list_folders,
    "coco": _list_coco,
    "parquet": _list_parquet,
}
