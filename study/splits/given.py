"""given and given_<number>: splits that were made elsewhere, read from a file or from a column of the samples."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from study.definition import Definition
from study.errors import LONGEST_SHOWN, brief
from study.splits.parts import Division, SplitError, as_written
from trainers.data.problems import Problem
from trainers.data.split import Split
from trainers.data.table import Samples, Value
from trainers.printable import counted

Entry = Mapping[str, list[str]]
"""train, val or test -> what is in it."""
PARTS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
"""What a column may call a part, in any case -> the part."""
MOST_BYTES = 256 * 2**20


def part_of(value: Value | None) -> str | None:
    """The part that a value of a column names; None if it names none."""
    return PARTS.get(str(value).lower())


def given(name: str, definition: Definition, samples: Samples) -> Division:
    """Tests what is called test, or val where nothing is called test. Raises SplitError with every problem."""
    described = definition.splits.given
    assert described is not None
    if described.column is not None:
        return _division(_parts_of_column(name, described.column, samples))
    assert described.file is not None
    number, entries = int(name.removeprefix("given_")), read_entries(described.file, definition.data.path)
    if number >= len(entries):
        last = f"given_{len(entries) - 1}"
        what = f"splits.given.file has {counted(len(entries), 'split')}, given_0 to {last}: {described.file}"
        raise SplitError([Problem(name, what)])
    return _division(_found(name, entries[number], samples))


def given_notes(splits: Iterable[Split], samples: Samples) -> list[str]:
    """Which given splits leave samples out, in sentences."""
    left_out = {
        split.name: len(samples.rows) - len({*split.train, *split.val, *split.test})
        for split in splits
        if split.kind == "given"
    }
    return [
        f"{name} leaves out {counted(count, 'sample')} of {len(samples.rows)}, which no list of its entry names"
        for name, count in left_out.items()
        if count
    ]


def _division(parts: Mapping[str, frozenset[str]]) -> Division:
    train, val, test = (parts.get(part, frozenset()) for part in ("train", "val", "test"))
    return Division(test, train | val, val or None) if test else Division(val, train)


def read_entries(file: str, data: str) -> list[Entry]:
    """The splits in a JSON file such as nnU-Net's. Raises SplitError.

    :param data: the folder of the data set, in which the file was looked for, too.
    """
    try:
        if Path(file).exists() and not Path(file).is_file():
            raise ValueError("no regular file, so reading it might never end")
        with Path(file).open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ValueError(f"larger than {MOST_BYTES:,} bytes")
        entries = json.loads(content)
    except FileNotFoundError:
        what = f"there is no {file}, and none in the data set's folder, {data}: correct the name, or put it there"
        raise SplitError([Problem("splits.given.file", what)]) from None
    except (OSError, ValueError, RecursionError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or error
        raise SplitError([Problem("splits.given.file", f"{file} cannot be read: {why}")]) from None
    entries = [entries] if isinstance(entries, dict) else entries
    if isinstance(entries, list) and entries and all(map(_is_entry, entries)):
        return entries
    what = (
        f'{file} is no list of splits, each {{"train": [...], "val": [...]}} and perhaps "test", of ids or file names'
    )
    raise SplitError([Problem("splits.given.file", what)])


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and {"train"} < set(entry) <= {"train", "val", "test"}
        and all(isinstance(names, list) and all(isinstance(n, str) for n in names) for names in entry.values())
    )


def _found(split: str, entry: Entry, samples: Samples) -> dict[str, frozenset[str]]:
    """The ids in each part. Raises SplitError naming what is unknown, named twice, or in two parts."""
    ids_of = _ids_by_name(samples)
    places: dict[str, list[str]] = defaultdict(list)
    what = "an empty list: name samples in it, or leave it out of splits.given.file"
    problems = [Problem(split, what, part) for part, names in entry.items() if not names]
    for part, names in entry.items():
        for name in names:
            ids = next((ids_of[each] for each in _names_without_endings(name) if each in ids_of), [])
            if len(ids) != 1:
                what = "several samples have this name" if ids else "no sample has this id or file name"
                problems.append(Problem(split, f"{what}: correct splits.given.file", brief(name)))
            else:
                places[ids[0]].append(part)
    for id_, parts in places.items():
        if len(parts) > 1:
            both = f"is in {' and '.join(dict.fromkeys(parts))}" if len(set(parts)) > 1 else f"is twice in {parts[0]}"
            problems.append(Problem(split, f"a sample that {both}: name it once in splits.given.file", id_))
    if problems:
        raise SplitError(problems)
    return {part: frozenset(id_ for id_, (where,) in places.items() if where == part) for part in entry}


def _names_without_endings(name: str) -> Iterator[str]:
    """The name as it stands, without one ending (.png) and without two (.nii.gz); then the same of its last part."""
    for whole in dict.fromkeys((name, name.rpartition("/")[2])):
        yield from dict.fromkeys((whole, whole.rpartition(".")[0] or whole, whole.rsplit(".", 2)[0] or whole))


def _ids_by_name(samples: Samples) -> dict[str, list[str]]:
    """A sample's id, and its last part, as a file in a folder is called; an id itself comes before names."""
    ids_of: dict[str, list[str]] = defaultdict(list)
    for row in samples.rows:
        ids_of[row.id.rpartition("/")[2]].append(row.id)
    return {**ids_of, **{row.id: [row.id] for row in samples.rows}}


def _parts_of_column(split: str, column: str, samples: Samples) -> dict[str, frozenset[str]]:
    """The ids in each part. Raises SplitError naming samples without a part."""
    parts: dict[str, set[str]] = defaultdict(set)
    problems = []
    for row in samples.rows:
        value = row.values.get(column)
        part = part_of(value)
        if part is None:
            has = "none" if value is None else as_written(value)[:LONGEST_SHOWN]
            what = f"a sample whose {column}, which is splits.given.column, is none of {', '.join(PARTS)}"
            problems.append(Problem(split, what, f"{row.id} has {has}"))
        else:
            parts[part].add(row.id)
    if column not in samples.columns:
        what = f"the samples have no column {column!r} (they have: {', '.join(samples.columns) or 'none'})"
        problems = [Problem("splits.given.column", what)]
    if problems:
        raise SplitError(problems)
    return {part: frozenset(ids) for part, ids in parts.items()}
