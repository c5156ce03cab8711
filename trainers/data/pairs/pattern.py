"""Patterns over places, such as "{patient}/{visit}_{number}": what stands where a name stands in braces."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from trainers.data.table import Value

_NAME = re.compile(r"\{([^{}]*)\}")
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,14}")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,8})\.[0-9]{0,8}[1-9]")


class Pattern:
    """`{name}` stands for as little as possible up to the text that follows it, and never for a `/`.

    Raises ValueError for a text that is no pattern.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        *literals, end = _NAME.split(text)[::2]
        self.names = tuple(_NAME.findall(text))
        if not self.names:
            raise ValueError(f"{text!r} names no column: it looks like {{patient}}/{{number}}")
        if any("{" in literal or "}" in literal for literal in (*literals, end)):
            raise ValueError(f"{text!r} has a brace without its partner")
        for name in self.names:
            if not name.strip() or not name.isprintable() or len(name) > 100:
                raise ValueError(f"{text!r}: a column's name has 1 to 100 characters, all printable")
            if self.names.count(name) > 1:
                raise ValueError(f"{text!r} names {name} twice")
        if not all(literals[1:]):
            raise ValueError(f"{text!r}: between two columns there must be some text that tells where one ends")
        parts = [f"{re.escape(literal)}([^/]+?)" for literal in literals]
        self._form = re.compile("".join(parts) + re.escape(end))

    def match(self, place: str) -> dict[str, str] | None:
        """Name -> what stands for it in a place, or None if the place does not have this form."""
        found = self._form.fullmatch(place)
        return None if found is None else dict(zip(self.names, found.groups(), strict=True))

    def fill(self, values: Mapping[str, str]) -> str:
        """The place that has these values."""
        return _NAME.sub(lambda name: values[name[1]], self.text)


def as_values(texts: Iterable[str]) -> dict[str, Value]:
    """Text -> value, of all texts of a column: numbers only if each is written as a number is, without a zero before
    it or behind it. (007 and 1e5 are names.)"""
    different = dict.fromkeys(texts)
    if all(_WHOLE.fullmatch(text) or _DECIMAL.fullmatch(text) for text in different):
        return {text: float(text) if "." in text else int(text) for text in different}
    return {text: text for text in different}
