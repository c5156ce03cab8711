"""A definition's data set: the one place that knows which source it is. (Today all are cut-outs.)"""

from __future__ import annotations

from study.definition import Definition
from study.errors import StudyError
from trainers.data.cut_outs.catalogue import Catalogue, locate, read_catalogue
from trainers.data.cut_outs.copies import copied_files
from trainers.data.cut_outs.reading import fingerprint
from trainers.data.cut_outs.scenes import SceneRules
from trainers.data.cut_outs.source import load
from trainers.data.problems import DataError
from trainers.data.source import Source
from trainers.data.table import Samples


def samples_of(definition: Definition, catalogue: Catalogue) -> Samples:
    """The table of samples, with everything checked that takes no look at the pixels.

    Raises StudyError with every problem.
    """
    copies = [] if definition.data.allow_copies else copied_files(catalogue)
    if problems := [*catalogue.all_problems(scene_rules(definition)), *copies]:
        raise StudyError(str(DataError(problems)))
    return catalogue.samples


def source_of(definition: Definition, catalogue: Catalogue, *, allow_copies: bool | None = None) -> Source:
    """The samples and their images, at the working size. Raises StudyError with every problem.

    :param allow_copies: whether one picture may have several names; None: as the definition says.
    """
    allowed = definition.data.allow_copies if allow_copies is None else allow_copies
    try:
        return load(catalogue, definition.training.size, scene_rules(definition), allow_copies=allowed)
    except DataError as error:
        raise StudyError(str(error)) from None


def fingerprint_of(catalogue: Catalogue) -> str:
    """What names the data set wherever it lies. Raises StudyError if a file cannot be read."""
    try:
        return fingerprint(catalogue)
    except OSError as error:
        raise StudyError(f"the data set cannot be read: {error}") from None


def catalogue_of(definition: Definition) -> Catalogue:
    """The names of the data set's files. Raises StudyError if there is no such data set."""
    try:
        return read_catalogue(locate(definition.data.path))
    except DataError as error:
        raise StudyError(str(error)) from None


def scene_rules(definition: Definition) -> SceneRules:
    """How the definition has backgrounds held out."""
    splits = definition.splits
    return SceneRules(definition.seed, splits.test_share, splits.validation_share, splits.shared_backgrounds)
