"""Which images of a data set show the same: to the pixel, or so nearly that one tells what the other shows.

Two images are near-identical where their grey thumbnails, brightness and contrast apart, correlate by LIKE_FROM or
more. Of photographs of streets, those of a car that waits at a light do (0.95 to 1.00); those of different drives do
not (at most 0.87), nor do cut-outs of different objects (at most 0.81). A photograph that was rescaled, brightened or
compressed anew does (0.99), and so does one that was flipped or turned by quarters: all eight ways to lie are compared.
A part of a photograph, or one turned by some degrees, is not found.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainers.data.pixels import Pixels

LIKE_FROM = 0.95
SIDE = 24
"""Of a thumbnail, pixels."""
LEAST_CONTRAST = 2.0
"""Standard deviation of a thumbnail, grey levels of 255: below, noise is all that could be compared."""
MOST_LIKE_ONE = 64
"""Of more images that are like one, the likest are kept."""
_ROWS_AT_ONCE = 1024

Indices = NDArray[np.int64]


class Glimpse(NamedTuple):
    """What is remembered of an image to compare it with others."""

    digest: bytes
    """Names its pixels."""
    grey_SS: Pixels
    """A thumbnail."""


@dataclass(frozen=True)
class Likeness:
    """Of N images: which are the same, and which nearly."""

    ids: tuple[str, ...]
    identical: tuple[tuple[str, ...], ...]
    """Groups of at least two ids."""
    near: tuple[tuple[str, str], ...]
    """Pairs of ids, in the order of the images; identical ones are not among them."""


NOTHING_ALIKE = Likeness((), (), ())


def glimpse(image_HWC: Pixels) -> Glimpse:
    """Of an image (RGB) of any size."""
    image_HWC = np.ascontiguousarray(image_HWC)
    digest = hashlib.sha256(f"{image_HWC.shape}".encode() + image_HWC.tobytes()).digest()
    grey = Image.fromarray(image_HWC).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    return Glimpse(digest, np.asarray(grey))


def likeness(glimpses: Mapping[str, Glimpse]) -> Likeness:
    """Compare every image with every other, given a glimpse of each by its id."""
    ids = list(glimpses)
    thumbnails = [_normed(each.grey_SS) for each in glimpses.values()]
    same: dict[bytes, list[int]] = defaultdict(list)
    for place, each in enumerate(glimpses.values()):
        same[each.digest].append(place)
    groups = [group for group in same.values() if len(group) > 1]
    group_of_N = np.full(len(ids), -1)
    for number, group in enumerate(groups):
        group_of_N[group] = number
    first, second = _like(np.array(thumbnails, np.float32).reshape(len(ids), SIDE**2))
    differ = (group_of_N[first] != group_of_N[second]) | (group_of_N[first] < 0)
    pairs = sorted(zip(first[differ].tolist(), second[differ].tolist(), strict=True))
    return Likeness(
        tuple(ids),
        tuple(tuple(ids[place] for place in group) for group in groups),
        tuple((ids[one], ids[other]) for one, other in pairs),
    )


def _normed(grey_SS: Pixels) -> NDArray[np.float32]:
    """A vector of mean 0 and length 1; zeros, which are like nothing, for an image without contrast."""
    values = grey_SS.astype(np.float32).ravel()
    values = values - values.mean()
    length = float(np.linalg.norm(values))
    return values / length if length >= LEAST_CONTRAST * SIDE else np.zeros_like(values)


def _like(thumbnails_ND: NDArray[np.float32]) -> tuple[Indices, Indices]:
    """The two rows of every pair that correlates by LIKE_FROM, the smaller first."""
    found = [(np.zeros(0, np.int64), np.zeros(0, np.int64))]
    for start in range(0, len(thumbnails_ND), _ROWS_AT_ONCE):
        rows_RD, others_MD = thumbnails_ND[start : start + _ROWS_AT_ONCE], thumbnails_ND[start:]
        correlation_RM = rows_RD @ others_MD.T  # with itself and all that follow
        for turned_RD in _turned(rows_RD):
            np.maximum(correlation_RM, turned_RD @ others_MD.T, out=correlation_RM)
        correlation_RM[:, : len(rows_RD)][np.tri(len(rows_RD), dtype=bool)] = 0
        row, column = np.divmod(np.flatnonzero(correlation_RM >= LIKE_FROM), correlation_RM.shape[1])
        if len(row) > MOST_LIKE_ONE:
            row, column = _likest(row, column, correlation_RM[row, column])
        found.append((row + start, column + start))
    first, second = zip(*found, strict=True)
    return np.concatenate(first), np.concatenate(second)


def _turned(thumbnails_ND: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Flipped, and turned by quarters: the seven other ways in which the same picture may lie."""
    upright_NSS = thumbnails_ND.reshape(-1, SIDE, SIDE)
    for quarters in range(4):
        turned_NSS = np.rot90(upright_NSS, quarters, axes=(1, 2))
        for each_NSS in (turned_NSS, turned_NSS[:, :, ::-1])[quarters == 0 :]:
            yield np.ascontiguousarray(each_NSS).reshape(len(thumbnails_ND), -1)


def _likest(row: Indices, column: Indices, correlation: NDArray[np.float32]) -> tuple[Indices, Indices]:
    """Of the pairs of a row, given row by row, the MOST_LIKE_ONE that are likest."""
    order = np.lexsort((-correlation, row))
    row, column = row[order], column[order]
    place_in_row = np.arange(len(row)) - np.searchsorted(row, row)
    return row[place_in_row < MOST_LIKE_ONE], column[place_in_row < MOST_LIKE_ONE]


def partners(likeness: Likeness) -> tuple[dict[str, Sequence[str]], dict[str, list[str]]]:
    """Of each id that has any: those with the same image, itself among them, and those with a near-identical one."""
    same = {id_: group for group in likeness.identical for id_ in group}
    near: dict[str, list[str]] = defaultdict(list)
    for one, other in likeness.near:
        near[one].append(other)
        near[other].append(one)
    return dict(same), dict(near)
