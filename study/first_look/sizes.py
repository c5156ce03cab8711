"""A working size and a batch size that suit a data set."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from trainers.data.size import Size
from trainers.printable import counted
from trainers.recipe import Resize, TrainingRecipe

SHORTER_SIDE, LONGEST_SIDE, STEP = 256, 1024, 16
_SAME_ASPECT = 0.05
_MOST_IN_A_BATCH, _FEWEST_STEPS = 16, 4


@dataclass(frozen=True)
class WorkingSize:
    """What goes into training, and why."""

    size: Size
    resize: Resize
    why: str
    resize_why: str

    @property
    def in_toml(self) -> str:
        return (
            str(self.size.height) if self.size.height == self.size.width else f"[{self.size.height}, {self.size.width}]"
        )


def propose_size(sizes: Collection[Size]) -> WorkingSize:
    """Near the median shape of the images: sides are multiples of 16, the shorter one at most 256.

    Images keep their aspect where it differs from that by more than 5 %.
    """
    median = Size(int(statistics.median(s.height for s in sizes)), int(statistics.median(s.width for s in sizes)))
    scale = min(1.0, SHORTER_SIDE / min(median), LONGEST_SIDE / max(median))
    size = Size(*(max(STEP, round(side * scale / STEP) * STEP) for side in median))
    why = f"{sizes_in_words(Counter(sizes))}; sides are multiples of {STEP}, the shorter one at most {SHORTER_SIDE}"
    if all(_have_one_aspect(each, size) for each in sizes):
        return WorkingSize(size, "stretch", why, "all images have nearly this aspect")
    if all(_have_one_aspect(each, median) for each in sizes):
        return WorkingSize(size, "pad", why, "the images' aspect is not quite this one, and is kept")
    return WorkingSize(size, "pad", why, "the aspect of images differs, so it is kept")


def with_given(proposed: WorkingSize, given: TrainingRecipe) -> WorkingSize:
    """What the user has set, and the rest as proposed; if the size alone is set, images keep their aspect."""
    resize, resize_why = proposed.resize, proposed.resize_why
    size, why = proposed.size, proposed.why
    if "image_size" in given.model_fields_set:
        size, why = given.size, "as given"
        if not _have_one_aspect(size, proposed.size):
            resize, resize_why = "pad", "images have another aspect, which is kept"
    if "resize" in given.model_fields_set:
        resize, resize_why = given.resize, "as given"
    return WorkingSize(size, resize, why, resize_why)


def _have_one_aspect(one: Size, other: Size) -> bool:
    return abs(one.width * other.height / (one.height * other.width) - 1) <= _SAME_ASPECT


def sizes_in_words(sizes: Counter[Size]) -> str:
    """How many images there are, and of which sizes: the commonest, and the range of either side."""
    images, ((commonest, count), *others) = counted(sizes.total(), "image"), sizes.most_common()
    if not others:
        return f"{images} of {commonest} pixels (height x width)"
    heights, widths = (_span(sides) for sides in zip(*sizes, strict=True))
    of_sizes = f"{images} of {counted(len(sizes), 'size')} (height x width)"
    return f"{of_sizes}: {count} of {commonest} pixels, all of {heights} x {widths}"


def _span(sides: Collection[int]) -> str:
    smallest, largest = min(sides), max(sides)
    return str(smallest) if smallest == largest else f"{smallest} to {largest}"


def propose_batch_size(training_images: Iterable[int]) -> int:
    """The largest power of two up to 16 that gives each split at least four steps an epoch; 2 at least."""
    fewest = min(training_images)
    batch = _MOST_IN_A_BATCH
    while batch > 2 and batch * _FEWEST_STEPS > fewest:
        batch //= 2
    return batch
