"""What a folder is taken for where no definition says it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from study.definition import Definition
from study.definition.file import from_settings
from study.errors import StudyError
from trainers.data.cut_outs.catalogue import read_catalogue
from trainers.data.pairs.description import Pairs
from trainers.data.pairs.recognise import Layout, layouts_of, settled
from trainers.data.problems import DataError, Problem

CUT_OUTS = "cut-outs"
FORMATS = (CUT_OUTS, "folders", "coco", "parquet")
_OF_TRAINING = ("training.image_size", "training.resize", "training.epochs")
CUT_OUTS_WHY = "cut-outs in class folders and angle folders, and backgrounds"


def given_of_data(settings: Iterable[str], format: str | None) -> Definition:
    """What the user says of a data set: a definition of nothing else.

    Raises StudyError for settings of anything else than the data, their working size and the epochs, and for impossible
    ones.
    """
    settings = list(settings)
    for setting in settings:
        key = setting.partition("=")[0].strip()
        is_of_data = key.startswith("data.") and not key.startswith("data.path")
        if not is_of_data and key not in _OF_TRAINING:
            known = f"data.pairs, data.allow_copies, {', '.join(_OF_TRAINING)}"
            elsewhere = "give any other to study plan and study run, by --set too, or write it into the definition"
            raise StudyError(f"--set {setting[:80]}: only keys of these can be set here: {known}; {elsewhere}")
    if format not in (None, *FORMATS):
        raise StudyError(f"--format {format}: is none of {', '.join(FORMATS)}")
    chosen = [f"data.pairs.format={format}"] if format not in (None, CUT_OUTS) else []
    return from_settings([*settings, *chosen])


def layout_of(root: Path, format: str | None, described: Pairs) -> Layout | None:
    """The layout of photographs with label maps; None for cut-outs. Raises DataError if none fits, or several."""
    is_cut_outs = format in (None, CUT_OUTS) and described == Pairs() and bool(read_catalogue(root).images)
    if format == CUT_OUTS:
        return None
    layouts = layouts_of(root, described)
    if is_cut_outs and layouts:
        names = f"{CUT_OUTS_WHY} (--format {CUT_OUTS}); or {layouts[0].why} (--format {layouts[0].described.format})"
        raise DataError([Problem(".", f"more than one layout fits, say which: {names}")])
    if is_cut_outs:
        return None
    taken = settled(root, described)
    return layouts[0] if layouts else Layout(taken, "photographs and masks in the places given")
