"""Parquet with Hugging Face's columns: encoded images and masks as tables {bytes, path} or as bytes alone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from trainers.data.pairs.class_lists import ClassList, from_id2label, read_class_list
from trainers.data.pairs.decoding import SMEARED
from trainers.data.pairs.description import Pairs
from trainers.data.pairs.pair import Listing, Pair
from trainers.data.problems import Problem
from trainers.data.walk import Walk, place_of, printable_name
from trainers.printable import printable

ENDING = ".parquet"
IMAGES = ("image", "images", "img", "pixel_values")
MASKS = ("annotation", "label", "mask", "labels", "segmentation_mask", "annotations", "masks")
"""What the columns are called, the usual ones first."""
_JPEG = b"\xff\xd8\xff"
UNREADABLE = "cannot be read as Parquet: replace it"


@dataclass(frozen=True)
class Cell:
    """The content of an image in a table, read when it is asked for."""

    file: Path
    column: str
    row: int

    def __call__(self) -> bytes:
        """Raises OSError."""
        group, within = _group_of(self.file, self.row)
        found = _contents(self.file, self.column, group)[within]
        assert found is not None  # as listed
        return found


def list_parquet(root: Path, described: Pairs) -> Listing:
    """The pairs in the tables of a folder; `described.images` and `described.masks` are their columns.

    An id is the image's path, where each row has one of its own; else the file's place and the number of the row.
    Further columns of texts, numbers and dates are the pairs' columns; a note names those that are left out.
    """
    assert described.images is not None
    assert described.masks is not None
    walk = Walk(root)
    tables = [_Table(walk, path, described.images, described.masks) for path in walk.files(root) if is_table(path)]
    rows = [row for table in tables for row in table.pairs()]
    problems = [*walk.problems]
    if not tables:
        problems.append(Problem(".", f"no table: there is no file whose name ends with {ENDING}"))
    pairs, notes = _named(rows)
    if left_out := dict.fromkeys(name for table in tables for name in table.left_out):
        notes.append(f"Columns that hold neither text nor numbers nor dates are left out: {', '.join(left_out)}.")
    lists = [table.classes for table in tables if table.classes is not None]
    classes = lists[0] if lists else read_class_list(root, Pairs(classes=described.classes))
    if any(each != classes for each in lists):
        problems.append(Problem(".", "two tables have different id2label: make them alike"))
    return Listing(tuple(pairs), classes.values, (), (*problems, *classes.problems), (*notes, *classes.notes))


def is_table(path: Path) -> bool:
    return path.suffix.lower() == ENDING


def image_columns(file: Path) -> tuple[list[str], list[str]]:
    """The columns of a table that may be images, and masks; the usual names first. None where it cannot be read."""
    try:
        schema = pq.read_schema(file)
    except (OSError, pa.ArrowException):
        return [], []
    encoded = [field.name for field in schema if _is_encoded(field.type)]
    return [name for name in IMAGES if name in encoded], [name for name in MASKS if name in encoded]


def why_no_pairs(file: Path) -> tuple[str, str]:
    """What keeps a table from being recognised, and the details."""
    try:
        names = pq.read_schema(file).names
    except (OSError, pa.ArrowException) as error:
        return UNREADABLE, _first_line(error)
    what = "no columns of encoded images and masks of usual names: give data.pairs.format, images and masks"
    return what, f"its columns are {', '.join(map(printable, names))[:200]}"


def _is_encoded(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return bool(kind.get_field_index("bytes") >= 0)
    return _is_binary(kind)


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


class _Table:
    """One file."""

    def __init__(self, walk: Walk, file: Path, images: str, masks: str) -> None:
        self.classes: ClassList | None = None
        self._walk, self._file, self._images, self._masks = walk, file, images, masks
        self._place = place_of(file, walk.root)
        self._schema: pa.Schema | None = None
        try:
            schema = pq.read_schema(file)
        except (OSError, pa.ArrowException) as error:
            walk.report(file, UNREADABLE, _first_line(error))
            return
        lacking = [
            name for name in (images, masks) if name not in schema.names or not _is_encoded(schema.field(name).type)
        ]
        if lacking:
            walk.report(file, "no column of encoded images of this name: correct data.pairs", ", ".join(lacking))
            return
        for name in dict.fromkeys((images, masks)):
            kind = schema.field(name).type
            if pa.types.is_struct(kind) and not _is_binary(kind.field("bytes").type):
                what = "encoded images are of the type binary: save the column anew"
                walk.report(file, what, f"{name}.bytes is of {kind.field('bytes').type}")
                return
        self._schema = schema
        self._read_classes()

    @property
    def left_out(self) -> list[str]:
        """The columns that no sample can have."""
        others = [field for field in self._schema or () if field.name not in (self._images, self._masks)]
        return [
            printable_name(field.name)
            for field in others
            if not (_is_plain(field.type) or pa.types.is_null(field.type))
        ]

    def pairs(self) -> Iterator[tuple[str | None, Pair]]:
        """The path that the table gives each image, and the pair, its id being the place of its row."""
        if self._schema is None:
            return
        try:
            for row, (columns, path) in enumerate(self._rows()):
                if self._is_whole(row):
                    yield path, self._pair(row, columns, path)
        except (OSError, ValueError, OverflowError, pa.ArrowException) as error:  # text in no code, a date of no year
            self._walk.report(self._file, UNREADABLE, _first_line(error))

    def _rows(self) -> Iterator[tuple[dict[str, str], str | None]]:
        """Of every row the plain columns and the image's path."""
        assert self._schema is not None
        plain = [field.name for field in self._schema if _is_plain(field.type)]
        image_type = self._schema.field(self._images).type
        has_path = pa.types.is_struct(image_type) and image_type.get_field_index("path") >= 0
        has_path = has_path and _is_text(image_type.field("path").type)
        with pq.ParquetFile(self._file) as opened:
            table = opened.read(columns=[*plain, *[f"{self._images}.path"] * has_path])
        for row in _with_whole_microseconds(table).to_pylist():
            path = (row.pop(self._images, None) or {}).get("path") if has_path else None
            yield {name: _text(value) for name, value in row.items() if value not in (None, "")}, path or None

    def _is_whole(self, row: int) -> bool:
        """Whether a row holds an image and a mask that may be used; reports it if not."""
        group, within = _group_of(self._file, row)
        image, mask = (_contents(self._file, column, group)[within] for column in (self._images, self._masks))
        if image is None and mask is None:
            return self._refuse(row, "a row without an image and without a mask: remove it")
        if image is None:
            return self._refuse(row, "a mask without an image: add the image, or remove the row")
        if mask is None:
            return self._refuse(row, "an image without a mask: add the mask, or remove the row")
        if mask.startswith(_JPEG):
            return self._refuse(row, SMEARED)
        return True

    def _refuse(self, row: int, what: str) -> bool:
        self._walk.report(self._file, what, f"row {row}")
        return False

    def _pair(self, row: int, columns: Mapping[str, str], path: str | None) -> Pair:
        shown = f" ({path})" if path and path.isprintable() else ""
        place = f"{self._place}, row {row}{shown}"
        return Pair(
            id=f"{self._place.removesuffix(ENDING)}/{row:06d}",
            image_place=place,
            mask_place=f"{place}: {self._masks}",
            image=Cell(self._file, self._images, row),
            mask=Cell(self._file, self._masks, row),
            values=dict(columns),
        )

    def _read_classes(self) -> None:
        assert self._schema is not None
        metadata = self._schema.metadata or {}
        try:
            hidden = _find_id2label(json.loads(metadata.get(b"huggingface", b"{}")))
            given = json.loads(metadata[b"id2label"]) if b"id2label" in metadata else hidden
            self.classes = None if given is None else from_id2label(given)
        except (ValueError, RecursionError) as error:
            self._walk.report(
                self._file, "its id2label is not a table of values and names: correct it", _first_line(error)
            )


