"""Arguments of the built-in losses, which come from a TOML file."""

from __future__ import annotations

import math


def is_number(value: object) -> bool:
    """Whether it is one; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def check_number(name: str, value: object, below: float = math.inf) -> None:
    """Raises ValueError unless it is a number, at least 0, and below so much."""
    if not is_number(value):
        raise ValueError(f"{name} must be a number, not {value!r}")
    if not 0 <= value < below:  # type: ignore[operator]
        most = f" and below {below:g}" * (below < math.inf)
        raise ValueError(f"{name} must be at least 0{most}, not {value:g}")
