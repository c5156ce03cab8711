"""Which split lacks which class in train, val or test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from trainers.data.problems import Problem, in_lines
from trainers.data.split import Split
from trainers.data.table import Samples
from trainers.printable import counted

REMEDIES = {
    "random": "another seed",
    "fold": "another seed or fewer splits.folds",
    "matched": "another seed",
    "held_out": "other values in splits.held_out",
    "given": "other parts in splits.given",
    "share": "a larger share in grid.train_shares",
}


def absent_problems(splits: Iterable[Split], samples: Samples) -> list[Problem]:
    """Every class that a split cannot train on, or not test, unless splits.allow_absent_classes lets it."""
    shown = Counter(name for row in samples.rows for name in row.classes)
    what = "no sample shows it: take it out of the classes, or set splits.allow_absent_classes = true"
    nowhere = [Problem(f"class {name}", what) for name in samples.classes if not shown[name]]
    return nowhere + [
        _problem(split, part, name, shown[name])
        for split, part, name in absent(splits, samples)
        if part != "val" and shown[name]
    ]


def absent_notes(splits: Iterable[Split], samples: Samples) -> list[str]:
    """The same, and the classes without a validation sample, as sentences."""
    found = []
    for split, part, name in absent(splits, samples):
        effect = {"train": "it cannot be learnt", "val": "no checkpoint is chosen by it", "test": "it has no score"}
        found.append(Problem(f"{split.name}, class {name}", f"no {part} sample shows it, so {effect[part]}"))
    return in_lines(found)


def absent(splits: Iterable[Split], samples: Samples) -> Iterator[tuple[Split, str, str]]:
    """Split, part and class, of every class that no sample of the part shows."""
    shown = {row.id: row.classes for row in samples.rows}
    for split in splits:
        for part in ("train", "val", "test"):
            there = {name for id_ in getattr(split, part) for name in shown[id_]}
            yield from ((split, part, name) for name in samples.classes if name not in there)


def _problem(split: Split, part: str, name: str, count: int) -> Problem:
    verb = "train on" if part == "train" else "test on"
    what = (
        f"no sample to {verb} shows the class: take {REMEDIES[split.kind]}, a coarser or no splits.unit, add samples "
        "that show it, or set splits.allow_absent_classes = true (its scores are then undefined there)"
    )
    return Problem(
        f"{split.name}, class {name}", what, f"{counted(count, 'sample')} {'shows' if count == 1 else 'show'} it"
    )
