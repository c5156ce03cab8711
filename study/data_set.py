"""A definition's data set: the one place that knows which source it is, cut-outs or pairs of images and masks."""

from __future__ import annotations

from typing import NamedTuple

from study.definition import Definition
from study.errors import StudyError
from trainers.data.cut_outs import source as cut_outs
from trainers.data.cut_outs.catalogue import Catalogue, locate, read_catalogue
from trainers.data.cut_outs.copies import copied_files
from trainers.data.cut_outs.reading import fingerprint as fingerprint_of_catalogue
from trainers.data.cut_outs.scenes import SceneRules
from trainers.data.pairs import source as pairs
from trainers.data.pairs.description import Pairs
from trainers.data.pairs.fitting import Fitting
from trainers.data.pairs.label_table import LabelTable
from trainers.data.pairs.listing import list_pairs
from trainers.data.pairs.survey import Survey
from trainers.data.pairs.survey import fingerprint as fingerprint_of_listing
from trainers.data.problems import DataError
from trainers.data.source import Source
from trainers.data.table import Samples
from trainers.recipe import TrainingRecipe


class Loaded(NamedTuple):
    """A data set, opened once."""

    source: Source
    fingerprint: str


def load(definition: Definition, *, allow_copies: bool | None = None) -> Loaded:
    """The samples and their images, at the working size, and what names them. Raises StudyError with every problem.

    :param allow_copies: whether one picture may have several names; None: as the definition says.
    """
    allowed = definition.data.allow_copies if allow_copies is None else allow_copies
    training = definition.training
    try:
        if definition.data.pairs is None:
            catalogue = catalogue_of(definition)
            source = cut_outs.load(catalogue, training.size, scene_rules(definition), allow_copies=allowed)
            return Loaded(source, fingerprint_of_catalogue(catalogue))
        survey = survey_of(definition, definition.data.pairs)
        images = pairs.load(survey, keeps_own_size=training.counted_at == "original size", allow_copies=allowed)
        return Loaded(images, survey.fingerprint)
    except DataError as error:
        raise StudyError(str(error)) from None


def samples_of(definition: Definition) -> Samples:
    """The table of samples, with everything checked that takes no look at the pixels of images (masks are decoded).

    Raises StudyError with every problem.
    """
    if definition.data.pairs is not None:
        try:
            survey = survey_of(definition, definition.data.pairs)
            survey.look()
            survey.refuse_problems(allow_copies=definition.data.allow_copies)
        except DataError as error:
            raise StudyError(str(error)) from None
        return survey.samples
    catalogue = catalogue_of(definition)
    copies = [] if definition.data.allow_copies else copied_files(catalogue)
    if problems := [*catalogue.all_problems(scene_rules(definition)), *copies]:
        raise StudyError(str(DataError(problems)))
    return catalogue.samples


def source_of(definition: Definition, *, allow_copies: bool | None = None) -> Source:
    """The samples and their images alone, as `load` gives them."""
    return load(definition, allow_copies=allow_copies).source


def fingerprint_of(definition: Definition) -> str:
    """What names the data set wherever it lies. Raises StudyError if there is none, OSError if it cannot be read."""
    if definition.data.pairs is None:
        return fingerprint_of_catalogue(catalogue_of(definition))
    try:
        survey = survey_of(definition, definition.data.pairs)
        return fingerprint_of_listing(survey.listing, survey.table)
    except DataError as error:
        raise StudyError(str(error)) from None


def catalogue_of(definition: Definition) -> Catalogue:
    """The names of the files of cut-outs. Raises StudyError if there is no such data set, or a key is for pairs."""
    _refuse_keys_of_pairs(definition.training)
    try:
        return read_catalogue(locate(definition.data.path))
    except DataError as error:
        raise StudyError(str(error)) from None


def survey_of(definition: Definition, described: Pairs) -> Survey:
    """The pairs of a definition's folder, listed; none is opened. Raises DataError."""
    training = definition.training
    listing = list_pairs(locate(definition.data.path), described)
    try:
        table = LabelTable.of(described, listing)
    except DataError as error:
        raise DataError([*listing.problems, *error.problems]) from None
    return Survey(listing, table, Fitting(training.size, training.resize))


def scene_rules(definition: Definition) -> SceneRules:
    """How the definition has backgrounds held out."""
    splits = definition.splits
    return SceneRules(definition.seed, splits.test_share, splits.validation_share, splits.shared_backgrounds)


def _refuse_keys_of_pairs(training: TrainingRecipe) -> None:
    if training.counted_at != "working size":
        raise StudyError(
            f'training.counted_at = "{training.counted_at}": cut-outs are composited at the working size and have no '
            "other; leave the key out"
        )
    if training.resize != "stretch":
        raise StudyError(
            f'training.resize = "{training.resize}": cut-outs are always stretched to the working size; leave the key '
            "out (it is for photographs with label maps, data.pairs)"
        )
