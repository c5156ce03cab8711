"""A contact sheet of images with label maps: one picture from which a person sees whether labels fit their images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from trainers.data.pairs.pair import Pair
from trainers.data.pairs.reading import UnusablePair, read_pair
from trainers.data.pairs.survey import Found, Survey, in_turn
from trainers.data.palette import Colour, colour_key, label_colours
from trainers.data.sheet import (
    FAINT,
    GAP,
    INK,
    LINE,
    MARGIN,
    PAPER,
    RULE,
    below_each_other,
    blank,
    contained,
    crossed_out,
    evenly,
    fitted,
    font,
    heading,
    write_sheet,
)
from trainers.data.table import Value, in_order, in_words
from trainers.printable import counted, printable

SIDES = (160, 128, 96, 64, 48)
"""Of an image, its longer side in pixels, tried in this order until the file is small enough."""
COLUMNS = 4
"""Images a row, each with its labels beside it."""
LEAST_ROWS, MOST_VALUES = 8, 40
LABEL_WIDTH, NAME_WIDTH = 150, 260
SEAM = 2
"""Pixels between an image and its labels."""


@dataclass(frozen=True)
class _Tile:
    """An image beside its labels; None where they cannot be used."""

    name: str
    picture: Image.Image | None
    labels: Image.Image | None

    def drawn(self, side: int) -> Image.Image:
        """Two squares at most, their name below."""
        if self.picture is None or self.labels is None:
            both = crossed_out(2 * side + SEAM, side // 2)
        else:
            left, right = contained(self.picture, side), contained(self.labels, side, Image.Resampling.NEAREST)
            both = Image.new("RGB", (2 * left.width + SEAM, left.height), PAPER)
            both.paste(left, (0, 0))
            both.paste(right, (left.width + SEAM, 0))
        tile, draw = blank(2 * side + SEAM, both.height + LINE)
        tile.paste(both, (0, 0))
        draw.text((0, both.height + 2), fitted(draw, printable(self.name), font(11), tile.width), FAINT, font(11))
        return tile


@dataclass(frozen=True)
class _Group:
    """The pairs that share a value of the column."""

    name: str
    num_pairs: int
    tiles: Sequence[_Tile]


def contact_sheet(survey: Survey, path: str | Path, column: str | None = None) -> Path:
    """Write the sheet as PNG (under 3 MB) and return its path.

    Samples are chosen evenly over the values of the column and over the classes, rare ones first. A pair that cannot be
    used is a crossed-out tile.

    :param survey: with every pair looked at.
    :param column: None: all pairs are one group.
    :raises OSError: the file cannot be written.
    """
    groups = list(_groups(survey, column))
    return write_sheet((_sheet(survey, groups, column, side) for side in SIDES), Path(path))


def _groups(survey: Survey, column: str | None) -> Iterator[_Group]:
    by_value: dict[Value | None, list[Found]] = {}
    for each in survey.found:
        by_value.setdefault(each.pair.values.get(column) if column else None, []).append(each)
    values: list[Value | None] = [*in_order(value for value in by_value if value is not None)]
    values = evenly([*values, *[None][: None in by_value]], MOST_VALUES)
    number = COLUMNS * max(1, LEAST_ROWS // len(values)) if values else 0
    times = Counter(kind for each in survey.found for kind in _kinds(each))
    shown: Counter[int] = Counter()
    for value in values:
        chosen = _chosen(by_value[value], number, times, shown)
        name = in_words(value) if value is not None else f"no {column}" if column else ""
        yield _Group(name, len(by_value[value]), _tiles(survey, chosen))


_NO_CLASS, _UNUSABLE = -1, -2


def _kinds(found: Found) -> frozenset[int]:
    """The labels that a pair shows: what the sheet is to show of it."""
    if found.problem:
        return frozenset({_UNUSABLE})
    return found.shown_at_own_size or frozenset({_NO_CLASS})


def _chosen(found: Sequence[Found], number: int, times: Counter[int], shown: Counter[int]) -> list[Found]:
    """One of each of so many parts of the pairs: that with the class of which the sheet has shown least until now, and
    of these the rarest. `shown` is counted on."""
    chosen = []
    for part in np.array_split(np.arange(len(found)), min(number, len(found))):
        candidates = [found[place] for place in part]
        best = min(candidates, key=lambda each: min((shown[kind], times[kind]) for kind in _kinds(each)))
        shown.update(_kinds(best))
        chosen.append(best)
    return chosen


def _tiles(survey: Survey, chosen: Sequence[Found]) -> list[_Tile]:
    by_label = label_colours(survey.samples)
    problems = {each.pair.id for each in chosen if each.problem}

    def tile(pair: Pair) -> _Tile:
        try:
            contents = read_pair(pair, survey.table) if pair.id not in problems else None
        except UnusablePair:
            contents = None
        if contents is None or contents.image_HWC is None:
            return _Tile(pair.image_place, None, None)
        picture, labels = Image.fromarray(contents.image_HWC), Image.fromarray(by_label[contents.labels_HW])
        return _Tile(pair.id, contained(picture, SIDES[0]), contained(labels, SIDES[0], Image.Resampling.NEAREST))

    return list(in_turn(tile, [each.pair for each in chosen]))


def _sheet(survey: Survey, groups: Sequence[_Group], column: str | None, side: int) -> Image.Image:
    width = 2 * MARGIN + LABEL_WIDTH + COLUMNS * (2 * side + SEAM + GAP) - GAP
    strips = [_heading(survey, groups, column, width), _legend(survey, width)]
    for group in groups:
        starts = range(0, len(group.tiles), COLUMNS)
        strips += [_row(None if at else group, group.tiles[at : at + COLUMNS], side, width) for at in starts]
    return below_each_other(strips, width)


def _heading(survey: Survey, groups: Sequence[_Group], column: str | None, width: int) -> Image.Image:
    images = counted(len(survey.found), "image")
    classes = counted(len(survey.samples.classes), "class", "classes")
    shown = sum(len(group.tiles) for group in groups)
    values = {each.pair.values.get(column) for each in survey.found} if column else set()
    some = f", {len(groups)} of {counted(len(values), 'value')}" if len(groups) < len(values) else ""
    what = f"{shown} shown beside their labels{f', by {column}' if column else ''}{some}"
    return heading(f"{images}, {classes}", what, width)


def _legend(survey: Survey, width: int) -> Image.Image:
    """A square of each colour, and what it stands for."""
    draw = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    places: list[tuple[int, int, str, Colour]] = []
    left, top = MARGIN, 0
    key = colour_key(replace(survey.samples, has_ignored=survey.table.has_ignored))  # nothing is put around images here
    for name, colour in key.items():
        text = fitted(draw, name, font(14), NAME_WIDTH)
        taken = round(draw.textlength(text, font(14))) + LINE + 2 * GAP
        if left + taken > width - MARGIN and left > MARGIN:
            left, top = MARGIN, top + LINE + GAP
        places.append((left, top, text, colour))
        left += taken + GAP
    strip, draw = blank(width, top + 2 * LINE)
    for left, top, text, colour in places:
        draw.rectangle((left, top + 2, left + LINE - 5, top + LINE - 3), colour, FAINT)
        draw.text((left + LINE, top), text, INK, font(14))
    return strip


def _row(begun: _Group | None, tiles: Sequence[_Tile], side: int, width: int) -> Image.Image:
    """Some pairs of a group, behind its name and how many there are if it begins here."""
    drawn = [tile.drawn(side) for tile in tiles]
    strip, draw = blank(width, max(tile.height for tile in drawn) + 2 * GAP)
    if begun:
        draw.line((MARGIN, 0, width - MARGIN, 0), RULE)
        count = counted(begun.num_pairs, "image")
        texts = [(begun.name, INK, 15), (count, FAINT, 14)] if begun.name else [(count, FAINT, 14)]
        for line, (text, colour, height) in enumerate(texts):
            text = fitted(draw, printable(text), font(height), LABEL_WIDTH - GAP)
            draw.text((MARGIN, 2 * GAP + line * LINE), text, colour, font(height))
    for column, tile in enumerate(drawn):
        strip.paste(tile, (MARGIN + LABEL_WIDTH + column * (2 * side + SEAM + GAP), 2 * GAP))
    return strip
