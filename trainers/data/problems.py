"""What is wrong with a data set, and how it is listed: a kind of problem once, however many files have it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from trainers.printable import counted, printable

PLACES_TOLD = 3
KINDS_TOLD = 50


@dataclass(frozen=True)
class Problem:
    """What is wrong with a file, folder or split, in words that are the same for all that have this kind of problem."""

    place: str
    """A path relative to the data set (of its own folder `.`), or a split."""
    what: str
    detail: str = ""
    """What differs from place to place, such as an image's size."""

    @property
    def where(self) -> str:
        place = "the folder" if self.place == "." else self.place
        return f"{place} ({self.detail})" if self.detail else place

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class DataError(Exception):
    """The data set cannot be used. `problems` holds every reason; the message has a line for each kind of them."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return listed(self.problems, " in the data set")


def listed(problems: Sequence[Problem], where: str = "") -> str:
    """How many problems there are, and a line for each kind of them; on one line if they are of one kind. The same
    problem counts once, however often it was found."""
    problems = list(dict.fromkeys(problems))
    heading, lines = f"{counted(len(problems), 'problem')}{where}:", in_lines(problems)
    return f"{heading} {lines[0]}" if len(lines) == 1 else "\n".join([heading, *(f"  {line}" for line in lines)])


def in_lines(problems: Iterable[Problem]) -> list[str]:
    """A line for each kind of problem: the first places that have it, how many more there are, and what is wrong."""
    places: dict[str, list[str]] = defaultdict(list)
    for problem in dict.fromkeys(problems):
        places[problem.what].append(problem.where)
    lines = [printable(f"{', '.join(all_[:PLACES_TOLD])}{_more(all_)}: {what}") for what, all_ in places.items()]
    left_out = len(lines) - KINDS_TOLD
    return [*lines[:KINDS_TOLD], f"and {counted(left_out, 'more kind')} of problems"] if left_out > 0 else lines


def _more(places: list[str]) -> str:
    return f" and {len(places) - PLACES_TOLD} more" if len(places) > PLACES_TOLD else ""
