"""What a definition may say of a data set's splits, by the values of its columns: a unit, and held-out splits."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from study.definition.splits import HELD_OUT_SPLIT
from trainers.data.distribution import describe
from trainers.data.table import ALL_SAMPLES, Samples, Value, in_words

MOST_PROPOSED = 8
MOST_OF_WORDS = 20
"""The same of a column of words, such as the names of sites, each of which is a thing by itself."""
FEWEST_UNITS, LEAST_IN_A_UNIT = 4, 1.5
"""Values of a column that looks like units, and samples of each, on average."""
NAMES_OF_UNITS = re.compile("patient|subject|person|animal|case|sequence|scene|video|slide|group", re.IGNORECASE)
SHORT_NAMES = {"angle": "rot"}
"""What the splits of an axis are called: the paper's rotations; of any other axis, by its own name."""
Tested = dict[str, dict[str, tuple[Value, ...]]]
"""Split -> class (`*`: every class not named) -> the values that it tests."""


def propose_held_out(samples: Samples, axis: str) -> Tested:
    """As many splits along an axis as every class can take part in, up to eight, of words up to twenty: none, if some
    class has but one value.

    A split tests one value of each class, which it has, and leaves it at least two samples to train on and to validate
    with. Values that all classes have come first, so that a split tests the same value of all where that can be.
    """
    in_order = _candidates(samples, axis)
    rows = list(zip(*in_order.values(), strict=False))  # as many as the class with the fewest values has
    most = MOST_OF_WORDS if all(isinstance(value, str) for value in samples.values(axis)) else MOST_PROPOSED
    spread = rows[:: math.ceil(len(rows) / most) or 1]
    tested = [_tested(dict(zip(in_order, row, strict=True))) for row in spread]
    return dict(zip(_split_names(axis, tested), tested, strict=True))


def proposed_unit(samples: Samples) -> str | None:
    """The column that looks like samples that belong together, such as those of a patient; None if there is none.

    It is called so, or else holds words; it has several values, and several samples of each. Of several such columns,
    the one with the most values.
    """
    found = {}
    for column in samples.columns:
        values = [row.values[column] for row in samples.rows if column in row.values]
        number, are_words = len(set(values)), all(isinstance(value, str) for value in values)
        is_called_so = NAMES_OF_UNITS.search(column) is not None
        is_whole = len(values) == len(samples.rows) and column not in samples.in_degrees
        if is_whole and (are_words or is_called_so) and FEWEST_UNITS <= number <= len(values) / LEAST_IN_A_UNIT:
            found[column] = (is_called_so, number)
    return max(found, key=lambda column: found[column], default=None)


def divides(axis: str, unit: str, samples: Samples) -> bool:
    """Whether some unit has several values on the axis, so that no split can hold one of them out."""
    values = {(row.values[unit], row.values.get(axis)) for row in samples.rows}
    return len(values) > len(samples.values(unit))


def _candidates(samples: Samples, axis: str) -> dict[str, list[Value]]:
    """By class, or for all where samples show several classes, the values that a split can test: of these a value with
    samples of every class, which others show, too."""
    if any(axis not in row.values for row in samples.rows):
        return {}
    values = samples.values(axis)
    if samples.is_stratified:
        counts: Mapping[str, Mapping[Value, int]] = describe(samples, axis)
    else:
        counts = {ALL_SAMPLES: Counter(row.values[axis] for row in samples.rows)}
        by_class = describe(samples, axis).values()
        values = [value for value in values if all(0 < of[value] < sum(of.values()) for of in by_class)]
    candidates = {
        name: [value for value in values if 0 < of_value.get(value, 0) <= sum(of_value.values()) - 2]
        for name, of_value in counts.items()
    }
    shared = set.intersection(*map(set, candidates.values())) if candidates else set()
    return {name: sorted(found, key=lambda value: value not in shared) for name, found in candidates.items()}


def _split_names(axis: str, tested: Sequence[Mapping[str, tuple[Value, ...]]]) -> list[str]:
    """Of the axis and the value that a split tests; where classes are tested at several, or a value makes no name, it
    is the split's place."""
    name = SHORT_NAMES.get(axis) or _in_a_name(axis)[:30]
    name = name if HELD_OUT_SPLIT.fullmatch(f"{name}_0") else f"by_{name or 'value'}"
    slugs = [_in_a_name(_as_word(each["*"][0])) for each in tested if len(each) == 1]
    by_value = [slug if slug.startswith(name) else f"{name}_{slug}" for slug in slugs]
    if len(set(by_value)) == len(tested) and all(map(HELD_OUT_SPLIT.fullmatch, by_value)):
        return by_value
    return [f"{name}_{number}" for number in range(len(tested))]


def _as_word(value: Value) -> str:
    return value if isinstance(value, str) else in_words(value).replace("-", "minus_")


def _in_a_name(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def _tested(values: dict[str, Value]) -> dict[str, tuple[Value, ...]]:
    """The commonest value for `*`, and the classes that are tested at another."""
    ((commonest, _),) = Counter(values.values()).most_common(1)
    others = {name: (value,) for name, value in values.items() if value != commonest}
    return {"*": (commonest,), **others}


def proposed_toml(samples: Samples, *, shared_backgrounds: bool = False) -> str:
    """What a definition needs to say of a data set's splits, as TOML: sections that can be put at its end.

    :param shared_backgrounds: no backgrounds can be held out, as there are too few groups.
    """
    lines, unit = [], proposed_unit(samples)
    if shared_backgrounds or unit:
        lines += ["[splits]"]
        lines += ["shared_backgrounds = true  # fewer than three groups: none can be held out"] * shared_backgrounds
        lines += [f"unit = {json.dumps(unit)}  # its samples stay together, if they belong together"] * bool(unit)
        lines += [""]
    for axis in samples.columns:
        if unit and divides(axis, unit, samples):
            lines.append(f"# No split holds out {axis}: a {unit} has several.")
            continue
        proposed = propose_held_out(samples, axis)
        none = f"# No split holds out {axis}: a class has one value only, or too few samples."
        lines += held_out_in_toml(axis, proposed) if proposed else [none]
    return "\n".join(lines)


def held_out_in_toml(axis: str, splits: Tested) -> list[str]:
    """The section of an axis, line by line."""
    lines = [f"[splits.held_out.{_key(axis)}]"]
    for split, tested in splits.items():
        pairs = ", ".join(f"{_key(name)} = {_list(values)}" for name, values in tested.items())
        lines.append(f"{split} = {{ {pairs} }}")
    return lines


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name)


def _list(values: tuple[Value, ...]) -> str:
    return f"[{', '.join(json.dumps(value) for value in values)}]"
