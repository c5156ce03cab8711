"""Columns of pairs: from a table beside the images, from a pattern over their places, and from folders."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from trainers.data.pairs.description import Pairs
from trainers.data.pairs.pair import Listing, Pair
from trainers.data.pairs.parts import IN_BRACES, PART
from trainers.data.pairs.pattern import Pattern, as_values
from trainers.data.problems import Problem
from trainers.data.table import Value
from trainers.data.walk import NO_REGULAR_FILE, place_of
from trainers.printable import counted

FILE_NAME = "file_name"
_NAMES_A_FILE = re.compile(r"(file|image|img|picture|photo)s?([ _-]?(name|file|path|id))?|path|name", re.IGNORECASE)
METADATA = "metadata.csv"
MOST_BYTES = 100_000_000
Texts = dict[str, dict[str, str]]
"""Id of a pair -> column -> what stands there."""


def with_columns(listing: Listing, root: Path, described: Pairs) -> Listing:
    """The listing with the columns that a table and a pattern give, and a problem for whatever does not fit.

    A column's values are numbers if all are written as numbers are.
    """
    from_reader = {pair.id: {name: str(value) for name, value in pair.values.items()} for pair in listing.pairs}
    from_pattern, problems = _from_pattern(listing.pairs, described.columns)
    from_table, more = _from_tables(listing.pairs, root, described)
    sources = [from_reader, from_pattern, from_table]
    problems += more + _named_twice(sources)
    texts = {
        pair.id: {k: v for source in sources for k, v in source.get(pair.id, {}).items()} for pair in listing.pairs
    }
    values = _as_values(texts)
    pairs = tuple(replace(pair, values=values[pair.id]) for pair in listing.pairs)
    return replace(listing, pairs=pairs, problems=(*listing.problems, *problems))


def _from_pattern(pairs: Iterable[Pair], text: str | None) -> tuple[Texts, list[Problem]]:
    if text is None:
        return {}, []
    pattern = Pattern(text)
    found: Texts = {}
    problems = []
    for pair in pairs:
        columns = pattern.match(pair.id)
        if columns is None:
            what = f"the place does not have the form of data.pairs.columns, {text}: change the pattern, or rename it"
            problems.append(Problem(pair.image_place, what))
        else:
            found[pair.id] = columns
    return found, problems


def _from_tables(pairs: Sequence[Pair], root: Path, described: Pairs) -> tuple[Texts, list[Problem]]:
    """Of each pair that has a row, the cells that hold something."""
    place = metadata_place(root, described, pairs)
    if place is None:
        return {}, []
    if IN_BRACES not in place:
        return _from_table(root / place, pairs, root, described)
    found: Texts = {}
    problems = []
    for part in _parts_in(pairs):
        of_part = [pair for pair in pairs if str(pair.values.get(PART)) == part]
        texts, more = _from_table(root / place.replace(IN_BRACES, part), of_part, root, described)
        found |= texts
        problems += more
    return found, problems


def _from_table(file: Path, pairs: Sequence[Pair], root: Path, described: Pairs) -> tuple[Texts, list[Problem]]:
    """What one table says of these pairs, each of which has a row in it."""
    place = place_of(file, root)
    try:
        rows = read_table(file)
    except ValueError as error:
        return {}, [Problem(place, f"no table of columns: {error}")]
    by_name = _by_name(pairs, file.parent.relative_to(root).as_posix(), described)
    found: Texts = {}
    problems = []
    for number, row in rows.items():
        name = row[FILE_NAME].removeprefix("./").replace("\\", "/")
        pair = by_name.get(name)
        if pair is None:
            what = f"a row of {place} names no image with a mask: correct {FILE_NAME}, or remove the row"
            problems.append(Problem(row[FILE_NAME], what, f"row {number}"))
        elif pair.id in found:
            what = f"two rows of {place} are of one image: remove one"
            problems.append(Problem(pair.image_place, what, f"row {number}"))
        else:
            found[pair.id] = {column: cell for column, cell in row.items() if column != FILE_NAME and cell}
    without = [pair for pair in pairs if pair.id not in found]
    problems += [Problem(pair.image_place, f"no row of {place} is of this image: add one") for pair in without]
    return found, problems


def metadata_place(root: Path, described: Pairs, pairs: Iterable[Pair]) -> str | None:
    """The table of columns that is described, else the one that lies in the data set, in its images or in the folders
    of its parts, if any. `{part}` in it stands for each part, which has a table of its own."""
    if described.metadata is not None:
        return described.metadata
    images = PurePosixPath(described.images or ".") if described.format != "parquet" else PurePosixPath()
    of_parts = [folder for folder in (images, *images.parents) if IN_BRACES in folder.as_posix()]
    parts = _parts_in(pairs)
    for folder in dict.fromkeys([PurePosixPath(), *of_parts, images]):
        place = (folder / METADATA).as_posix()
        if any((root / place.replace(IN_BRACES, part)).is_file() for part in (parts if folder in of_parts else [""])):
            return place
    return None


def _parts_in(pairs: Iterable[Pair]) -> list[str]:
    return list(dict.fromkeys(str(pair.values[PART]) for pair in pairs if PART in pair.values))


def _by_name(pairs: Sequence[Pair], folder: str, described: Pairs) -> Mapping[str, Pair]:
    """The pairs by each name that a table in this folder may give them: place in the data set, in the images or in the
    folder, with its ending or without. What two of them share names neither."""
    names: dict[str, set[int]] = defaultdict(set)
    for number, pair in enumerate(pairs):
        part = str(pair.values.get(PART, ""))
        images = (described.images or "").replace(IN_BRACES, part)
        within, beside = (pair.image_place.removeprefix(f"{each}/") for each in (images, folder))
        in_part = pair.id.removeprefix(f"{part}/")
        for name in (pair.image_place, pair.id, in_part, *_with_and_without_ending(within, beside)):
            names[name].add(number)
    return {name: pairs[min(numbers)] for name, numbers in names.items() if len(numbers) == 1}


def _with_and_without_ending(*places: str) -> Iterator[str]:
    for place in places:
        yield from (place, str(Path(place).with_suffix("")))


def read_table(file: Path) -> dict[int, dict[str, str]]:
    """The rows of a CSV by their numbers, the header being row 1. Raises ValueError, in words, for what is none.

    Cells are parted by commas, semicolons or tabs.
    """
    if file.exists() and not file.is_file():
        raise ValueError(NO_REGULAR_FILE)
    try:
        if file.stat().st_size > MOST_BYTES:
            raise ValueError(f"more than {MOST_BYTES:,} bytes")
        text = file.read_text("utf-8-sig")
    except OSError as error:
        raise ValueError(f"it cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ValueError("not text in UTF-8: save it as CSV UTF-8") from None
    first = text.partition("\n")[0]
    parted_by = max(",;\t", key=first.count)
    try:
        header, *rows = [
            row for row in csv.reader(io.StringIO(text, newline=""), delimiter=parted_by, strict=True) if row
        ]
    except (csv.Error, ValueError) as error:
        raise ValueError("it is empty" if "unpack" in str(error) else str(error)) from None
    header = [name.strip() for name in header]
    if FILE_NAME not in header:
        likely = next((name for name in header if _NAMES_A_FILE.fullmatch(name)), None)
        remedy = f"rename the column {likely} to {FILE_NAME}" if likely else f"its columns: {', '.join(header)[:200]}"
        raise ValueError(f"no column is called {FILE_NAME}; {remedy}")
    if twice := [name for name, count in Counter(header).items() if count > 1]:
        raise ValueError(f"two columns are called {twice[0][:100]!r}: rename one")
    if bad := [name for name in header if not name.isprintable() or not 0 < len(name) <= 100]:
        raise ValueError(f"{bad[0][:40]!r} cannot be the name of a column: it has 1 to 100 characters, all printable")
    uneven = [number for number, row in enumerate(rows, 2) if len(row) != len(header)]
    if uneven:
        raise ValueError(
            f"row {uneven[0]} has {counted(len(rows[uneven[0] - 2]), 'cell')} and the header {len(header)}"
        )
    cells = [[cell.strip() for cell in row] for row in rows]
    return {number: dict(zip(header, row, strict=True)) for number, row in enumerate(cells, 2)}


def _named_twice(sources: Iterable[Texts]) -> list[Problem]:
    """Columns that come from two places, and differ."""
    found: dict[tuple[str, str], str] = {}
    differing = {
        column
        for source in sources
        for id, columns in source.items()
        for column, text in columns.items()
        if found.setdefault((id, column), text) != text
    }
    what = "a column that two of folders, pattern and table give, with other values: rename it in one"
    return [Problem(column, what) for column in sorted(differing)]


def _as_values(texts: Texts) -> dict[str, dict[str, Value]]:
    of_column: dict[str, list[str]] = defaultdict(list)
    for columns in texts.values():
        for column, text in columns.items():
            of_column[column].append(text)
    values = {column: as_values(each) for column, each in of_column.items()}
    return {id: {column: values[column][text] for column, text in columns.items()} for id, columns in texts.items()}
