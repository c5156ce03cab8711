"""What a data set of pairs turns out to hold once every pair has been opened: samples, problems, fingerprint."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from PIL import Image

from trainers.data.class_names import IGNORED
from trainers.data.copies import alike, copy_problem
from trainers.data.likeness import Glimpse, glimpse
from trainers.data.pairs.decoding import SIXTEEN_BITS
from trainers.data.pairs.fitting import Fitting
from trainers.data.pairs.label_table import CLASSES, LabelTable
from trainers.data.pairs.pair import Listing, Pair
from trainers.data.pairs.reading import Contents, UnusablePair, digests_of, read_pair
from trainers.data.pixels import Pixels
from trainers.data.problems import DataError, Problem
from trainers.data.table import Sample, Samples
from trainers.printable import counted

_BITS = (8, 10, 12, 14, 16)
"""Of what cameras and scanners give."""
MOST_THREADS = 8
"""That decode at once: each has an image in memory."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class Found:
    """What is remembered of a pair, or what is wrong with it."""

    pair: Pair
    problem: Problem | None = None
    shown: frozenset[int] = frozenset()
    """Labels at the working size."""
    shown_at_own_size: frozenset[int] = frozenset()
    depth: int | None = None
    largest: int | None = None
    is_grey: bool | None = None
    picture: bytes = b""
    """Names what the image shows."""
    digests: tuple[bytes, bytes] = (b"", b"")
    """Of the contents of image and mask."""
    glimpse: Glimpse | None = None
    """Of the image at the working size, without what is put around it; None where its header alone was read."""


class Survey:
    """A listing whose pairs are opened one after the other."""

    def __init__(self, listing: Listing, table: LabelTable, fitting: Fitting) -> None:
        self.listing, self.table, self.fitting = listing, table, fitting
        self._found: list[Found] = []

    def look(self, pairs: Iterable[Pair] | None = None, *, with_images: bool = False) -> None:
        """Open every pair, and decode the masks; of images, if they are not to be decoded, the header alone.

        :param pairs: the listing's, where somebody wants to see how they are taken one by one.
        """

        def look_at(pair: Pair) -> Found:
            try:
                contents = read_pair(pair, self.table, with_image=with_images)
            except UnusablePair as error:
                return Found(pair, error.problem)
            looked = None if contents.image_HWC is None else glimpse(self.fitting.picture(contents.image_HWC))
            return found_in(pair, contents, self.fitting.labels(contents.labels_HW), looked)

        for found in in_turn(look_at, self.listing.pairs if pairs is None else pairs):
            self.add(found)

    def add(self, found: Found) -> None:
        self._found.append(found)

    @property
    def found(self) -> Sequence[Found]:
        """Of every pair that was looked at, in their order."""
        return self._found

    @property
    def samples(self) -> Samples:
        """The table of samples, by id: the classes of which a pixel is left at the working size, and the columns."""
        names, first = self.table.names, int(self.table.has_background)
        rows = (
            Sample(
                each.pair.id,
                tuple(name for label, name in enumerate(names, first) if label in each.shown),
                each.pair.values,
            )
            for each in self._found
        )
        has_ignored = self.table.has_ignored or self.fitting.resize == "pad"
        return Samples(names, tuple(rows), has_background=self.table.has_background, has_ignored=has_ignored)

    @property
    def glimpses(self) -> dict[str, Glimpse]:
        """By id, of the images that were decoded."""
        return {each.pair.id: each.glimpse for each in self._found if each.glimpse}

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.table, [(each.pair, each.digests) for each in self._found])

    @property
    def num_shown(self) -> dict[str, int]:
        """Of each class, the background included, how many images show it."""
        labels = self.samples.labels
        return {name: sum(label in each.shown for each in self._found) for label, name in enumerate(labels)}

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader decided, and what was done to images that are neither of 8 bits nor coloured."""
        grey = sum(bool(each.is_grey) for each in self._found)
        of_all = f"of {counted(len(self._found), 'image')}"
        return (
            *self.listing.notes,
            *self._notes_on_depth(of_all),
            *[f"{grey} {of_all} are grey: their three colours are equal."][: grey > 0],
        )

    def _notes_on_depth(self, of_all: str) -> Iterator[str]:
        deep = [each for each in self._found if each.depth == 16]
        if not deep:
            return
        yield f"{len(deep)} {of_all} have 16 bits a channel, of which {self._maximum} becomes 255."
        yield from (f"{warning}." for warning in self.warnings)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What should be known before anything is trained, in sentences without a full stop."""
        if not (maximum := self.likely_maximum):
            return ()
        return (
            f"The images of 16 bits are nearly black: of all their values the largest is {self._largest}, as if images "
            f"of {maximum.bit_length()} bits were kept in 16. Set data.pairs.image_maximum = {maximum}, so that "
            f"{maximum} becomes 255",
        )

    @property
    def likely_maximum(self) -> int | None:
        """What had better become 255 where the images of 16 bits do not reach a quarter of what does: the end of the
        range of so many bits as cameras have. None where they do."""
        if not 0 < self._largest < self._maximum / 4:
            return None
        return next((1 << bits) - 1 for bits in _BITS if self._largest < 1 << bits)

    @property
    def _maximum(self) -> int:
        return next((each.pair.image_maximum for each in self._found if each.pair.image_maximum), SIXTEEN_BITS)

    @property
    def _largest(self) -> int:
        return max((each.largest for each in self._found if each.depth == 16 and each.largest), default=0)

    def problems(self, *, allow_copies: bool) -> list[Problem]:
        """What was found until now: of files, of classes that no image shows, and copies at the end."""
        of_files = [each.problem for each in self._found if each.problem]
        classes = [] if of_files else self._classes_not_shown()
        sound = [each for each in self._found if not each.problem]
        groups = [] if allow_copies else alike(sound, lambda each: each.picture)
        copies = [copy_problem([each.pair.image_place for each in group]) for group in groups]
        found = [*self.listing.problems, *of_files, *classes, *copies]
        return list(dict.fromkeys(found))  # that of a mask's compression is known by its name, and by its content

    def refuse_problems(self, *, allow_copies: bool) -> None:
        """Raises DataError with all of them, if there are any."""
        if problems := self.problems(allow_copies=allow_copies):
            raise DataError(problems)

    def _classes_not_shown(self) -> list[Problem]:
        shown = frozenset().union(*(each.shown for each in self._found))
        at_own_size = frozenset().union(*(each.shown_at_own_size for each in self._found))
        problems = []
        for label, name in enumerate(self.table.names, int(self.table.has_background)):
            if label in shown or not self._found:
                continue
            if label in at_own_size:
                size = self.fitting.size
                larger = f"--set training.image_size={2 * size.height},{2 * size.width}"
                what = f"its pixels vanish in every image at {size}: raise training.image_size, such as by {larger}"
            else:
                what = f"a class that no image shows: take it out of {CLASSES}"
            problems.append(Problem(name, what))
        return problems


