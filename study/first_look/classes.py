"""Names for the classes of a data set: those of its format, or some for the values that its masks have."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from trainers.data.class_names import BACKGROUNDS, MAX_CLASSES, RESERVED_NAMES
from trainers.data.pairs.description import MaskValue, Pairs
from trainers.data.pairs.pair import Listing
from trainers.data.problems import DataError, Problem
from trainers.printable import counted

VOID = 255
_NAMES_TOLD = 10
_SMALL = 128
"""Beside values below this, 255 stands for pixels that are to be ignored; it is no class of its own."""
_SAYS_NOTHING = re.compile(
    r"(seg\w*|ann\w*|mask|label|gt|ground_?truth|lbl|tr|\W|_|\d)*(s|dir|png|class)?", re.IGNORECASE
)


@dataclass
class NamedClasses:
    """What goes into data.pairs, and why."""

    classes: dict[str, MaskValue]
    ignore: tuple[MaskValue, ...]
    background: str | None = None
    notes: list[str] = field(default_factory=list)
    invented: bool = False
    """Whether the names are to be replaced by the user's."""

    def leave_out(self, absent: Collection[str]) -> None:
        """Classes that no image shows."""
        self.classes = {name: value for name, value in self.classes.items() if name not in absent}
        names = ", ".join(list(absent)[:_NAMES_TOLD])
        more = f" and {len(absent) - _NAMES_TOLD} more" if len(absent) > _NAMES_TOLD else ""
        self.notes.append(f"No image shows {names}{more}: left out of the classes.")

    def put_into(self, described: Pairs) -> Pairs:
        return described.model_copy(
            update={"classes": self.classes, "ignore": self.ignore, "background": self.background}
        )


def name_classes(described: Pairs, listing: Listing, found: list[MaskValue]) -> NamedClasses:
    """The classes as described, else as the format has them, else by the values in the masks.

    :param found: the values in all masks, ascending.

    Raises DataError for masks whose values can be no classes.
    """
    if described.classes is not None or listing.classes is not None:
        named = _given(described, listing, found)
        if described.classes is None:
            _leave_out_of_many(named, found)
    elif len(found) > MAX_CLASSES + 1:
        what = f"{counted(len(found), 'value')} in the masks, at most {MAX_CLASSES} can be told apart: are these masks?"
        raise DataError([Problem(".", what)])
    else:
        ignored = described.ignore or listing.ignore
        named = _invented(described, [value for value in found if value not in ignored], ignored)
    _propose_void(named, found)
    return named


def _are_colours(values: Iterable[MaskValue]) -> bool:
    return any(isinstance(value, str) for value in values)


def _given(described: Pairs, listing: Listing, found: Collection[MaskValue]) -> NamedClasses:
    """Of the values that the format ignores those that some mask has."""
    classes = described.classes if described.classes is not None else listing.classes
    assert classes is not None
    values: dict[str, MaskValue] = {}
    values |= {name: value for value, name in enumerate(classes)} if isinstance(classes, tuple) else classes
    ignored = described.ignore or tuple(value for value in listing.ignore if value in found)
    if described.classes is not None:
        return NamedClasses(values, ignored, described.background)
    renamed: dict[str, MaskValue] = {}
    for name, value in values.items():
        renamed[_as_class_name(name, renamed)] = value
    notes = [f"The class {old!r} is written {new}." for old, new in zip(values, renamed, strict=True) if old != new]
    return NamedClasses(renamed, ignored, described.background, notes)


def _leave_out_of_many(named: NamedClasses, found: Collection[MaskValue]) -> None:
    """Of a format's list that is too long to be told apart, only the classes count that some mask has."""
    if len(named.classes) <= MAX_CLASSES or _are_colours(named.classes.values()):
        return
    kept = {name for name, value in named.classes.items() if value in found or name.casefold() in BACKGROUNDS}
    if kept:
        named.leave_out([name for name in named.classes if name not in kept])


def _as_class_name(name: str, taken: Collection[str]) -> str:
    """The name, or the nearest that a class may have and that no other has."""
    if name.casefold() in BACKGROUNDS:
        return name
    allowed = re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("_.") or "class"
    if allowed.casefold() in RESERVED_NAMES:
        allowed = f"{allowed}_"
    known = {each.casefold() for each in taken}
    numbered = (f"{allowed}_{number}" for number in itertools.count(2))
    return next(each for each in itertools.chain([allowed], numbered) if each.casefold() not in known)


def _invented(described: Pairs, found: list[MaskValue], ignored: tuple[MaskValue, ...]) -> NamedClasses:
    if len(found) == 2 and found in ([0, VOID], [0, 1], ["#000000", "#ffffff"]):
        name = _word_for_the_object(described)
        why = f"The masks have two values, {found[0]} and {found[1]}: taken for the background and for {name!r}."
        return NamedClasses({"background": found[0], name: found[1]}, ignored, notes=[why], invented=True)
    taken = [value for value in found if value != VOID or not _void_is_likely(found)]
    classes = {f"class_{str(value).removeprefix('#')}": value for value in taken}
    note = (
        "Nothing in the data set names its classes, so each is called by its value in the masks, such as class_0. "
        "Rename them. If one is the background, call it background. If one only marks pixels that are to be left out, "
        "take it from the classes, and put its value into data.pairs.ignore."
    )
    return NamedClasses(classes, ignored, described.background, [note], invented=True)


def _void_is_likely(found: Collection[MaskValue]) -> bool:
    others = [value for value in found if isinstance(value, int) and value != VOID]
    return VOID in found and len(others) > 1 and max(others) < _SMALL


def _propose_void(named: NamedClasses, found: list[MaskValue]) -> None:
    """255 beside small values is ignored, if nobody has said what it is."""
    known = {*named.classes.values(), *named.ignore}
    numbers = not _are_colours(known)
    if numbers and VOID not in known and VOID in found and (_void_is_likely(found) or not named.invented):
        named.ignore = (*named.ignore, VOID)
        named.notes.append(
            f"Pixels of the value {VOID} are ignored: beside classes of small values it usually marks what nobody "
            "labelled."
        )


def _word_for_the_object(described: Pairs) -> str:
    """Of what masks' folder, prefix or suffix is called, unless that says no more than that they are masks."""
    for text in (PurePosixPath(described.masks or "").name, described.mask_prefix, described.mask_suffix):
        word = _as_class_name(text.replace("{part}", "").strip("_-. ") or "object", BACKGROUNDS)
        if not _SAYS_NOTHING.fullmatch(word):
            return word
    return "object"
