"""Splits that test the same images and leave the same ones to train on: one split under several names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from trainers.data.problems import Problem, in_lines
from trainers.data.split import Split


def equal_splits(splits: Iterable[Split]) -> list[list[Split]]:
    """Two or more each; in the order of the first. (Which images are kept for validation may differ.)"""
    alike: dict[tuple[frozenset[str], frozenset[str]], list[Split]] = defaultdict(list)
    for split in splits:
        alike[frozenset(split.test), frozenset((*split.train, *split.val))].append(split)
    return [equal for equal in alike.values() if len(equal) > 1]


def equal_notes(splits: Iterable[Split], unit: str | None) -> list[str]:
    """What to do about them, in sentences.

    :param unit: the definition's splits.unit: with few units a random split tests one of them, as a held-out one does.
    """
    coarse = f", or splits.unit ({unit} has few values)" if unit else ""
    what = f"test the same images and train on the same others, so they are one split twice: leave one out{coarse}"
    return in_lines(Problem(" and ".join(split.name for split in equal), what) for equal in equal_splits(splits))
