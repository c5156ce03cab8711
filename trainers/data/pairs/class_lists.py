"""Where formats keep the names of classes: nnU-Net's dataset.json, CVAT's labelmap.txt, labelme's class_names.txt,
Hugging Face's id2label.json, and plain lists of names."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainers.data.pairs.description import LARGEST_VALUE, MaskValue, Pairs
from trainers.data.problems import Problem
from trainers.data.walk import place_of

MOST_BYTES = 1_000_000
IGNORED_IN_LABELME = 255
"""labelme's `__ignore__` is -1, which a mask of one byte holds as 255."""
_LABELMAP_LINE = re.compile(r"(?P<name>[^:]+):(?P<colour>\d{1,3},\d{1,3},\d{1,3})?(:[^:]*){0,2}")


@dataclass(frozen=True)
class ClassList:
    """Class -> value in the masks, and the values that are ignored; `values` is None where no file says so."""

    values: Mapping[str, MaskValue] | None = None
    ignore: tuple[MaskValue, ...] = ()
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


_CORRECT = "no list of classes as this file should be: correct it, or name the classes in data.pairs.classes"


class _NoClassList(ValueError):
    """Why a file is none, and what to do."""

    def __init__(self, why: str, what: str = _CORRECT) -> None:
        super().__init__(why)
        self.what = what


def read_class_list(root: Path, described: Pairs) -> ClassList:
    """The class list of a data set of folders: the first that lies in it, or beside its images."""
    beside = (root / (described.images or ".").partition("{")[0]).parent
    folders = [root, *([beside] if beside != root and beside.is_relative_to(root) else [])]
    for file, read in ((folder / name, read) for folder in folders for name, read in _READERS.items()):
        if not file.is_file():
            continue
        try:
            found = read(_text(file))
        except _NoClassList as error:
            if described.classes is not None:
                continue
            return ClassList(problems=(Problem(place_of(file, root), error.what, str(error)),))
        if found is not None:
            return ClassList(found.values, found.ignore, notes=(f"Classes are those of {place_of(file, root)}.",))
    return ClassList()


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise _NoClassList(f"more than {MOST_BYTES:,} bytes")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _NoClassList("not text in UTF-8") from None
    except OSError as error:
        raise _NoClassList(str(error.strerror)) from None


def _nnunet(text: str) -> ClassList | None:
    """`labels`: name -> value; `ignore` is the value to be ignored. None for a dataset.json of another tool."""
    match _json(text):
        case {"labels": dict(labels)}:
            _refuse_regions(labels)
            values = {name: _value(name, value) for name, value in labels.items()}
            ignored = tuple(value for name, value in values.items() if name == "ignore")
            return ClassList({name: value for name, value in values.items() if name != "ignore"}, ignored)
    return None


def _refuse_regions(labels: Mapping[str, Any]) -> None:
    """Raises _NoClassList where a label stands for several values: regions overlap."""
    regions = [name for name, value in labels.items() if isinstance(value, list)]
    if not regions:
        return
    name_of = {value: name for name, value in labels.items() if isinstance(value, int)}
    within = {value for name in regions for value in labels[name] if isinstance(value, int)}
    names = {name_of.get(value, f"class_{value}"): value for value in sorted(within | name_of.keys())}
    classes = ", ".join(f"{json.dumps(name)} = {value}" for name, value in names.items() if name != "ignore")
    raise _NoClassList(
        ", ".join(regions)[:80],
        "labels that are regions of several values, which overlap, while a pixel has one class here: give every value "
        f"a class of its own, such as data.pairs.classes = {{ {classes} }}",
    )


def _value(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST_VALUE:
        raise _NoClassList(f"the value of {name[:40]} is not a whole number from 0 to {LARGEST_VALUE}")
    return value


def _labelmap(text: str) -> ClassList:
    """Lines of `name:r,g,b:parts:actions`."""
    values: dict[str, MaskValue] = {}
    for number, line in _lines(text):
        found = _LABELMAP_LINE.fullmatch(line)
        if not found or not found["colour"]:
            raise _NoClassList(f"line {number} is not name:r,g,b:parts:actions")
        channels = [int(channel) for channel in found["colour"].split(",")]
        if max(channels) > 255:
            raise _NoClassList(f"line {number}: a colour's numbers go from 0 to 255")
        _add(values, found["name"].strip(), "#{:02x}{:02x}{:02x}".format(*channels), number)
    return _not_empty(values)


def _names(text: str) -> ClassList:
    """One name a line, its value being its place; `__ignore__`, as labelme has it first, stands for ignored pixels."""
    lines = _lines(text)
    ignored = bool(lines) and lines[0][1] == "__ignore__"
    values: dict[str, MaskValue] = {}
    for value, (number, name) in enumerate(lines[ignored:]):
        _add(values, name, value, number)
    found = _not_empty(values)
    labelme = ignored or "_background_" in values
    return ClassList(found.values, (IGNORED_IN_LABELME,) if labelme else ())


def _id2label(text: str) -> ClassList:
    """`{"0": "background", "1": "road"}`."""
    found = _json(text)
    return from_id2label(found)


def from_id2label(found: Any) -> ClassList:
    """Classes of a table value -> name, whose values may be written as text. Raises ValueError if it is none."""
    if not isinstance(found, dict) or not found:
        raise _NoClassList("not a table of values and names")
    values: dict[str, MaskValue] = {}
    for value, name in found.items():
        if not re.fullmatch(r"[0-9]{1,5}", str(value)) or not isinstance(name, str) or not name:
            raise _NoClassList(f"{str(value)[:40]!r} is not a whole number with a name")
        _add(values, name, _value(name, int(value)), int(value))
    return ClassList(values)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise _NoClassList("not valid JSON") from None


def _lines(text: str) -> list[tuple[int, str]]:
    """Lines that say something, with their numbers."""
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    return [(number, line) for number, line in lines if line and not line.startswith("#")]


def _add(values: dict[str, MaskValue], name: str, value: MaskValue, number: int) -> None:
    if name in values:
        raise _NoClassList(f"{name[:40]} is named twice, at last at {number}")
    if len(name) > 200 or not name.isprintable():
        raise _NoClassList(f"the name at {number} is too long, or cannot be printed")
    values[name] = value


def _not_empty(values: dict[str, MaskValue]) -> ClassList:
    if not values:
        raise _NoClassList("it names no class")
    return ClassList(values)


_READERS: dict[str, Callable[[str], ClassList | None]] = {
    "dataset.json": _nnunet,
    "labelmap.txt": _labelmap,
    "class_names.txt": _names,
    "labels.txt": _names,
    "classes.txt": _names,
    "codes.txt": _names,
    "id2label.json": _id2label,
}
