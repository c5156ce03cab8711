"""Photographs with label maps as a source: decoded once into one file, which all trials of a machine read."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from trainers.data.likeness import Glimpse, glimpse
from trainers.data.pairs.fitting import Fitting
from trainers.data.pairs.pair import Pair
from trainers.data.pairs.reading import UnusablePair, read_pair
from trainers.data.pairs.store import COLOURS, Record, Store, StoreWriter, packed
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
    fitting: Fitting
    store: Store
    glimpses: Mapping[str, Glimpse] = field(default_factory=dict)
    """By id, of images without what is put around them; empty once it was pickled: trainings do not ask for them."""
    index: dict[str, int] = field(init=False)
    """The record of each sample's id."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", {sample.id: row for row, sample in enumerate(self.samples.rows)})

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "glimpses": {}}

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


def load(survey: Survey, *, keeps_own_size: bool = False, allow_copies: bool = False) -> LabelledImages:
    """Decode every pair of a new survey once, into a temporary file (in TMPDIR), which goes with the source.

    Raises DataError with every problem, or if there is no room for the file.

    :param keeps_own_size: also keep the labels at the images' own sizes, to count pixels there.
    """
    fitting, count = survey.fitting, len(survey.listing.pairs)
    with contextlib.ExitStack() as until_failed:
        folder = _folder_with_room(until_failed, count * fitting.size.pixels * (COLOURS + 1))
        try:
            store = _filled(folder / "images", survey, keeps_own_size=keeps_own_size)
        except OSError as error:
            raise DataError([_no_room(folder, str(error.strerror))]) from error
        survey.refuse_problems(allow_copies=allow_copies)
        source = LabelledImages(survey.samples, fitting, store, survey.glimpses)
        weakref.finalize(source, until_failed.pop_all().close)
    return source


def _filled(path: Path, survey: Survey, *, keeps_own_size: bool) -> Store:
    """The store of all pairs that can be used; the survey gets all."""

    def decoded(pair: Pair) -> tuple[Found, Record | None]:
        try:
            contents = read_pair(pair, survey.table)
        except UnusablePair as error:
            return Found(pair, error.problem), None
        assert contents.image_HWC is not None
        labels_HW = survey.fitting.labels(contents.labels_HW)
        own_labels = packed(contents.labels_HW) if keeps_own_size else b""
        picture_HWC = survey.fitting.picture(contents.image_HWC)
        image_HWC = survey.fitting.framed(picture_HWC)
        record = Record(image_HWC, labels_HW, own_labels, Size(*contents.labels_HW.shape))
        return found_in(pair, contents, labels_HW, glimpse(picture_HWC)), record

    writer = StoreWriter(path, survey.fitting.size, keeps_own_size=keeps_own_size)
    with contextlib.closing(writer):
        for found, record in in_turn(decoded, survey.listing.pairs):
            survey.add(found)
            if record:
                writer.add(record)
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
