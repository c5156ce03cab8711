"""How a data set's samples are spread over classes and the values of an axis: the paper's Table 1 of any data set."""

from __future__ import annotations

from trainers.data.table import Samples, Value, in_words

MAX_VALUES_SHOWN = 20

Counts = dict[str, dict[Value, int]]
"""Class -> value of an axis -> samples."""


def describe(samples: Samples, axis: str) -> Counts:
    """The number of samples by class and value of the axis: every class with every value, zeros included."""
    values = samples.values(axis)
    counts: Counts = {name: dict.fromkeys(values, 0) for name in samples.classes}
    for row in samples.rows:
        for name in row.classes if axis in row.values else ():
            counts[name][row.values[axis]] += 1
    return counts


def distribution_table(samples: Samples, axis: str) -> str:
    """The paper's Table 1 of this data set as plain text: samples by class and value of the axis, with totals.

    Of many values it says only how many there are, and the first and the last.
    """
    counts, values = describe(samples, axis), samples.values(axis)
    found = [row.values[axis] for row in samples.rows if axis in row.values]
    numbers = [*counts.values(), {value: found.count(value) for value in values}]
    if len(values) <= MAX_VALUES_SHOWN:
        cells = [list(map(in_words, values)), *([str(count) for count in row.values()] for row in numbers)]
    else:
        cells = [["values", "from", "to"], *map(_span, numbers)]
    totals = ["total", *(str(sum(row.values())) for row in numbers)]
    names = ["class", *counts, "total"]
    columns = [[name.ljust(max(map(len, names))) for name in names], *zip(*cells, strict=True), totals]
    widths = [max(map(len, column)) for column in columns]
    rows = zip(*columns, strict=True)
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def _span(row: dict[Value, int]) -> list[str]:
    """How many values have a sample, the first of them and the last."""
    found = [in_words(value) for value, count in row.items() if count] or ["", ""]
    return [str(sum(count > 0 for count in row.values())), found[0], found[-1]]
