"""What is said while very many images are looked at."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from trainers.data.pairs.pair import Pair
from trainers.printable import counted

SECONDS_BETWEEN = 3.0
Tell = Callable[[str], None]
"""Called with a line of text."""


def silently(line: str) -> None:
    """To nobody."""


def with_progress(pairs: Sequence[Pair], doing: str, tell: Tell) -> Iterator[Pair]:
    """The pairs; from time to time it is told how many of them there were.

    :param doing: begins the line, such as `Looking at images`.
    """
    told = time.monotonic()
    for number, pair in enumerate(pairs):
        if time.monotonic() - told >= SECONDS_BETWEEN:
            tell(f"{doing}: {number:,} of {counted(len(pairs), 'image')}")
            told = time.monotonic()
        yield pair
