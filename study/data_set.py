"""A definition's data set: the one place that knows which source it is, cut-outs or pairs of images and masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

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
from trainers.data.pairs.pair import Listing
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
    warnings: tuple[str, ...] = ()
    """What should be known of the images before anything is trained, in sentences."""


class DataSet(Protocol):
    """A data set whose folder has been listed. All that it does raises StudyError with every problem."""

    @property
    def samples_by_names(self) -> Samples | None:
        """The table of samples, where the names of the files are enough for it and have no problems."""

    def samples(self) -> Samples:
        """The table of samples, with everything checked that takes no look at images. (Masks are decoded.)"""

    def load(self, *, allow_copies: bool | None = None) -> Loaded:
        """The samples and their images, at the working size, and what names them.

        :param allow_copies: whether one picture may have several names; None: as the definition says.
        """

    def fingerprint(self) -> str:
        """What names the data set wherever it lies."""


def data_set_of(definition: Definition) -> DataSet:
    """Raises StudyError if there is no such data set, or a key is not for one of its kind."""
    try:
        if (described := definition.data.pairs) is not None:
            _refuse_keys_of_cut_outs(definition)
            return PairsOfFolder(definition, *listed_pairs(definition, described))
        _refuse_keys_of_pairs(definition.training)
        return CutOutsOfFolder(definition, read_catalogue(locate(definition.data.path)))
    except DataError as error:
        raise StudyError(str(error)) from None


@dataclass(frozen=True)
class CutOutsOfFolder:
    definition: Definition
    catalogue: Catalogue

    @property
    def samples_by_names(self) -> Samples | None:
        return None if self.catalogue.problems else self.catalogue.samples

    def samples(self) -> Samples:
        copies = [] if self.definition.data.allow_copies else copied_files(self.catalogue)
        if problems := [*self.catalogue.all_problems(scene_rules(self.definition)), *copies]:
            raise StudyError(str(DataError(problems)))
        return self.catalogue.samples

    def load(self, *, allow_copies: bool | None = None) -> Loaded:
        allowed = self.definition.data.allow_copies if allow_copies is None else allow_copies
        size, rules = self.definition.training.size, scene_rules(self.definition)
        try:
            source = cut_outs.load(self.catalogue, size, rules, allow_copies=allowed)
        except DataError as error:
            raise StudyError(str(error)) from None
        return Loaded(source, self.fingerprint())

    def fingerprint(self) -> str:
        try:
            return fingerprint_of_catalogue(self.catalogue)
        except OSError as error:
            raise StudyError(f"the data set cannot be read: {error}") from None


@dataclass(frozen=True)
class PairsOfFolder:
    definition: Definition
    listing: Listing
    table: LabelTable

    samples_by_names = None

    def samples(self) -> Samples:
        survey = self.survey()
        survey.look()
        try:
            survey.refuse_problems(allow_copies=self.definition.data.allow_copies)
        except DataError as error:
            raise StudyError(str(error)) from None
        return survey.samples

    def load(self, *, allow_copies: bool | None = None) -> Loaded:
        allowed = self.definition.data.allow_copies if allow_copies is None else allow_copies
        keeps_own_size, survey = self.definition.training.counted_at == "original size", self.survey()
        try:
            source = pairs.load(survey, keeps_own_size=keeps_own_size, allow_copies=allowed)
        except DataError as error:
            raise StudyError(str(error)) from None
        return Loaded(source, survey.fingerprint, survey.warnings)

    def fingerprint(self) -> str:
        try:
            return fingerprint_of_listing(self.listing, self.table)
        except DataError as error:
            raise StudyError(str(error)) from None

    def survey(self) -> Survey:
        """Of the pairs, none of which has been opened."""
        training = self.definition.training
        return Survey(self.listing, self.table, Fitting(training.size, training.resize))


def listed_pairs(definition: Definition, described: Pairs) -> tuple[Listing, LabelTable]:
    """The pairs of a definition's folder, and what the values of their masks are. Raises DataError."""
    listing = list_pairs(locate(definition.data.path), described)
    try:
        return listing, LabelTable.of(described, listing)
    except DataError as error:
        raise DataError([*listing.problems, *error.problems]) from None


def scene_rules(definition: Definition) -> SceneRules:
    """How the definition has backgrounds held out."""
    splits = definition.splits
    return SceneRules(definition.seed, splits.test_share, splits.validation_share, splits.shared_backgrounds)


def _refuse_keys_of_cut_outs(definition: Definition) -> None:
    if definition.splits.shared_backgrounds:
        raise StudyError(
            "splits.shared_backgrounds = true: photographs with label maps have no backgrounds of their own to share; "
            "leave the key out (it is for cut-outs)"
        )


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
