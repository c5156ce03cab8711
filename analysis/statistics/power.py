"""How often would the gate decide, and as what, with so many random splits and seeds? Simulated from a pilot."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.scores import Floats
from analysis.statistics.comparison import ALPHA
from analysis.statistics.limits import (
    MAX_SD,
    MIN_DICE,
    NUMBERS,
    POWER,
    Truths,
    bounds_of,
    decide,
    fewest,
    value_of,
)
from analysis.statistics.pilot import Pilot, Scored
from study.looks import looks_up_to

REPETITIONS = 400
PILOTS, REPETITIONS_OF_A_PILOT = 25, 100
RANGE = 0.8
"""Of the pilots that might have been drawn in place of the one that was."""
_AT_ONCE, _PLAIN = 4, 3
"""Checks of a limit that are looked at together; and after so many times that all are met in all repetitions, the rest
of them, with larger margins, are taken to be met."""


@dataclass(frozen=True)
class Limit:
    """A limit that is asked of every row of a pilot."""

    name: str
    value: float
    held_out: tuple[int, ...] = ()
    """Which of the pilot's held-out splits a gap is about."""
    axis: str = ""

    def margins(self, pilot: Pilot) -> Floats:
        """Of each row: by how much it truly keeps the limit, in its own SDs; negative where it breaks it."""
        sd = np.maximum(pilot.sd, 1e-9)
        if self.name == MAX_SD:
            return np.asarray(np.log(max(self.value, 1e-9) / sd))
        if self.name == MIN_DICE:
            return np.asarray((pilot.mean - self.value) / sd)
        return np.asarray((self.value - pilot.mean + pilot.held_out[:, self.held_out].mean(-1)) / sd)


@dataclass(eq=False)
class Decisions:
    """What the gate says, repetition by repetition: stable (all of the checks so far met), not stable, or neither."""

    stable: Truths
    not_stable: Truths
    open: dict[tuple[int, int], Truths]
    """Limit and row -> whether the check is open."""

    @property
    def share(self) -> float:
        """Of the repetitions in which it decides."""
        return float(np.mean(self.stable | self.not_stable))

    @property
    def most_open(self) -> tuple[int, int] | None:
        """The check that is open most often where it says neither."""
        neither = ~(self.stable | self.not_stable)
        return max(self.open, key=lambda check: int((self.open[check] & neither).sum())) if neither.any() else None


def decisions(
    pilot: Pilot,
    limits: Sequence[Limit],
    num_random: int,
    num_seeds: int,
    repetitions: int,
    alpha: float = ALPHA,
    settled: Truths | None = None,
) -> Decisions:
    """Of the gate, on so many new random splits, the pilot's held-out ones, and new seeds of both.

    :param settled: repetitions that are not looked at; they count as not stable.
    """
    *_, (last, _) = _decisions_so_far(pilot, limits, num_random, num_seeds, repetitions, alpha, settled)
    return last


def is_enough(pilot: Pilot, limits: Sequence[Limit], num_random: int, num_seeds: int, repetitions: int) -> bool:
    """Whether it decides with a probability of POWER. Ends as soon as that is plain: once all checks that truly break
    their limit are looked at, another fails with a probability of ALPHA at most; and what is plainly met
    is left out."""
    for found, only_kept in _decisions_so_far(pilot, limits, num_random, num_seeds, repetitions, ALPHA, brief=True):
        if found.not_stable.mean() >= POWER:
            return True
        if only_kept and found.share + ALPHA < POWER:
            return False
    return found.share >= POWER


def _decisions_so_far(
    pilot: Pilot,
    limits: Sequence[Limit],
    num_random: int,
    num_seeds: int,
    repetitions: int,
    alpha: float,
    settled: Truths | None = None,
    *,
    brief: bool = False,
) -> Iterator[tuple[Decisions, bool]]:
    """After some checks, and some more, those with the least margin first; and whether all that are left keep their
    limit.

    :param brief: leave out what is plainly met.
    """
    in_a_row = [0] * len(limits)
    num_checks = len(pilot.mean) * len(limits)
    settled = np.zeros(repetitions, bool) if settled is None else settled.copy()
    found = Decisions(np.ones(repetitions, bool), settled, {})
    for place, rows, only_kept in _in_order(pilot, limits):
        if brief and in_a_row[place] >= _PLAIN:
            continue
        going = ~found.not_stable  # one failed check settles it
        drawn = pilot.rows(rows).draw(num_random, num_seeds, repetitions, "enough", num_seeds).among(going)
        met, failed = _checked(limits[place], drawn, alpha, num_checks, pilot.unit)
        for row, of_row in zip(rows, ~(met | failed), strict=True):
            found.open[place, int(row)] = is_open = np.zeros(repetitions, bool)
            is_open[going] = of_row
        in_a_row[place] = in_a_row[place] + 1 if met.all() else 0
        found.stable[going] &= met.all(0)
        found.not_stable[going] = failed.any(0)
        yield found, only_kept