def _named(found: list[tuple[str | None, Pair]]) -> tuple[list[Pair], list[str]]:
    """The pairs with their ids, in the order of these, and what was decided."""
    stems = [_stem(path) for path, _ in found]
    times = Counter(stems)
    if found and None not in times and max(times.values()) == 1:
        named = [replace(pair, id=str(stem)) for stem, (_, pair) in zip(stems, found, strict=True)]
        return sorted(named, key=lambda pair: pair.id), []
    note = "Images are named by file and row, as not each has a path of its own." if found else ""
    return sorted((pair for _, pair in found), key=lambda pair: pair.id), [note] * bool(note)


def _stem(path: str | None) -> str | None:
    """A path without its ending, or None if it cannot be an id."""
    if path is None or not path.isprintable():
        return None
    stem = str(PurePosixPath(path.replace("\\", "/")).with_suffix("")) if PurePosixPath(path).name else ""
    return stem.strip("/") or None


def _is_plain(kind: pa.DataType) -> bool:
    """Whether a column of this type can be a column of samples."""
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type) or bool(pa.types.is_integer(kind.value_type))
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    return _is_text(kind) or bool(is_number or pa.types.is_date(kind) or pa.types.is_timestamp(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _with_whole_microseconds(table: pa.Table) -> pa.Table:
    """Python's times have no finer ones, and not every zone's name is known everywhere: times of a zone are of UTC."""
    for place, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            kind = pa.timestamp("us", "UTC" if field.type.tz else None)
            table = table.set_column(place, field.name, table.column(place).cast(kind, safe=False))
    return table


def _text(value: Any) -> str:
    """A cell as a CSV would have it; a date as ISO 8601 has it."""
    if isinstance(value, date):  # a time is one too
        return value.isoformat()
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _find_id2label(node: Any) -> Any:
    """The first id2label anywhere in Hugging Face's description."""
    if isinstance(node, dict):
        if "id2label" in node:
            return node["id2label"]
        return next((found for each in node.values() if (found := _find_id2label(each)) is not None), None)
    return None


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


@lru_cache(maxsize=64)
def _group_ends(file: Path) -> list[int]:
    """After which row each group of rows of a file ends."""
    metadata = pq.read_metadata(file)
    ends, end = [], 0
    for group in range(metadata.num_row_groups):
        end += metadata.row_group(group).num_rows
        ends.append(end)
    return ends


def _group_of(file: Path, row: int) -> tuple[int, int]:
    """The group of a row, and its place within."""
    ends = _group_ends(file)
    group = next(number for number, end in enumerate(ends) if row < end)
    return group, row - (ends[group - 1] if group else 0)


@lru_cache(maxsize=4)
def _contents(file: Path, column: str, group: int) -> list[bytes | None]:
    """The encoded images of a group of rows; None where there is none. Raises OSError."""
    try:
        with pq.ParquetFile(file) as opened:
            cells = opened.read_row_group(group, columns=[column]).column(column).to_pylist()
    except pa.ArrowException as error:
        raise OSError(f"{file.name}: {_first_line(error)}") from error
    contents = [cell.get("bytes") if isinstance(cell, dict) else cell for cell in cells]
    return [content or None for content in contents]
