"""What a definition may say of a data set's splits: rotation splits are proposed from the angles of its classes."""

from __future__ import annotations

import json
import math
import re
from collections import Counter

from trainers.catalogue import Catalogue
from trainers.distribution import describe

MOST_PROPOSED = 8
Rotations = dict[str, dict[str, tuple[int | float, ...]]]


def propose_rotations(catalogue: Catalogue) -> Rotations:
    """As many rotation splits as every class can take part in, up to eight: none, if some class has but one angle.

    A split tests one angle of each class, which it has, and leaves it at least two images to train on and to validate
    with. Angles that all classes have come first, so that a split tests the same angle of all where that can be.
    """
    candidates = {}
    for name, counts in describe(catalogue).items():
        total = sum(counts.values())
        candidates[name] = [angle for angle, count in counts.items() if 0 < count <= total - 2]
    shared = set.intersection(*map(set, candidates.values())) if candidates else set()
    in_order = {
        name: sorted(angles, key=lambda angle: (angle not in shared, angle)) for name, angles in candidates.items()
    }
    rows = list(zip(*in_order.values(), strict=False))  # as many as the class with the fewest angles has
    spread = rows[:: math.ceil(len(rows) / MOST_PROPOSED) or 1]
    return {f"rot_{number}": _tested(dict(zip(in_order, row, strict=True))) for number, row in enumerate(spread)}


def _tested(angles: dict[str, int | float]) -> dict[str, tuple[int | float, ...]]:
    """The commonest angle for `*`, and the classes that are tested at another."""
    ((commonest, _),) = Counter(angles.values()).most_common(1)
    others = {name: (angle,) for name, angle in angles.items() if angle != commonest}
    return {"*": (commonest,), **others}


def proposed_toml(catalogue: Catalogue) -> str:
    """What a definition needs to say of a data set's splits, as TOML: sections that can be put at its end."""
    lines = []
    if len({background.group for background in catalogue.backgrounds}) < 3:
        lines += ["[splits]", "shared_backgrounds = true  # fewer than three groups: none can be held out", ""]
    rotations = propose_rotations(catalogue)
    none = "# No rotation split: a class has one angle only, or too few images."
    lines.append("[splits.rotations]" if rotations else none)
    for split, tested in rotations.items():
        pairs = ", ".join(f"{_key(name)} = {list(angles)}" for name, angles in tested.items())
        lines.append(f"{split} = {{ {pairs} }}")
    return "\n".join(lines)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name)
