"""Tables of samples for tests of splits, and what holds for any split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from hypothesis import strategies as st

from study.definition import Definition
from study.definition.file import parse
from trainers.data.split import Split
from trainers.data.table import Sample, Samples

CLASSES = ("leaf", "stem", "root")


def by_patient(*patients: Sequence[str], **columns: str) -> Samples:
    """Samples p0_0, p0_1, ...: of each patient one for each text, whose letters l, s and r are the classes it shows."""
    rows = [
        Sample(f"p{i}_{j}", tuple(name for name in CLASSES if name[0] in shown), {"patient": f"p{i}", **columns})
        for i, patient in enumerate(patients)
        for j, shown in enumerate(patient)
    ]
    return Samples(CLASSES, tuple(rows))


def defined(splits: Iterable[str], **section: Any) -> Definition:
    """A definition with these splits in its grid; `seed` may be among the keys of its section `splits`."""
    seed = section.pop("seed", 0)
    return parse({"seed": seed, "grid": {"splits": list(splits)}, "splits": section, "training": {"batch_size": 2}})


def counts(ids: Iterable[str], samples: Samples) -> Counter[str]:
    """How many of these samples show each class."""
    own = set(ids)
    return Counter(name for row in samples.rows if row.id in own for name in row.classes)


def assert_a_division(split: Split, samples: Samples, unit: str | None = None) -> None:
    """Every sample is in one part, and every unit in one."""
    parts = split.train, split.val, split.test
    assert Counter(id_ for part in parts for id_ in part) == Counter(row.id for row in samples.rows)
    assert all(parts)
    if unit:
        of = {row.id: row.values[unit] for row in samples.rows}
        units = [{of[id_] for id_ in part} for part in parts]
        assert sum(map(len, units)) == len(set.union(*units))


shown = st.sampled_from(["l", "s", "r", "ls", "lsr", ""])
tables = st.lists(st.lists(shown, min_size=1, max_size=6), min_size=4, max_size=14).map(lambda all_: by_patient(*all_))
"""Patients with a few samples each, of several classes."""
