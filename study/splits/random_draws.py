"""random_<number>: a share of each class, or of all units, is tested, drawn by chance."""

from __future__ import annotations

import math

from study.definition import Definition
from study.splits.parts import Division, SplitError, everything_but
from study.splits.units import FEWEST, Units
from trainers.data.problems import Problem
from trainers.data.table import Samples
from trainers.seeds import shuffled

MOST_DRAWS = 64
SPLITS_LEFT = 100
"""So many random splits that differ are left, at least, where there are as many choices: for that fewer are tried."""
UNITS_TRIED = 20_000
"""In all draws that are tried for a split: many units come near to any share in a single one."""


def random_draw(name: str, definition: Definition, samples: Samples) -> Division:
    """Tests a random share of each class; the others, rounded down, are left to train. Raises SplitError.

    The paper's authors cut without a shuffle, so that their eight random splits are one. Here all the ways to choose
    test samples are numbered, and a seeded shuffle of these numbers gives every split its own: splits differ pairwise,
    and none asks what the others are. Units are chosen likewise, and as they differ in size, every split has several
    numbers of its own, of which it takes the one whose samples are nearest to the share.
    """
    place = int(name.removeprefix("random_"))
    share = definition.splits.test_share
    units = Units.of(samples, definition.splits.unit)
    strata = [
        (members, len(members) - int(round((1 - share) * len(members), 9)))
        for members in units.strata(fewest=FEWEST).values()
    ]
    ways = [math.comb(len(members), num_test) for members, num_test in strata]
    block = _num_draws(math.prod(ways), len(units)) if definition.splits.unit else 1
    num_splits = math.prod(ways) // block
    if place >= num_splits:
        what = f"the data set is too small: it has {num_splits} random splits that differ; ask for no others"
        raise SplitError([Problem(name, what)])
    draws = []
    for at in range(place * block, (place + 1) * block):
        rank = shuffled(at, math.prod(ways), definition.seed, "test images of random splits")
        draw: list[int] = []
        for (members, num_test), ways_of_stratum in zip(strata, ways, strict=True):
            rank, rank_of_stratum = divmod(rank, ways_of_stratum)
            draw += [members[i] for i in combination(rank_of_stratum, len(members), num_test)]
        draws.append(draw)
    return everything_but(units.ids(units.nearest(draws, share)), samples)


def _num_draws(ways: int, num_units: int) -> int:
    """How many draws a split has to choose from."""
    return max(1, min(MOST_DRAWS, ways // SPLITS_LEFT, UNITS_TRIED // num_units))


def combination(rank: int, num_items: int, num_chosen: int) -> list[int]:
    """The combination that has this rank, from 0, among all those of `num_chosen` of the items 0 to num_items - 1."""
    chosen: list[int] = []
    ways = math.comb(num_items, num_chosen)  # to choose what is still to be chosen among the items still to come
    for item in range(num_items):
        with_it = ways * (num_chosen - len(chosen)) // (num_items - item)
        if rank < with_it:
            chosen.append(item)
            ways = with_it
        else:
            rank -= with_it
            ways -= with_it
    return chosen
