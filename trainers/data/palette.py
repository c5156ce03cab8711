"""The colours of label maps, wherever they are drawn: one a class."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np

from trainers.data.class_names import IGNORED, in_papers_order
from trainers.data.pixels import Pixels
from trainers.data.table import Samples

Colour = tuple[int, int, int]
BACKGROUND_COLOUR, IGNORED_COLOUR = (0, 0, 0), (128, 128, 128)
# Okabe & Ito's, told apart by the colour-blind.
COLOURS = ((213, 94, 0), (0, 158, 115), (0, 114, 178), (240, 228, 66), (204, 121, 167), (86, 180, 233))
_SHADES = ((0.75, 0.85), (0.4, 1.0), (0.85, 0.55))
"""Saturation and value of further colours, in turn."""


def colours(classes: Sequence[str]) -> dict[str, Colour]:
    """Class -> its colour, given the classes in the order of their labels; beyond six, more are made up."""
    further = (colorsys.hsv_to_rgb((0.8 + 0.618 * i) % 1, *_SHADES[i % len(_SHADES)]) for i in range(len(classes)))
    more = [(round(255 * r), round(255 * g), round(255 * b)) for r, g, b in further]
    return dict(zip(in_papers_order(classes), [*COLOURS, *more], strict=False))


def label_colours(samples: Samples) -> Pixels:
    """The colour of every label that a map may hold, IGNORED among them, shape (256, 3)."""
    of_class = colours(samples.classes)
    by_label = np.full((IGNORED + 1, 3), IGNORED_COLOUR, np.uint8)
    by_label[: samples.first_object] = BACKGROUND_COLOUR
    by_label[samples.first_object : len(samples.labels)] = [of_class[name] for name in samples.classes]
    return by_label


def colour_key(samples: Samples) -> dict[str, Colour]:
    """What each colour of a label map stands for: the background, if there is one, the classes in the order in which
    they are shown, and what is ignored, if anything may be."""
    background = {"background": BACKGROUND_COLOUR} if samples.has_background else {}
    ignored = {"ignored": IGNORED_COLOUR} if samples.has_ignored else {}
    return background | colours(samples.classes) | ignored