def _in_order(pilot: Pilot, limits: Sequence[Limit]) -> list[tuple[int, NDArray[np.int64], bool]]:
    """A limit's place, some rows, and whether all checks that follow truly keep their limit; by the least margin."""
    some: list[tuple[float, int, NDArray[np.int64]]] = []
    for place, limit in enumerate(limits):
        margins = limit.margins(pilot)
        order = np.argsort(margins, kind="stable")
        groups = [order[first : first + _AT_ONCE] for first in range(0, len(order), _AT_ONCE)]
        some += [(float(margins[rows[0]]), place, rows) for rows in groups]
    some.sort(key=lambda each: each[:2])
    following = [*(least for least, _, _ in some[1:]), math.inf]
    return [(place, rows, least > 0) for (_, place, rows), least in zip(some, following, strict=True)]


def _checked(limit: Limit, drawn: Scored, alpha: float, num_checks: int, unit: float) -> tuple[Truths, Truths]:
    """Rows x repetitions: which are met, which failed."""
    scored = Scored(drawn.random, drawn.held_out[..., limit.held_out, :])
    (random, held_out), within, seeds = scored.means, scored.within, scored.num_seeds
    value = value_of(limit.name, random, held_out, within[0], seeds)
    bounds = bounds_of(limit.name, random, held_out, alpha, num_checks, unit, (seeds, seeds), within)
    return decide(limit.name, limit.value, value, *bounds)


@dataclass(frozen=True)
class Needed:
    """How many random splits, of so many seeds each, let the gate decide with a probability of POWER."""

    num_seeds: int
    num_random: float
    """The fewest of NUMBERS; NaN where none are enough."""
    low: float
    """What RANGE of the pilots that might have been drawn would say in its place, from here; NaN where unknown."""
    high: float
    """To here; infinite where none are enough."""
    stable: float
    """With which probability it says so; of the most of NUMBERS, where none are enough."""
    not_stable: float
    most_open: tuple[int, int] | None
    """Limit and row of the check that is open most often where it says neither."""
    looks_most: float
    """So many random splits `study run --until-decided` needs at most, to decide as often; NaN as above."""
    looks_mean: float
    """At which it then stops on average."""


def needed(pilot: Pilot, limits: Sequence[Limit], num_seeds: int, others: Sequence[Pilot] = ()) -> Needed:
    """:param others: pilots that might have been drawn."""
    number = _fewest(pilot, limits, num_seeds, REPETITIONS)
    found = decisions(pilot, limits, NUMBERS[-1] if math.isnan(number) else int(number), num_seeds, REPETITIONS)
    low, high = _range([_fewest(other, limits, num_seeds, REPETITIONS_OF_A_PILOT) for other in others])
    looks = (math.nan, math.nan) if math.isnan(number) else _looked(pilot, limits, int(number), num_seeds)
    said = float(found.stable.mean()), float(found.not_stable.mean())
    return Needed(num_seeds, number, low, high, *said, found.most_open, *looks)


def pilots_that_might_have_been(pilot: Pilot, num_random: int, num_seeds: int) -> list[Pilot]:
    """Of as many splits and seeds as the pilot had, drawn from what it says (a parametric bootstrap)."""
    drawn = pilot.draw(num_random, num_seeds, PILOTS, "pilots")
    return [Pilot.of(Scored(drawn.random[:, i], drawn.held_out[:, i]), pilot.unit) for i in range(PILOTS)]


def _fewest(pilot: Pilot, limits: Sequence[Limit], num_seeds: int, repetitions: int) -> float:
    return fewest(lambda number: is_enough(pilot, limits, number, num_seeds, repetitions))


def _range(numbers: Sequence[float]) -> tuple[float, float]:
    if not numbers:
        return math.nan, math.nan
    ordered = np.nan_to_num(numbers, nan=math.inf)
    low, high = np.quantile(ordered, ((1 - RANGE) / 2, (1 + RANGE) / 2), method="inverted_cdf")
    return float(low), float(high)


def _looked(pilot: Pilot, limits: Sequence[Limit], number: int, num_seeds: int) -> tuple[float, float]:
    """Of `study run --until-decided`: the fewest random splits of NUMBERS, from `number` on, with which it decides with
    a probability of POWER, and at how many it stops on average."""
    for most in NUMBERS[NUMBERS.index(number) :]:
        going, splits = np.ones(REPETITIONS, bool), np.zeros(REPETITIONS)
        for look in looks_up_to(most):
            splits[going] = look.num_random
            alpha = ALPHA * look.share
            found = decisions(pilot, limits, look.num_random, num_seeds, REPETITIONS, alpha, settled=~going)
            going &= ~(found.stable | found.not_stable)
        if going.mean() <= 1 - POWER:
            return float(most), float(splits.mean())
    return math.nan, math.nan