def found_in(pair: Pair, contents: Contents, labels_HW: Pixels, glimpse: Glimpse | None) -> Found:
    """:param labels_HW: at the working size; so is the image of the glimpse."""
    own, shown = _labels_in(contents.labels_HW), _labels_in(labels_HW)
    image_HWC, picture = contents.image_HWC, contents.image_digest
    if image_HWC is not None:
        picture = hashlib.sha256(str(image_HWC.shape).encode() + image_HWC.tobytes()).digest()
    problem = None
    if not shown:
        problem = Problem(pair.mask_place, "every pixel is ignored: leave the image out")
    digests = contents.image_digest, contents.mask_digest
    values = contents.depth, contents.largest, contents.is_grey
    return Found(pair, problem, shown, own, *values, picture, digests, glimpse)


def _labels_in(labels_HW: Pixels) -> frozenset[int]:
    counts = Image.fromarray(labels_HW).histogram()  # several times as fast as numpy on so small numbers
    return frozenset(label for label, count in enumerate(counts[:IGNORED]) if count)


def fingerprint_of(table: LabelTable, contents: Sequence[tuple[Pair, tuple[bytes, bytes]]]) -> str:
    """SHA-256 (hexadecimal) of what the masks' values mean, and of all ids and contents, in the order of ids: the same
    wherever the data set lies. The columns are not in it: splits that they decide are named by their samples."""
    digest = hashlib.sha256(table.meaning.encode())
    for pair, (image, mask) in sorted(contents, key=lambda each: each[0].id):
        digest.update(f"\0{pair.id}\0".encode() + image + b"\0" + mask)
    return digest.hexdigest()


def fingerprint(listing: Listing, table: LabelTable) -> str:
    """The same of files that are not decoded. Raises DataError if one cannot be read."""
    try:
        digests = list(in_turn(digests_of, listing.pairs))
    except UnusablePair as error:
        raise DataError([error.problem]) from error
    return fingerprint_of(table, list(zip(listing.pairs, digests, strict=True)))


def in_turn(look: Callable[[Pair], Result], pairs: Iterable[Pair]) -> Iterator[Result]:
    """look(pair) of each, in order: some are looked at at once, and few are in memory."""
    threads = min(MOST_THREADS, os.cpu_count() or 1)
    waiting: deque[Future[Result]] = deque()
    with warnings.catch_warnings(), ThreadPoolExecutor(threads) as pool:  # of warnings: threads leave them as they like
        warnings.simplefilter("ignore")
        for pair in pairs:
            waiting.append(pool.submit(look, pair))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
