"""The table of samples: all that splits are made from. It knows neither files nor pixels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

Value = int | float | str
"""What a column holds: 30, 22.5, or "clinic A"."""
ALL_SAMPLES = "all samples"
"""The stratum of a table whose samples show several classes each."""


@dataclass(frozen=True)
class Sample:
    """One image with its labels: its id, the classes it shows, and its value in every further column."""

    id: str
    classes: tuple[str, ...]
    values: Mapping[str, Value]
    """Column (`angle`, `patient`, ...) -> value."""


@dataclass(frozen=True)
class Samples:
    """Every sample of a data set. A column can be the axis of held-out splits."""

    classes: tuple[str, ...]
    """The classes by name, in the order of their labels."""
    rows: tuple[Sample, ...]
    in_degrees: frozenset[str] = frozenset()
    """Columns of directions in degrees, from 0 to below 360."""
    has_background: bool = True
    """Whether label 0 is the background; without one it is the first class."""
    has_ignored: bool = False
    """Whether label maps may hold IGNORED."""

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """What each label stands for: the background, if there is one, then the classes."""
        return ("background",) * self.has_background + self.classes

    @property
    def first_object(self) -> int:
        """The label of the first class; those of the others follow."""
        return int(self.has_background)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns beside id and classes, as they first appear."""
        return tuple(dict.fromkeys(column for row in self.rows for column in row.values))

    def values(self, column: str) -> list[Value]:
        """The different values of a column, in ascending order, numbers first."""
        return in_order(row.values[column] for row in self.rows if column in row.values)

    def value(self, column: str, given: Value) -> Value:
        """A value as this table writes it: of directions, -30 and 330 are one."""
        if column in self.in_degrees and not isinstance(given, str):
            return within_a_turn(Decimal(str(given)))
        return given

    @cached_property
    def is_stratified(self) -> bool:
        """Whether every sample shows one class, so that each class can be divided by itself."""
        return all(len(row.classes) == 1 for row in self.rows)

    def strata(self, rows: Iterable[Sample] | None = None) -> dict[str, list[Sample]]:
        """The rows (all, or those given) by class where every sample of the table shows one, else all as one."""
        by_stratum: dict[str, list[Sample]] = defaultdict(list)
        for row in self.rows if rows is None else rows:
            by_stratum[row.classes[0] if self.is_stratified else ALL_SAMPLES].append(row)
        return by_stratum


def in_order(values: Iterable[Value]) -> list[Value]:
    """The different ones among the values, ascending, numbers before words."""
    return sorted(set(values), key=lambda value: (isinstance(value, str), value))


def in_words(value: Value) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def within_a_turn(degrees: Decimal) -> int | float:
    """The same direction from 0 to below 360 degrees, exactly; a whole number as int."""
    turned = (degrees % 360 + 360) % 360
    return int(turned) if turned == int(turned) else float(turned)
