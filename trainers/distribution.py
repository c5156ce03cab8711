"""How a data set's images are spread over classes and angles: the paper's Table 1 of any data set."""

from __future__ import annotations

from trainers.catalogue import Catalogue

MAX_ANGLES_SHOWN = 20


def describe(catalogue: Catalogue) -> dict[str, dict[int | float, int]]:
    """The number of images by class and angle (degrees): every class with every angle of the set, zeros included."""
    angles = sorted({image.angle for image in catalogue.images})
    counts: dict[str, dict[int | float, int]] = {name: dict.fromkeys(angles, 0) for name in catalogue.classes}
    for image in catalogue.images:
        counts[image.class_name][image.angle] += 1
    return counts


def distribution_table(catalogue: Catalogue) -> str:
    """The paper's Table 1 of this data set as plain text: images by class and angle, with totals, and backgrounds.

    Of many angles it says only how many there are, and the first and the last.
    """
    counts = describe(catalogue)
    angles = sorted({image.angle for image in catalogue.images})
    numbers = [*counts.values(), {angle: sum(row[angle] for row in counts.values()) for angle in angles}]
    if len(angles) <= MAX_ANGLES_SHOWN:
        cells = [[f"{angle:g}" for angle in angles], *([str(count) for count in row.values()] for row in numbers)]
    else:
        cells = [["angles", "from", "to"], *map(_span, numbers)]
    totals = ["total", *(str(sum(row.values())) for row in numbers)]
    names = ["class", *counts, "total"]
    columns = [[name.ljust(max(map(len, names))) for name in names], *zip(*cells, strict=True), totals]
    widths = [max(map(len, column)) for column in columns]
    rows = zip(*columns, strict=True)
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    groups = {background.group for background in catalogue.backgrounds}
    return "\n".join([*lines, f"{len(catalogue.backgrounds)} backgrounds in {len(groups)} groups"])


def _span(row: dict[int | float, int]) -> list[str]:
    """How many angles have an image, the first of them and the last."""
    angles = [f"{angle:g}" for angle, count in row.items() if count] or ["", ""]
    return [str(sum(count > 0 for count in row.values())), angles[0], angles[-1]]
