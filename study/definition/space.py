"""What the search may vary: for every searched key of the recipe a range or choices."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from study.errors import refuse_repeats
from trainers.recipe import SECTIONS, Section, Value

MOST_KEYS = 16
"""That a study may search."""
FIXED = {
    "training.image_size": "all trials of a study share the images",
    "training.resize": "all trials of a study share the images",
    "training.counted_at": "all trials of a study are scored alike",
    "training.deterministic": "it is not a property of a model",
    "training.threads": "all trials of a study share the machines",
    "training.epsilon": "all trials of a study are scored alike",
}
"""Keys of the recipe that cannot be searched, and why."""

Number = (
    Annotated[int, Field(ge=-(2**53), le=2**53)]
    | Annotated[float, Field(ge=-1e300, le=1e300)]  # the difference of two is a number, too
)


class Range(Section):
    """Numbers from low to high: whole ones if the recipe's own value is one."""

    low: Number
    high: Number
    log: bool = False
    """Draw on a logarithmic scale."""
    step: Number | None = None
    """Only low, low + step, low + 2 step, ..."""

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low must be below high, and {self.low:g} is not below {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic scale has no {self.low:g}: low must be above 0")
        if self.step is not None and self.log:
            raise ValueError("either log or step, not both")
        if self.step is not None and not 0 < self.step <= self.high - self.low:
            raise ValueError(f"step must be above 0 and at most high - low, not {self.step:g}")
        if self.step is not None and self.num_steps > 2**31:
            raise ValueError(f"step: more than {2**31:,} steps; leave it out")
        return self

    @property
    def ends(self) -> tuple[Value, ...]:
        return self.low, self.high

    @property
    def num_steps(self) -> int:
        """From low to the last value that is not above high."""
        assert self.step is not None
        return math.floor((self.high - self.low) / self.step + 1e-9)

    def at_step(self, number: int) -> Value:
        """low + number x step, of the numbers as they are written: 0.1 + 2 x 0.1 is 0.3."""
        value = Decimal(str(self.low)) + number * Decimal(str(self.step))
        return int(value) if isinstance(self.low, int) and isinstance(self.step, int) else float(value)

    def step_of(self, value: Value) -> int:
        """The number of steps to the value, or to the nearest that there is."""
        assert self.step is not None
        return min(max(round((float(value) - self.low) / self.step), 0), self.num_steps)

    def at(self, share: float, *, whole: bool) -> Value:
        """The value at a share in [0, 1) of the way from low to high."""
        if self.step is not None:
            return self.at_step(int(share * (self.num_steps + 1)))
        low, high = (self.low - 0.5, self.high + 0.5) if whole else (self.low, self.high)  # each whole one as likely
        if self.log:
            low, high = math.log(low), math.log(high)
            value = math.exp(low + share * (high - low))
        else:
            value = low + share * (high - low)
        return self.nearest(round(value) if whole else float(value))

    def nearest(self, value: Value) -> Value:
        """The value itself, or the end that it lies beyond."""
        return min(max(value, type(value)(self.low)), type(value)(self.high))


class Choices(Section):
    """Some values, none nearer to another."""

    choices: Annotated[tuple[Value, ...], Field(min_length=2, max_length=100)]

    @field_validator("choices")
    @classmethod
    def _each_once(cls, values: tuple[Value, ...]) -> tuple[Value, ...]:
        refuse_repeats(values)
        return values

    @property
    def ends(self) -> tuple[Value, ...]:
        """All of them: each may be one that the recipe does not take."""
        return self.choices

    def at(self, share: float, *, whole: bool) -> Value:
        """The value at a share in [0, 1) of all choices."""
        return self.choices[int(share * len(self.choices))]


def _kind(dimension: Any) -> str:
    keys = dimension if isinstance(dimension, Mapping) else getattr(dimension, "model_fields_set", ())
    return "[choices]" if "choices" in keys else "[range]"


Dimension = Annotated[
    Annotated[Range, Tag("[range]")] | Annotated[Choices, Tag("[choices]")],
    Discriminator(_kind),
]
Space = dict[str, Dimension]
"""Searched key -> what it may be, in the order of `in_order`."""


def flat(table: Mapping[str, Any]) -> dict[str, Any]:
    """With keys such as `model.width`, whether they were written so, in quotes, or as tables in tables.

    Raises ValueError, naming both, if one key is written in two of these ways.
    """
    found: dict[str, Any] = {}
    for key, value in table.items():
        in_table = "." not in key and isinstance(value, Mapping)
        named = {f"{key}.{inner}": each for inner, each in value.items()} if in_table else {key: value}
        for twice in found.keys() & named.keys():
            raise ValueError(
                f'{twice} is written in two ways, as "{twice}" and in the table {twice.partition(".")[0]}: keep one'
            )
        found |= named
    return found


def in_order(space: Space) -> Space:
    """By the recipe's sections, then by name: the draws of a key depend on its place, and not on who wrote it where."""
    sections = list(SECTIONS)

    def place(key: str) -> tuple[int, str]:
        section = key.partition(".")[0]
        return sections.index(section) if section in sections else len(sections), key

    return {key: space[key] for key in sorted(space, key=place)}
