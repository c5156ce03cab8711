"""How large an image is. Imports nothing that is heavy."""

from __future__ import annotations

from typing import NamedTuple


class Size(NamedTuple):
    """Of an image, pixels."""

    height: int
    width: int

    @property
    def pixels(self) -> int:
        return self.height * self.width

    def __str__(self) -> str:
        return f"{self.height} x {self.width}"


def square(side: int) -> Size:
    return Size(side, side)
