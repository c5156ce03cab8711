"""Looking at a study while it grows, and stopping when its gate has decided, without erring more often for it.

The gate is asked at numbers of random splits that are fixed beforehand, and every look may spend a share of the error
that is allowed altogether: in proportion to the splits that it adds (the uniform spending of Lan & DeMets 1983). The
shares are simply added up (Bonferroni), so that the whole holds whatever the scores' distribution. As the looks read
committed rows alone, where a study stops is a function of its definition, data and code, too.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from study.definition import Definition
from study.errors import StudyError
from study.results.layout import LOOKS_FILE
from study.results.store import Results

FIRST, GROWTH = 4, 1.5
LIMITS = ("max-gap", "max-sd", "min-dice")
ONE = ("class", "averaging", "model", "loss")
"""What a gate may be narrowed to."""


@dataclass(frozen=True)
class Look:
    """At so many random splits, with this share of the error that is allowed."""

    num_random: int
    share: float


def looks_up_to(num_random: int) -> tuple[Look, ...]:
    """At FIRST random splits, at GROWTH times as many, and so on, and at the last."""
    numbers = [FIRST]
    while numbers[-1] < num_random:
        numbers.append(min(num_random, math.ceil(numbers[-1] * GROWTH)))
    return tuple(Look(n, (n - before) / num_random) for n, before in zip(numbers, [0, *numbers], strict=False))


@dataclass(frozen=True)
class Looks:
    """The looks at one study: those that are planned, for what, and how many were taken."""

    gate: dict[str, str]
    """What is asked: limit, or what it is narrowed to -> value."""
    planned: tuple[Look, ...]
    taken: int = 0

    @classmethod
    def of(cls, definition: Definition, gate: dict[str, str]) -> Looks:
        """Raises StudyError if there are too few random splits to look at."""
        most = len(random_splits(definition))
        if most < FIRST:
            raise StudyError(f"a study is looked at from {FIRST} random splits on, and grid.splits has {most}")
        return cls(gate, looks_up_to(most))

    @property
    def words(self) -> list[str]:
        """As arguments of `analysis check`."""
        return words_of(self.gate)

    @property
    def taken_in_words(self) -> str:
        """e.g. `4, 6 and 9 random splits`."""
        *before, last = [str(look.num_random) for look in self.planned[: self.taken]] or ["no"]
        return f"{' and '.join(filter(None, [', '.join(before), last]))} random splits"

    def share_at(self, num_random: int) -> float:
        """What a decision at so many random splits may spend: the share of the look there; elsewhere what is left."""
        looks = self.planned[: self.taken]
        if self.was_taken_at(num_random):
            return next(look.share for look in looks if look.num_random == num_random)
        return max(0.0, 1 - sum(look.share for look in looks))

    def was_taken_at(self, num_random: int) -> bool:
        """Whether one of the looks was at so many random splits."""
        return any(look.num_random == num_random for look in self.planned[: self.taken])


def words_of(gate: Mapping[str, str]) -> list[str]:
    """A gate as arguments of `analysis`."""
    return [f"--{name}={value}" for name, value in gate.items()]


def parsed_gate(text: str, option: str = "--until-decided") -> dict[str, str]:
    """What `max-gap=0.1,max-sd=0.05,class=macro` asks. Raises StudyError naming what is wrong.

    :param option: by which it is asked.
    """
    gate: dict[str, str] = {}
    for part in text.split(","):
        name, _, value = (each.strip() for each in part.partition("="))
        if name not in (*LIMITS, *ONE) or not value or name in gate:
            known = f"{', '.join(LIMITS)}, and to narrow it {', '.join(ONE)}"
            raise StudyError(f"{option} {part.strip()!r}: give NAME=VALUE, once for each name; names are {known}")
        if name in LIMITS and not _is_dice(value):
            raise StudyError(f"{option} {part.strip()!r}: a limit of a Dice is a number from 0 to 1")
        gate[name] = value
    if not set(LIMITS) & set(gate):
        raise StudyError(f"{option} {text}: give a limit, one at least of {', '.join(LIMITS)}")
    return gate


def _is_dice(text: str) -> bool:
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False


def random_splits(definition: Definition) -> list[str]:
    return [split for split in definition.grid.splits if definition.splits.kind_of(split) == "random"]


def with_first(definition: Definition, num_random: int) -> Definition:
    """The definition with so many of its random splits, in its order, and all others."""
    left_out = set(random_splits(definition)[num_random:])
    splits = tuple(split for split in definition.grid.splits if split not in left_out)
    return definition.model_copy(update={"grid": definition.grid.model_copy(update={"splits": splits})})


def read_looks(results: Results) -> Looks | None:
    """Those that were taken at OUT; None if it was grown without looking. Raises StudyError if they cannot be read."""
    text = results.read_text(LOOKS_FILE)
    if text is None:
        return None
    try:
        kept = json.loads(text)
        planned = tuple(Look(int(look["num_random"]), float(look["share"])) for look in kept["planned"])
        gate = {str(name): str(value) for name, value in kept["gate"].items()}
        return Looks(gate, planned, int(kept["taken"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise StudyError(
            f"{results.out}: {LOOKS_FILE} is not a record of looks: bring it back, or use another --out"
        ) from None


def refuse_other_looks(results: Results, looks: Looks) -> None:
    """Raises StudyError if OUT was looked at for another gate, or by another plan."""
    before = read_looks(results)
    if before and (before.gate, before.planned) != (looks.gate, looks.planned):
        asked = ",".join(f"{name}={value}" for name, value in before.gate.items())
        raise StudyError(
            f"{results.out} was looked at with --until-decided {asked} and up to {before.planned[-1].num_random} "
            "random splits: give the same again, or use another --out"
        )


def write_look(results: Results, looks: Looks, taken: int) -> None:
    """Note that so many looks are taken; that a run goes over earlier ones again takes none back."""
    before = read_looks(results)
    taken = max(taken, before.taken if before else 0)
    results.write_text(LOOKS_FILE, json.dumps(asdict(replace(looks, taken=taken)), indent=1) + "\n")
