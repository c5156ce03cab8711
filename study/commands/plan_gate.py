"""`study plan --gate`: how many random splits and seeds let a gate decide, and what training on them takes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, count, islice
from types import MappingProxyType
from typing import Any

from study.commands.ask_analysis import ask_analysis, place_of
from study.commands.plan import Plan, plan
from study.definition import Definition
from study.errors import StudyError
from study.looks import random_splits, with_first, words_of
from study.planning.cost import Factors
from study.results import Results


@dataclass(frozen=True)
class Size:
    """A study that is large enough, of so many seeds; or none is."""

    seeds: int
    random_splits: int | None
    """None where no number decides."""
    shown: Mapping[str, str]
    """What `analysis enough` says of it: heading -> text."""
    planned: Plan | None
    """The definition with so many splits and seeds; None also where the data set allows no such splits."""
    why_not: str = ""
    """Why it cannot be planned."""


@dataclass(frozen=True)
class GatePlan:
    """What `study plan --gate` answers."""

    headline: str
    sizes: tuple[Size, ...]
    remarks: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]
    """The numbers of `analysis enough`, one of each size."""

    @property
    def cheapest(self) -> Size | None:
        """By worker-seconds that are still to be spent."""
        planned = [size for size in self.sizes if size.planned]
        return min(planned, key=lambda size: size.planned.estimate.seconds if size.planned else 0.0, default=None)

    def to_json(self) -> dict[str, Any]:
        """As `analysis enough --json`, and for each row what it takes."""
        rows = [{**row, **_taken(size), "cheapest": size is self.cheapest} for row, size in self._both]
        return {"headline": self.headline, "rows": rows, "remarks": list(self.remarks)}

    @property
    def _both(self) -> list[tuple[Mapping[str, Any], Size]]:
        return list(zip(self.rows, self.sizes, strict=True))


def _taken(size: Size) -> dict[str, Any]:
    if size.planned is None:
        return {"trainings": None, "missing": None, "seconds": None, "why_not": size.why_not or None}
    planned = size.planned
    return {
        "trainings": len(planned.trials) + planned.num_undecided,
        "missing": len(planned.missing) + planned.num_undecided,
        "seconds": planned.estimate.seconds,
        "why_not": None,
    }


def plan_gate(
    definition: Definition,
    out: str,
    gate: Mapping[str, str],
    pilot: str | None = None,
    assume: str | None = None,
    calibrated: Factors = MappingProxyType({}),
) -> GatePlan:
    """Of 1, 2 and 3 seeds the fewest random splits that let the gate decide, each planned as `plan` does.

    :param pilot: whose scores tell how they move, as `analysis` takes it; OUT, if not given.
    :param assume: what is expected of them, in place of a pilot.
    :raises StudyError: there is neither, or the gate cannot be asked; else as `plan` does of the definition as it is.
    """
    plan(definition, out, calibrated)
    known = [f"--assume={_with_held_out(definition, gate, assume)}"] if assume else [pilot or _own(out)]
    words = [*known, *words_of(gate), "--json", *["--simulated"] * definition.simulate]
    answer = json.loads(ask_analysis("enough", *words).stdout)
    sizes = [
        _size(definition, out, row, shown, calibrated)
        for row, shown in zip(answer["rows"], answer["shown"], strict=True)
    ]
    return GatePlan(answer["headline"], tuple(sizes), tuple(answer["remarks"]), tuple(answer["rows"]))


def sized(definition: Definition, num_random: int, num_seeds: int) -> Definition:
    """The definition with so many random splits and seeds: its own ones first; all other splits stay."""
    grid, own = definition.grid, random_splits(definition)
    if num_random < len(own):
        splits = with_first(definition, num_random).grid.splits
    else:
        names = (name for name in (f"random_{i}" for i in count()) if name not in own)
        added = tuple(islice(names, num_random - len(own)))
        splits = (*own, *added, *(split for split in grid.splits if split not in own))
    seeds = tuple(islice(chain(grid.seeds, (seed for seed in count() if seed not in grid.seeds)), num_seeds))
    return definition.model_copy(update={"grid": grid.model_copy(update={"splits": splits, "seeds": seeds})})


def _size(
    definition: Definition, out: str, row: Mapping[str, Any], shown: Mapping[str, str], calibrated: Factors
) -> Size:
    seeds, number = int(row["seeds"]), row["random_splits"]
    if number is None:
        return Size(seeds, None, shown, None)
    try:
        return Size(seeds, int(number), shown, plan(sized(definition, int(number), seeds), out, calibrated))
    except StudyError as error:  # the data set may be too small for so many splits
        return Size(seeds, int(number), shown, None, str(error))


def _own(out: str) -> str:
    if not Results(out).audit().rows:
        raise StudyError(
            f"{out} holds no scores yet that tell how they move: run the study with 4 random splits first, name a "
            "study that is like it (--pilot RESULTS), or state what you expect (--assume mean=0.8,sd=0.05,gap=0.05)"
        )
    return place_of(out)


def _with_held_out(definition: Definition, gate: Mapping[str, str], assume: str) -> str:
    """What is stated, with the number of held-out splits that the definition has; of several axes, of the one with the
    fewest."""
    axes = Counter(axis for split in definition.grid.splits if (axis := definition.splits.axis_of(split)))
    if "max-gap" not in gate or "held-out" in assume:
        return assume
    if not axes:
        raise StudyError("grid.splits has no held-out splits, which max-gap needs: add some, or leave max-gap out")
    return f"{assume},held-out={min(axes.values())}"
