"""What contact sheets have in common: strips below each other, tiles, texts, and how large a sheet may be."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from trainers.printable import printable

MAX_BYTES = 3_000_000
PAPER, INK, FAINT, RULE = (255, 255, 255), (28, 30, 34), (110, 114, 122), (208, 211, 217)
FAULT = (200, 30, 30)
MARGIN, GAP, LINE = 24, 6, 20
SECOND_LINE = MARGIN + LINE + 6
"""Of a heading: its top."""

Item = TypeVar("Item")
Font = ImageFont.ImageFont | ImageFont.FreeTypeFont


def write_sheet(drawn: Iterable[Image.Image], path: Path) -> Path:
    """Write the first sheet that is small enough, else the last, as PNG. Raises OSError if it cannot be written."""
    for sheet in drawn:
        encoded = io.BytesIO()
        sheet.save(encoded, format="PNG", optimize=True)
        if encoded.tell() <= MAX_BYTES:
            break
    path.write_bytes(encoded.getvalue())
    return path


def below_each_other(strips: Sequence[Image.Image], width: int) -> Image.Image:
    sheet = Image.new("RGB", (width, sum(strip.height for strip in strips) + MARGIN), PAPER)
    top = 0
    for strip in strips:
        sheet.paste(strip, (0, top))
        top += strip.height
    return sheet


def blank(width: int, height: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """An empty strip, and what draws on it."""
    strip = Image.new("RGB", (width, height), PAPER)
    return strip, ImageDraw.Draw(strip)


def heading(first: str, second: str, width: int) -> Image.Image:
    """A strip with what the sheet shows, and more of it in small."""
    strip, draw = blank(width, MARGIN + 3 * LINE + GAP)
    draw.text((MARGIN, MARGIN - 4), first, INK, font(22))
    second = fitted(draw, printable(second), font(14), width - 2 * MARGIN)
    draw.text((MARGIN, SECOND_LINE), second, FAINT, font(14))
    return strip


def title(text: str, width: int) -> Image.Image:
    """A strip with a heading below a line."""
    strip, draw = blank(width, 2 * LINE)
    draw.line((MARGIN, GAP, width - MARGIN, GAP), RULE)
    draw.text((MARGIN, 2 * GAP), fitted(draw, text, font(17), width - 2 * MARGIN), INK, font(17))
    return strip


def contained(image: Image.Image, side: int, resample: Image.Resampling = Image.Resampling.BILINEAR) -> Image.Image:
    """The image, larger or smaller, with a longer side of `side` pixels."""
    scale = side / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    return image.resize((width, height), resample)


def crossed_out(width: int, height: int) -> Image.Image:
    """What stands for an image that cannot be used."""
    tile, draw = blank(width, height)
    draw.rectangle((0, 0, width - 1, height - 1), outline=FAULT)
    draw.line((0, 0, width, height), FAULT, 2)
    draw.line((0, height, width, 0), FAULT, 2)
    return tile


def evenly(items: Sequence[Item], count: int) -> list[Item]:
    """At most `count` of the items, the first and the last among them, at even distances."""
    if len(items) <= count:
        return list(items)
    return [items[round(position)] for position in np.linspace(0, len(items) - 1, count)]


def fitted(draw: ImageDraw.ImageDraw, text: str, font: Font, width: float) -> str:
    """The text, cut short with an ellipsis where it is wider than `width` pixels."""
    if draw.textlength(text, font) <= width:
        return text
    while text and draw.textlength(text + "…", font) > width:
        text = text[:-1]
    return text + "…"


def font(height: int) -> Font:
    """Of this height in pixels, without any file of the user's."""
    return ImageFont.load_default(height)
