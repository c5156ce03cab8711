"""`study init`: a data set of anybody's, recognised, counted and checked; and a definition for it, ready to run."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from study.commands.data import describe_data
from study.definition import Definition
from study.errors import StudyError
from study.first_look.layout import CUT_OUTS, CUT_OUTS_WHY, given_of_data, layout_of
from study.first_look.pairs import PairsSeen, look_at_pairs
from study.first_look.sizes import propose_size, sizes_in_words, with_given
from study.first_look.splits import ProposedSplits, propose_splits
from study.first_look.text import cut_outs_in_toml, pairs_in_toml
from study.first_look.waiting import Tell, silently
from trainers.data.cut_outs.catalogue import STANDIN, locate, read_catalogue
from trainers.data.cut_outs.scenes import FEWEST_GROUPS
from trainers.data.cut_outs.source import load as load_cut_outs
from trainers.data.likeness import NOTHING_ALIKE
from trainers.data.pairs.description import Pairs
from trainers.data.pairs.listing import refuse_no_folder
from trainers.data.pairs.reading import stored_as
from trainers.data.pairs.recognise import Layout
from trainers.data.problems import DataError
from trainers.data.size import Size
from trainers.data.table import Samples, in_words
from trainers.printable import counted, is_text, printable

_VALUES_TOLD = 8


@dataclass(frozen=True)
class FirstLook:
    """What a data set was taken for, what it holds, and the definition that was written."""

    written: str
    """The definition's file."""
    layout: str
    num_images: int
    sizes: Counter[Size]
    """Of the images."""
    classes: list[dict[str, Any]]
    """name, pixels, images; the ignored pixels as one of them."""
    columns: dict[str, list[Any]]
    """Column -> its values."""
    notes: list[str]
    """What was decided, in sentences."""
    definition: str
    """As TOML."""
    tables: str = ""
    """Of cut-outs, samples by class and axis."""

    def to_json(self) -> dict[str, Any]:
        """With sizes as `height x width`."""
        sizes = {str(size): count for size, count in self.sizes.most_common()}
        return {key: value for key, value in vars(self).items() if key != "tables"} | {"sizes": sizes}

    @property
    def text(self) -> str:
        """For a terminal."""
        counted = [self.tables] if self.tables else [f"{sizes_in_words(self.sizes)}.", *self._class_lines()]
        columns = [f"Column {name}: {_values_in_words(values)}" for name, values in self.columns.items()]
        return "\n".join([f"Taken for {self.layout}.", *counted, *columns * (not self.tables), *self.notes])

    def _class_lines(self) -> list[str]:
        total = sum(each["pixels"] for each in self.classes) or 1
        width = max([len("class"), *(len(each["name"]) for each in self.classes)])
        rows = [f"{each['name']:{width}}  {each['pixels'] / total:8.2%}  {each['images']:6}" for each in self.classes]
        return [f"{'class':{width}}  {'pixels':>8}  {'images':>6}", *rows]


def init(
    path: str,
    to: str | None = None,
    *,
    force: bool = False,
    format: str | None = None,
    settings: Iterable[str] = (),
    tell: Tell = silently,
) -> FirstLook:
    """Look at a data set, and write a definition for it.

    :param path: a folder, or the word `standin`.
    :param to: the definition's file; None: the folder's name with the ending .toml, in the current folder.
    :param force: whether a file that is there may be overwritten.
    :param format: one of FORMATS, where more than one layout fits.
    :param settings: `section.key=value` of the data, such as `data.pairs.ignore=11`, of their working size, and
        `training.epochs`.
    :param tell: called with a line from time to time, where there is much to be looked at.
    :raises StudyError: every problem of the data set, or why nothing can be written. Nothing is written then.
    """
    if not path:
        raise StudyError('"": no such folder: give the folder that holds the data set')
    root = locate(path)
    file = Path(to if to is not None else f"{_name_of(root.resolve().name)}.toml")
    if file.is_dir():
        raise StudyError(f"{file}: is a folder; give a file's name by --to, such as --to {file / 'study.toml'}")
    if not force and os.path.lexists(file):
        raise StudyError(f"{file}: exists already; add --force to overwrite it, or --to FILE to write another")
    given = given_of_data(settings, format)
    layout = ""
    try:
        refuse_no_folder(root)
        described = layout_of(root, format, given.data.pairs or Pairs())
        layout = CUT_OUTS_WHY if described is None else described.why
        if described is None and "resize" in given.training.model_fields_set:
            raise StudyError(f"{printable(path)}: {layout}, which are always stretched: leave training.resize out")
        look = (
            _cut_outs(root, path, file, given)
            if described is None
            else _pairs(root, path, file, described, given, tell)
        )
    except DataError as error:
        taken_for = f"{printable(path)}: taken for {layout}, " if layout else f"{printable(path)}: "
        raise StudyError(f"{taken_for}nothing was written: {error}") from None
    try:
        with file.open("w" if force else "x", encoding="utf-8") as opened:
            opened.write(look.definition)
    except OSError as error:
        raise StudyError(f"{file}: cannot be written: {error.strerror}") from None
    return look


