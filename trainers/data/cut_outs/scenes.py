"""Backgrounds by split: those of whole scenes are held out, so that no scene is both trained on and tested on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from trainers.data.problems import Problem
from trainers.printable import counted
from trainers.seeds import generator_for


@dataclass(frozen=True)
class SceneRules:
    """How scenes are divided. A split's name and `seed` decide which scene goes where."""

    seed: int = 0
    test_share: float = 0.2
    validation_share: float = 0.15
    """Of the scenes that are not tested."""
    shared: bool = False
    """True: train, val and test draw from all backgrounds alike."""


NOTHING_HELD_OUT = SceneRules(shared=True)
FEWEST_GROUPS = 3
"""One to train on, one to validate on and one to test on."""


class Background(NamedTuple):
    """A background's id, and the scene that it is a view of."""

    id: str
    group: str


class Pools(NamedTuple):
    """The ids of the backgrounds that each part of a split draws from."""

    train: tuple[str, ...]
    val: tuple[str, ...]
    test: tuple[str, ...]


def scene_problems(backgrounds: Sequence[Background], rules: SceneRules) -> list[Problem]:
    """Why these backgrounds cannot be divided so."""
    num_groups = len({background.group for background in backgrounds})
    if (
        rules.shared or num_groups == 0 or num_groups >= FEWEST_GROUPS
    ):  # that there is none is said where the folder is listed
        return []
    what = (
        f"{counted(num_groups, 'background group')} cannot be held out for training, validation and "
        "testing apart; add backgrounds (a folder in backgrounds/ is one group, so is a single file), or set "
        "splits.shared_backgrounds=true"
    )
    return [Problem("backgrounds", what)]


@lru_cache(maxsize=64)
def pools_of(split: str, backgrounds: tuple[Background, ...], rules: SceneRules) -> Pools:
    """The backgrounds of the split of that name. There are at least three groups, or they are shared."""
    if rules.shared:
        return Pools(*3 * (tuple(background.id for background in backgrounds),))
    groups = sorted({background.group for background in backgrounds})
    shuffled = [groups[i] for i in generator_for(rules.seed, split, "background groups").permutation(len(groups))]
    num_test = min(len(groups) - 2, max(1, round(rules.test_share * len(groups))))
    rest = len(groups) - num_test
    num_val = min(rest - 1, max(1, round(rules.validation_share * rest)))
    parts = shuffled[num_test + num_val :], shuffled[num_test : num_test + num_val], shuffled[:num_test]
    return Pools(*(tuple(each.id for each in backgrounds if each.group in part) for part in parts))


def assigned(pool: Sequence[str], rules: SceneRules, split: str, partition: str, sample: str) -> str:
    """The background of a val or test image, drawn by the image's own name: the same for every model of the split."""
    return pool[int(generator_for(rules.seed, split, partition, "background", sample).integers(len(pool)))]
