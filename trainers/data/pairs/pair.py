"""A photograph and its label map, in whatever format they are kept: what the readers of all formats give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trainers.data.pairs.description import MaskValue
from trainers.data.problems import Problem
from trainers.data.size import Size
from trainers.data.table import Value

Bytes = Callable[[], bytes]
"""The content of an image file, read when it is asked for. Raises OSError, and UnusableImage where channels
that are files of their own make no image."""
Outlines = Callable[[Size], NDArray[np.int64]]
"""Label map of an image of this size, in values of masks, shape (H, W): drawn when it is asked for.
Raises UnusableImage."""


@dataclass(frozen=True)
class Pair:
    """Nothing of it is decoded yet."""

    id: str
    """The image's place within the images, without its ending and `image_suffix`: `train/berlin_0001`."""
    image_place: str
    """As problems name it: relative to the data set, with its ending."""
    mask_place: str
    image: Bytes
    mask: Bytes | None
    """An encoded image whose pixels are values or colours; None where there are outlines."""
    outlines: Outlines | None = None
    outlines_digest: str = ""
    """Names the outlines, as the content of a mask's file names the mask."""
    values: Mapping[str, Value] = field(default_factory=dict)
    """Column -> value."""
    image_maximum: int | None = None
    """What becomes 255 of an image of 16 bits; None: 65535."""


@dataclass(frozen=True)
class Listing:
    """What a reader found. No image has been opened."""

    pairs: tuple[Pair, ...]
    """In the order of their ids, each of which is there once."""
    classes: Mapping[str, MaskValue] | None
    """Class -> value in the masks, where the format says so, the background included."""
    ignore: tuple[MaskValue, ...]
    """Values to be ignored, where the format says so."""
    problems: tuple[Problem, ...]
    notes: tuple[str, ...] = ()
    """What was decided for the user, in sentences: which of two rules, what was passed over."""
