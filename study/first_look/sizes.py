"""A working size and a batch size that suit a data set."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from trainers.data.size import Size
from trainers.recipe import Resize

SHORTER_SIDE, LONGEST_SIDE, STEP = 256, 1024, 16
_SAME_ASPECT = 0.05
_MOST_IN_A_BATCH, _FEWEST_STEPS = 16, 4


@dataclass(frozen=True)
class WorkingSize:
    """What goes into training, and why."""

    size: Size
    resize: Resize
    why: str

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
    aspect = size.width / size.height
    off = sum(abs(each.width / each.height / aspect - 1) > _SAME_ASPECT for each in sizes)
    why = f"images have {_span(sizes)} pixels; sides are multiples of {STEP}, the shorter one at most {SHORTER_SIDE}"
    return WorkingSize(size, "pad" if off else "stretch", why)


def _span(sizes: Collection[Size]) -> str:
    """Height x width, from the smallest to the largest."""
    smallest, largest = min(sizes, key=lambda s: s.pixels), max(sizes, key=lambda s: s.pixels)
    return str(smallest) if len(set(sizes)) == 1 else f"{smallest} to {largest}"


def propose_batch_size(training_images: Iterable[int]) -> int:
    """The largest power of two up to 16 that gives each split at least four steps an epoch; 2 at least."""
    fewest = min(training_images)
    batch = _MOST_IN_A_BATCH
    while batch > 2 and batch * _FEWEST_STEPS > fewest:
        batch //= 2
    return batch
