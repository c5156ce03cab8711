"""What classes may be called, and the paper's abbreviations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from trainers.data.problems import Problem

BACKGROUNDS = ("bg", "background", "_background_")
"""What data sets call the background, in any case; the first is its name in a study's tables."""
IGNORED = 255
"""The label of pixels that enter neither a loss nor a count."""
MAX_CLASSES = 254
"""A label is one byte: 0 is the background where there is one, and 255 is no class."""
RESERVED_NAMES = frozenset({"all", "background", "backgrounds", "bg"})
ABBREVIATIONS = {
    "background": "bg",
    "box": "bx",
    "clamp": "cl",
    "drill": "dr",
    "duck": "du",
    "adapter": "ad",
    "bottle": "bo",
}
"""The paper's abbreviations (section 3.4)."""


def names_in_tables(labels: Iterable[str]) -> list[str]:
    """What tables call these labels: the background `bg`, and the paper's six classes as the paper abbreviates them
    where all of them are there and no other; anybody else's classes keep their names."""
    names = list(labels)
    is_papers = {*names, "background"} == {*ABBREVIATIONS}
    return [ABBREVIATIONS[name] if is_papers or name == "background" else name for name in names]


def in_papers_order(names: Iterable[str]) -> list[str]:
    """Classes that are the paper's, by name or abbreviation, in the paper's order; where there are others, all as they
    come: in the order of their labels."""
    names = list(names)
    places = {name: place for place, pair in enumerate(ABBREVIATIONS.items()) for name in pair}
    return sorted(names, key=places.__getitem__) if {*names} <= places.keys() else names


def class_problems(classes: Sequence[str]) -> list[Problem]:
    """What is wrong with the names of these classes, or with how many there are."""
    problems = []
    for name in classes:
        if name.casefold() in RESERVED_NAMES:
            problems.append(Problem(name, f"a reserved name ({', '.join(sorted(RESERVED_NAMES))}): rename the class"))
        if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", name):
            what = "a class name holds only A-Z, a-z, 0-9, _, - and ., and does not begin with .: rename it"
            problems.append(Problem(name, what))
    seen: dict[str, str] = {}
    twins = [(name, twin) for name in classes if (twin := seen.setdefault(name.casefold(), name)) != name]
    problems += [Problem(name, "differs only by case from another class: rename one", twin) for name, twin in twins]
    if len(classes) > MAX_CLASSES:
        problems.append(Problem(".", f"{len(classes)} classes: at most {MAX_CLASSES} can be told apart"))
    return problems
