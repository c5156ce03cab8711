"""What a command answers with exit status 2: the message alone, no traceback."""

from __future__ import annotations

import reprlib
from collections import Counter
from collections.abc import Iterable
from typing import Any

from trainers.printable import did_you_mean as did_you_mean  # for all who say what is wrong
from trainers.printable import printable


class StudyError(Exception):
    """The command could not be carried out. The message names the thing and the remedy."""

    def __str__(self) -> str:
        """What is shown on a terminal is text: names in it may come from others, with escape sequences in them."""
        return printable(super().__str__(), keep="\n")


def refuse_repeats(values: Iterable[object]) -> None:
    """Raises ValueError, naming them, if some values stand there more than once."""
    repeated = sorted(str(value) for value, count in Counter(values).items() if count > 1)
    if repeated:
        raise ValueError(f"named twice: {', '.join(name[:LONGEST_SHOWN] for name in repeated[:MOST_SHOWN])}")


MOST_SHOWN, LONGEST_SHOWN = 20, 80
"""Problems of one kind, and characters of one value, in a message."""
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = LONGEST_SHOWN


def brief(value: Any) -> str:
    """A value as a message shows it, however large or deeply nested it is."""
    try:
        return _SHORT.repr(list(value) if isinstance(value, tuple) else value)  # as TOML has it
    except ValueError:  # Python's own limit
        return "a number of too many digits"
