"""What a command answers with exit status 2: the message alone, no traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from trainers.printable import printable


class StudyError(Exception):
    """The command could not be carried out. The message names the thing and the remedy."""

    def __str__(self) -> str:
        """What is shown on a terminal is text: names in it may come from others, with escape sequences in them."""
        return printable(super().__str__(), keep="\n")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message about a word that is none of those known: the nearest one, if any is near."""
    nearest = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {nearest[0]}?" if nearest else ""
