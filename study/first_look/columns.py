"""Columns that a data set's places may hold, and which of its columns have several samples of each value."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from study.splits.given import part_of
from trainers.data.pairs.parts import PART
from trainers.data.table import Samples
from trainers.printable import counted

_MARK = re.compile(r"([_ .-]+)")


@dataclass(frozen=True)
class ProposedPattern:
    """A pattern over places, and what it was seen by."""

    text: str
    why: str


def propose_pattern(ids: Sequence[str]) -> ProposedPattern | None:
    """Where all places are divided alike, by folders and marks or by folders alone, and something in them is shared: a
    pattern.

    What is the same in all places is text; of the rest, each is a column: `part` where the values are train, val and
    the like, `group` where several images share a value, else `number` (or `name`).
    """
    by_marks = [[_MARK.split(level) for level in id.split("/")] for id in ids]
    by_folders = [[[level] for level in id.split("/")] for id in ids]
    parted = next((each for each in (by_marks, by_folders) if _are_divided_alike(each)), None)
    if parted is None or len(ids) < 4:
        return None
    levels, names, told = [], Counter[str](), []
    for level in zip(*parted, strict=True):
        words = []
        for place, column in enumerate(zip(*level, strict=True)):
            if place % 2 or len(set(column)) == 1:
                words.append(column[0])
                continue
            kind = _kind(column)
            names[kind] += 1
            name = kind if names[kind] == 1 else f"{kind}_{names[kind]}"
            words.append(f"{{{name}}}")
            told.append(f"{name} ({counted(len(set(column)), 'value')}, such as {min(column)})")
        levels.append("".join(words))
    text = "/".join(levels)
    if not names["group"] + names[PART] or "{" in "".join(_literals(text)):
        return None
    return ProposedPattern(text, f"all names of images are divided alike: {', '.join(told)}")


def _kind(texts: Sequence[str]) -> str:
    if all(map(part_of, texts)):
        return PART
    if _is_grouped(texts):
        return "group"
    return "number" if all(text.isdigit() for text in texts) else "name"


def _are_divided_alike(parted: list[list[list[str]]]) -> bool:
    """:param parted: of each id, each of its levels as words and the marks between them."""
    marks = [[words[1::2] for words in levels] for levels in parted]
    return all(each == marks[0] for each in marks)


def _literals(pattern: str) -> list[str]:
    return re.split(r"\{[^{}]*\}", pattern)


def _is_grouped(values: Sequence[object]) -> bool:
    """Whether few values have several images each."""
    times = sorted(Counter(values).values())
    return 2 <= len(times) <= len(values) / 2 and times[len(times) // 2] >= 2


def grouped_columns(samples: Samples) -> list[str]:
    """The columns whose values several samples each share, all of them having one."""
    return [
        column
        for column in samples.columns
        if all(column in row.values for row in samples.rows)
        and _is_grouped([row.values[column] for row in samples.rows])
    ]
