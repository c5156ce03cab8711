"""Photographs with label maps as a source: decoded once into one file, which all trials of a machine read."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from trainers.data.pairs.fitting import Fitting
from trainers.data.pairs.label_table import LabelTable
from trainers.data.pairs.pair import Listing, Pair
from trainers.data.pairs.reading import UnusablePair, read_pair
from trainers.data.pairs.store import COLOURS, Store, StoreWriter, packed
from trainers.data.pairs.survey import Found, Survey, found_in, in_turn
from trainers.data.pixels import Pixels
from trainers.data.problems import DataError, Problem
from trainers.data.size import Size
from trainers.data.split import Split
from trainers.data.table import Samples
from trainers.temporary import locked_folder


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Images and label maps at the working size. Pickled, it names its file: `store.path` says where it is to be."""

    samples: Samples
    fingerprint: str
    fitting: Fitting
    store: Store
    index: dict[str, int] = field(init=False)
    """The record of each sample's id."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", {sample.id: row for row, sample in enumerate(self.samples.rows)})

    def for_training(
        self, split: Split, ids: Sequence[str], generator: np.random.Generator
    ) -> Iterator[tuple[Pixels, Pixels]]:
        """Each as it is stored: all that is random is left to the augmentation."""
        return self.for_evaluation(split, ids)

    def for_evaluation(self, split: Split, ids: Sequence[str]) -> Iterator[tuple[Pixels, Pixels]]:
        """Each as it is stored."""
        return (self.store[self.index[sample]] for sample in ids)

    def at_own_size(self, sample: str, predicted_HW: Pixels) -> tuple[Pixels, Pixels]:
        """A sample's labels, and what was predicted for it at the working size, at the size of its image.

        Only of a source that was loaded for it.
        """
        labels_HW = self.store.labels_at_own_size(self.index[sample])
        return labels_HW, self.fitting.restored(predicted_HW, Size(*labels_HW.shape))


@dataclass(frozen=True)
class _Decoded:
    """A pair at the working size; of one that cannot be used only what is wrong with it."""

    found: Found
    image_HWC: Pixels | None = None
    labels_HW: Pixels | None = None
    own_labels: bytes = b""
    own: Size = Size(0, 0)


def load(
    listing: Listing, table: LabelTable, fitting: Fitting, *, keeps_own_size: bool = False, allow_copies: bool = False
) -> LabelledImages:
    """Decode every pair once, into a file in the folder for temporary files (TMPDIR), which goes with the source.

    Raises DataError with every problem, or if there is no room for the file.

    :param keeps_own_size: also keep the labels at the images' own sizes, to count pixels there.
    """
    survey = Survey(listing, table, fitting)
    with contextlib.ExitStack() as until_failed:
        folder = _folder_with_room(until_failed, len(listing.pairs) * fitting.size.pixels * (COLOURS + 1))
        try:
            store = _filled(folder / "images", survey, listing, keeps_own_size=keeps_own_size)
        except OSError as error:
            raise DataError([_no_room(folder, str(error.strerror))]) from error
        survey.refuse_problems(allow_copies=allow_copies)
        source = LabelledImages(survey.samples, survey.fingerprint, fitting, store)
        weakref.finalize(source, until_failed.pop_all().close)
    return source


def _filled(path: Path, survey: Survey, listing: Listing, *, keeps_own_size: bool) -> Store:
    """The store of all pairs that can be used; the survey gets all."""

    def decoded(pair: Pair) -> _Decoded:
        try:
            contents = read_pair(pair, survey.table)
        except UnusablePair as error:
            return _Decoded(Found(pair, error.problem))
        assert contents.image_HWC is not None
        labels_HW = survey.fitting.labels(contents.labels_HW)
        own_labels = packed(contents.labels_HW) if keeps_own_size else b""
        image_HWC, own = survey.fitting.image(contents.image_HWC), Size(*contents.labels_HW.shape)
        return _Decoded(found_in(pair, contents, labels_HW), image_HWC, labels_HW, own_labels, own)

    writer = StoreWriter(path, survey.fitting.size, keeps_own_size=keeps_own_size)
    with contextlib.closing(writer):
        for each in in_turn(decoded, listing.pairs):
            survey.add(each.found)
            if each.image_HWC is not None and each.labels_HW is not None:
                writer.add(each.image_HWC, each.labels_HW, each.own_labels, each.own)
        return writer.finished()


def _folder_with_room(until_failed: contextlib.ExitStack[Any], num_bytes: int) -> Path:
    parent = Path(tempfile.gettempdir())
    try:
        free = shutil.disk_usage(parent).free
        folder = until_failed.enter_context(locked_folder(parent))
    except OSError as error:
        raise DataError([_no_room(parent, str(error.strerror))]) from error
    if free < num_bytes:
        raise DataError([_no_room(parent, f"{free >> 20} MiB are free, {(num_bytes >> 20) + 1} are needed")])
    return folder


def _no_room(folder: Path, detail: str) -> Problem:
    what = "the images at the working size cannot be kept there: set TMPDIR to another folder, or lower image_size"
    return Problem(str(folder), what, detail)
