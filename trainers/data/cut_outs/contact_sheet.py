"""A contact sheet: one picture from which a person sees whether a data set is what it should be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from trainers.data.cut_outs.catalogue import Catalogue, ImageFile
from trainers.data.cut_outs.compositing import object_mask, whole_background
from trainers.data.cut_outs.reading import read_background, read_object
from trainers.data.decoding import UnusableImage
from trainers.data.sheet import (
    FAINT,
    GAP,
    INK,
    LINE,
    MARGIN,
    MAX_BYTES,
    PAPER,
    SECOND_LINE,
    below_each_other,
    blank,
    contained,
    crossed_out,
    evenly,
    fitted,
    font,
    heading,
    title,
    write_sheet,
)
from trainers.data.size import square
from trainers.printable import counted

LAYOUTS = ((8, 104), (6, 80), (4, 64), (3, 40), (2, 28))
"""Images a row and the side of each in pixels, tried in this order until the file is small enough."""
MAX_ROWS = 400
MAX_GROUPS = 60

CHECKS = (234, 208)
"""The two greys of the ground, so that transparency is not taken for white."""
OUTLINE = (255, 0, 150)
LABEL_WIDTH, VALUE_WIDTH, MIN_WIDTH = 138, 48, 640


def contact_sheet(catalogue: Catalogue, path: str | Path) -> Path:
    """Write the sheet as PNG (under 3 MB) and return its path: a row for each class and angle, then the backgrounds.

    A row's images are chosen evenly; the outline is that of the mask. An unusable image is a crossed-out tile.
    Raises OSError if the file cannot be written.
    """
    num_rows = min(MAX_ROWS, len({(image.class_name, image.angle) for image in catalogue.images}))
    # A pixel costs about a byte: what is sure to be too large need not be drawn.
    promising = [(columns, side) for columns, side in LAYOUTS if num_rows * columns * side**2 <= MAX_BYTES]
    return write_sheet((_sheet(catalogue, *layout) for layout in promising or LAYOUTS[-1:]), Path(path))


def _sheet(catalogue: Catalogue, columns: int, side: int) -> Image.Image:
    rows: dict[tuple[str, float], list[ImageFile]] = defaultdict(list)
    for image in catalogue.images:
        rows[image.class_name, image.angle].append(image)
    shown = list(rows.items())[:MAX_ROWS]
    width = max(MIN_WIDTH, 2 * MARGIN + LABEL_WIDTH + columns * (side + GAP) - GAP)
    strips = [_heading(catalogue, width)]
    previous = ""
    for (class_name, angle), images in shown:
        if class_name != previous:
            strips.append(title(class_name, width))
        strips.append(_image_row(angle, images, columns, side, width))
        previous = class_name
    if len(rows) > len(shown):
        strips.append(title(f"and {counted(len(rows) - len(shown), 'more row')}", width))
    strips += _background_strips(catalogue, side, width)
    return below_each_other(strips, width)


def _heading(catalogue: Catalogue, width: int) -> Image.Image:
    angles = {image.angle for image in catalogue.images}
    what = ", ".join(
        [
            counted(len(catalogue.images), "image"),
            counted(len(catalogue.classes), "class", "classes"),
            counted(len(angles), "angle"),
        ]
    )
    second = f"{counted(len(catalogue.backgrounds), 'background')} in {counted(catalogue.num_groups, 'group')}"
    strip = heading(what, second, width)
    draw = ImageDraw.Draw(strip)
    left = MARGIN + draw.textlength(second, font(14)) + 40
    draw.line((left - 22, SECOND_LINE + 9, left - 6, SECOND_LINE + 9), OUTLINE, 2)
    draw.text((left, SECOND_LINE), "the mask's outline", FAINT, font(14))
    return strip


def _image_row(angle: float, images: Sequence[ImageFile], columns: int, side: int, width: int) -> Image.Image:
    """Some of the images of one class and angle, behind the angle and how many there are."""
    strip, draw = blank(width, side + GAP)
    middle = (side - LINE) // 2
    draw.text((MARGIN, middle), f"{angle:g}°", INK, font(15))
    count = counted(len(images), "image")
    draw.text((MARGIN + VALUE_WIDTH, middle), count, FAINT, font(14))
    for column, image in enumerate(evenly(images, columns)):
        strip.paste(_object_tile(image.path, side), (MARGIN + LABEL_WIDTH + column * (side + GAP), 0))
    return strip


def _background_strips(catalogue: Catalogue, side: int, width: int) -> list[Image.Image]:
    """The groups of backgrounds, several a strip: one tile a group, of up to four of its views."""
    groups: dict[str, list[Path]] = defaultdict(list)
    for background in catalogue.backgrounds:
        groups[background.group].append(background.path)
    shown = evenly(sorted(groups.items()), MAX_GROUPS)
    side = max(side, 72)
    per_strip = max(1, (width - 2 * MARGIN + GAP) // (side + GAP))
    strips = [title("backgrounds", width)] if shown else []
    for first in range(0, len(shown), per_strip):
        strip, draw = blank(width, side + LINE + 2 * GAP)
        for column, (group, paths) in enumerate(shown[first : first + per_strip]):
            left = MARGIN + column * (side + GAP)
            strip.paste(_group_tile(paths, side), (left, 0))
            name = group if len(paths) == 1 else f"{group} ({len(paths)})"
            draw.text((left, side + 1), fitted(draw, name, font(12), side), FAINT, font(12))
        strips.append(strip)
    if len(groups) > len(shown):
        strips.append(title(f"{len(shown)} of {counted(len(groups), 'group')} shown", width))
    return strips


def _object_tile(path: Path, side: int) -> Image.Image:
    """The object on a chequered ground, its aspect kept, with the outline of its mask."""
    try:
        rgba_HWC = read_object(path)
    except UnusableImage:
        return crossed_out(side, side)
    tile = _chequered(side)
    mask_HW = object_mask(rgba_HWC)
    cut = Image.fromarray(np.dstack([rgba_HWC[..., :3], mask_HW * np.uint8(255)]))
    cut = contained(cut, side)
    corner = (side - cut.width) // 2, (side - cut.height) // 2
    tile.paste(cut, corner, cut)
    mask = Image.new("L", (side, side))
    mask.paste(cut.getchannel("A").point(lambda alpha: 255 * (alpha >= 128)), corner)
    grown = np.asarray(mask.filter(ImageFilter.MaxFilter(3)))
    tile.paste(OUTLINE, mask=Image.fromarray(grown - np.asarray(mask)))
    return tile


def _group_tile(paths: Sequence[Path], side: int) -> Image.Image:
    """One background, or a mosaic of four (with fewer, the rest is empty)."""
    if len(paths) == 1:
        return _background_tile(paths[0], side)
    tile = Image.new("RGB", (side, side), PAPER)
    half = side // 2
    for position, path in enumerate(evenly(paths, 4)):
        tile.paste(_background_tile(path, half - 1), (position % 2 * (half + 1), position // 2 * (half + 1)))
    return tile


def _background_tile(path: Path, side: int) -> Image.Image:
    """The background as a test image has it: whole and square."""
    try:
        return Image.fromarray(whole_background(read_background(path), square(side)))
    except UnusableImage:
        return crossed_out(side, side)


def _chequered(side: int, check: int = 8) -> Image.Image:
    rows, columns = np.indices((side, side)) // check
    greys = np.where((rows + columns) % 2 == 0, *CHECKS).astype(np.uint8)
    return Image.fromarray(greys).convert("RGB")