def _name_of(text: str) -> str:
    """What a study is called, as nearly as a name may be: two definitions of one folder keep their results apart."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-._")[:64].rstrip("-._")
    return name or "study"


def _pairs(root: Path, path: str, file: Path, layout: Layout, given: Definition, tell: Tell) -> FirstLook:
    seen = look_at_pairs(root, layout.described, given, tell)
    splits = propose_splits(seen.samples, seen.likeness, allow_copies=given.data.allow_copies)
    notes = [*seen.notes, *_column_notes(seen), *_unit_notes(splits), *splits.notes, *splits.leaks]
    text = pairs_in_toml(_name_of(file.stem), _from_file(path, file), layout.why, seen, splits, given)
    return FirstLook(
        written=str(file),
        layout=layout.why,
        num_images=len(seen.samples.rows),
        sizes=seen.sizes,
        classes=[asdict(each) for each in seen.counts],
        columns=_columns(seen.samples),
        notes=notes,
        definition=text,
    )


def _column_notes(seen: PairsSeen) -> list[str]:
    if not seen.pattern_why:
        return []
    return [
        f'Columns by the pattern "{seen.described.columns}", as {seen.pattern_why}. Name them in data.pairs.columns as '
        "they are called."
    ]


def _unit_notes(splits: ProposedSplits) -> list[str]:
    if not splits.unit:
        return []
    if splits.unit_is_set and splits.keeps_copies:
        return [f"All identical images share their {splits.unit}: splits.unit = {splits.unit!r}."]
    if splits.unit_is_set:
        return [
            f"Images with one {splits.unit} seem to belong together, so no split divides them: splits.unit = "
            f"{splits.unit!r}."
        ]
    return [f"Images with one {splits.unit} seem to belong together, but there are too few groups for splits.unit."]


def _cut_outs(root: Path, path: str, file: Path, given: Definition) -> FirstLook:
    """Every image is decoded twice, the second time at the working size, as an object may vanish there."""
    allow_copies = given.data.allow_copies
    report = describe_data(path, format=CUT_OUTS, settings=["data.allow_copies=true"] * allow_copies)
    if report.problems:
        raise DataError(report.problems)
    catalogue = read_catalogue(path)
    samples, shared = catalogue.samples, catalogue.num_groups < FEWEST_GROUPS
    splits = propose_splits(samples, NOTHING_ALIKE, wanted=ProposedSplits({}, num_random=8, shared_backgrounds=shared))
    sizes = Counter(stored_as(image.path.read_bytes()).upright for image in catalogue.images)
    working = with_given(propose_size(list(sizes.elements())), given.training)
    load_cut_outs(catalogue, working.size, allow_copies=allow_copies)
    return FirstLook(
        written=str(file),
        layout=CUT_OUTS_WHY,
        num_images=report.num_samples,
        sizes=sizes,
        classes=[{"name": name, "pixels": None, "images": len(rows)} for name, rows in samples.strata().items()],
        columns=_columns(samples),
        notes=[*_unit_notes(splits), *splits.notes],
        definition=cut_outs_in_toml(_name_of(file.stem), _from_file(path, file), CUT_OUTS_WHY, working, splits, given),
        tables=report.tables,
    )


def _columns(samples: Samples) -> dict[str, list[Any]]:
    return {column: list(samples.values(column)) for column in samples.columns}


def _from_file(path: str, file: Path) -> str:
    """The path as the definition's file says it: from that file's folder, unless it is absolute."""
    if path == STANDIN or Path(path).is_absolute() or path.startswith("~"):
        return path
    shown = Path(os.path.relpath(path, file.parent)).as_posix()
    if not is_text(shown):
        raise StudyError(f"{printable(path)}: cannot be kept in a TOML file: rename the folder")
    return f"./{shown}" if shown == STANDIN else shown


def _values_in_words(values: list[Any]) -> str:
    told = ", ".join(in_words(value) for value in values[:_VALUES_TOLD])
    return f"{counted(len(values), 'value')}: {told}{', ...' * (len(values) > _VALUES_TOLD)}"
