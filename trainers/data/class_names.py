"""What classes may be called, and the paper's abbreviations."""

from __future__ import annotations

import re
from collections.abc import Sequence

from trainers.data.problems import Problem

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


def class_order(abbreviated: str) -> tuple[int, str]:
    """A key to sort classes by: the paper's in the paper's order, then others by name, and `all` last."""
    papers = [*ABBREVIATIONS.values()]
    if abbreviated == "all":
        return len(papers) + 1, abbreviated
    return (papers.index(abbreviated) if abbreviated in papers else len(papers)), abbreviated


def abbreviation(class_name: str) -> str:
    """The paper's abbreviation of a class (section 3.4); a class that the paper lacks keeps its name."""
    return ABBREVIATIONS.get(class_name, class_name)


def class_problems(classes: Sequence[str]) -> list[Problem]:
    """What is wrong with the names of these object classes, or with how many there are."""
    problems = []
    for name in classes:
        if name.casefold() in RESERVED_NAMES:
            problems.append(Problem(name, f"a reserved name ({', '.join(sorted(RESERVED_NAMES))}): rename the class"))
        if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", name):
            what = "a class name holds only A-Z, a-z, 0-9, _, - and ., and does not begin with .: rename it"
            problems.append(Problem(name, what))
    for relation, key in (("differs only by case from", str.casefold), ("is abbreviated like", abbreviation)):
        seen: dict[str, str] = {}
        for name in classes:
            twin = seen.setdefault(key(name), name)
            if twin != name:
                problems.append(Problem(name, f"{relation} another class: rename one", twin))
    if len(classes) > MAX_CLASSES:
        problems.append(Problem(".", f"{len(classes)} classes: at most {MAX_CLASSES} can be told apart"))
    return problems
