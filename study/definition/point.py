"""A point: the values that the search gave to the searched keys of the recipe."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from trainers.recipe import Value


class Point(Mapping[str, Value]):
    """Key of the recipe (`model.width`) -> value; immutable, and the same whatever the order it was given in."""

    def __init__(self, values: Mapping[str, Value] | None = None) -> None:
        self._values = dict(sorted((values or {}).items()))

    @classmethod
    def from_json(cls, text: str) -> Point:
        """What `to_json` gave. Raises ValueError for what it did not."""
        values = json.loads(text)
        if not isinstance(values, dict):
            raise ValueError(f"{text[:80]!r} is not a point")
        return cls(values)

    def to_json(self) -> str:
        """As the tables keep it: keys in their order, numbers to the last bit."""
        return json.dumps(self._values)

    def __str__(self) -> str:
        """For people: `width 0.25, strength 1`."""
        return ", ".join(f"{key.partition('.')[2]} {_shown(value)}" for key, value in self._values.items())

    def __repr__(self) -> str:
        return f"Point({self._values})"

    def __getitem__(self, key: str) -> Value:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(tuple(self._values.items()))


def _shown(value: Value) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
