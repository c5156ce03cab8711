"""`study data`: what a data set holds, every problem of it, and a picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.data_set import PairsOfFolder, listed_pairs, scene_rules
from study.definition import Definition
from study.errors import StudyError
from study.first_look.columns import grouped_columns
from study.first_look.layout import given_of_data, layout_of
from study.first_look.pairs import describe_pairs
from study.leaks import leak_notes, leak_problems, leaks_of, near_notes
from study.proposals import proposed_toml, proposed_unit
from study.splits import make_splits, split_notes, split_problems
from trainers.data.cut_outs.catalogue import STANDIN, Catalogue, locate, read_catalogue
from trainers.data.cut_outs.contact_sheet import contact_sheet as sheet_of_cut_outs
from trainers.data.cut_outs.reading import check, fingerprint
from trainers.data.cut_outs.scenes import FEWEST_GROUPS, scene_problems
from trainers.data.distribution import Counts, describe, distribution_table
from trainers.data.likeness import likeness
from trainers.data.pairs.contact_sheet import contact_sheet as sheet_of_pairs
from trainers.data.pairs.description import Pairs
from trainers.data.pairs.listing import refuse_no_folder
from trainers.data.pairs.recognise import layouts_of
from trainers.data.pairs.source import LabelledImages
from trainers.data.pairs.source import load as load_pairs
from trainers.data.pairs.survey import Survey
from trainers.data.problems import DataError, Problem, listed
from trainers.data.table import Samples
from trainers.printable import counted


@dataclass(frozen=True)
class DataReport:
    """`counts[axis][class][value]` samples, and every problem."""

    path: str
    num_samples: int
    counts: dict[str, Counts]
    tables: str
    num_backgrounds: int
    num_groups: int
    fingerprint: str | None
    """None for a data set with problems."""
    problems: list[Problem]
    notes: list[str]
    """What should be known of the splits of a definition, in sentences."""
    proposal: str | None
    """Held-out splits that the data set allows, as TOML; None where a definition was given or there are problems."""
    sheet: str | None
    near_identical: Sequence[tuple[str, str]] = ()
    """Pairs of images by id, where no definition says on which sides of splits they are."""

    def to_json(self) -> dict[str, Any]:
        plain = {key: value for key, value in vars(self).items() if key != "tables"}
        return plain | {"problems": [str(problem) for problem in self.problems]}

    @property
    def text(self) -> str:
        parts = [self.tables] if self.num_samples else []
        if self.problems:
            parts.append(listed(self.problems))
        else:
            parts.append(f"No problems. Fingerprint {self.fingerprint}.")
        parts += ["\n".join(self.notes)] if self.notes else []
        if self.proposal:
            parts.append(f"For the end of a definition, what these samples allow:\n\n{self.proposal}")
        parts += [f"Contact sheet: {self.sheet}"] if self.sheet else []
        return "\n\n".join(parts)


def describe_data(
    path: str | None = None,
    definition: Definition | None = None,
    sheet: str | Path | None = None,
    *,
    format: str | None = None,
    settings: Iterable[str] = (),
) -> DataReport:
    """Describe and check a data set, and, where a definition is given, that its splits can be made and share no image.

    :param path: a folder or the word `standin`; None: the definition's data set, or the shipped one without it.
    :param sheet: where to draw a contact sheet, if anywhere.
    :param format: as of `study init`, where there is no definition and more than one layout fits.
    :param settings: as of `study init`, where there is no definition.
    :raises StudyError: there is no such folder, no layout fits, or several do, or the sheet cannot be written.
    """
    if definition and (format or [*settings]):
        raise StudyError("--format says what a data set is, and a definition says it already: leave it out")
    if path is None:
        path = definition.data.path if definition else STANDIN
    try:
        if definition is None:
            return _without_definition(path, given_of_data(settings, format), format, sheet)
        data = definition.data.model_copy(update={"path": path})
        definition = definition.model_copy(update={"data": data})
        if data.pairs is None:
            return _describe_cut_outs(path, definition, sheet, allow_copies=data.allow_copies)
        survey = PairsOfFolder(definition, *listed_pairs(definition, data.pairs)).survey()
        return _describe_pairs(path, survey, definition, sheet)
    except DataError as error:
        raise StudyError(str(error)) from None
    except OSError as error:
        raise StudyError(f"--sheet {sheet}: cannot be written: {error}") from None


def _without_definition(path: str, given: Definition, format: str | None, sheet: str | Path | None) -> DataReport:
    root = locate(path)
    refuse_no_folder(root)
    described = given.data.pairs or Pairs()
    is_open = format is None and described == Pairs()
    layout = None if is_open and not layouts_of(root) else layout_of(root, format, described)
    if layout is None:  # of what is neither, the problems that it has as cut-outs say most
        return _describe_cut_outs(path, None, sheet, allow_copies=given.data.allow_copies)
    found = describe_pairs(root, layout.described, given)
    what = f"Taken for {layout.why}. No definition was given: classes and columns are those that study init proposes"
    return _describe_pairs(path, found.survey, None, sheet, notes=[f"{what}.", *found.named.notes])


def _describe_cut_outs(
    path: str, definition: Definition | None, sheet: str | Path | None, *, allow_copies: bool
) -> DataReport:
    catalogue = read_catalogue(path)
    problems = check(catalogue, allow_copies=allow_copies)
    samples = catalogue.samples
    notes: list[str] = []
    if definition and samples.rows:
        of_splits = split_problems(definition, samples)
        problems += scene_problems(catalogue.views, scene_rules(definition)) + of_splits
        notes = [] if of_splits else split_notes(make_splits(definition, samples).values(), definition, samples)
    else:
        problems += _too_few(samples)
    drawn = str(sheet_of_cut_outs(catalogue, Path(sheet))) if sheet and samples.rows else None
    return DataReport(
        path=path,
        num_samples=len(samples.rows),
        counts={axis: describe(samples, axis) for axis in samples.columns},
        tables=_tables(catalogue),
        num_backgrounds=len(catalogue.backgrounds),
        num_groups=catalogue.num_groups,
        fingerprint=None if problems else fingerprint(catalogue),
        problems=problems,
        notes=notes,
        proposal=None if definition or problems else _proposal(catalogue),
        sheet=drawn,
    )


def _describe_pairs(
    path: str, survey: Survey, definition: Definition | None, sheet: str | Path | None, notes: Iterable[str] = ()
) -> DataReport:
    """Of images with label maps, none of which has been opened. Raises DataError if they cannot be decoded anywhere,
    and OSError if the sheet cannot be written."""
    source = _loaded(survey)
    samples = survey.samples
    problems = survey.problems(allow_copies=definition is not None and definition.data.allow_copies)
    notes = [*notes, *survey.notes]
    near: list[tuple[str, str]] = []
    if definition is None and source:
        near = [*likeness(source.glimpses).near]
        notes += near_notes(near, samples)
    if definition and source and not problems:
        problems += split_problems(definition, samples)
        splits = [] if problems else [*make_splits(definition, samples).values()]
        leaks = leaks_of(source, splits)
        problems += leak_problems(leaks, definition)
        notes += [*split_notes(splits, definition, samples), *leak_notes(leaks, definition)]
    drawn = str(sheet_of_pairs(survey, Path(sheet), _column_of_sheet(samples, definition))) if sheet else None
    return DataReport(
        path=path,
        num_samples=len(samples.rows),
        counts={axis: describe(samples, axis) for axis in samples.columns},
        tables=_tables_of_pairs(survey),
        num_backgrounds=0,
        num_groups=0,
        fingerprint=None if problems else survey.fingerprint,
        problems=problems,
        notes=notes,
        near_identical=near,
        proposal=None,
        sheet=drawn,
    )


def _loaded(survey: Survey) -> LabelledImages | None:
    """The images, of which the survey is then full; None where it has found problems."""
    try:
        return load_pairs(survey, allow_copies=True)
    except DataError:
        if survey.problems(allow_copies=True):
            return None
        raise


def _column_of_sheet(samples: Samples, definition: Definition | None) -> str | None:
    """The unit, else the first axis of held-out splits, else the first column that looks like groups."""
    splits = definition.splits if definition else None
    wanted = [splits.unit, *splits.held_out] if splits else []
    columns = [*wanted, proposed_unit(samples), *grouped_columns(samples)]
    return next((column for column in columns if column in samples.columns), None)


def _tables_of_pairs(survey: Survey) -> str:
    samples = survey.samples
    width = max(map(len, survey.num_shown), default=0)
    shown = "\n".join(f"{name:{width}}  {count}" for name, count in survey.num_shown.items())
    tables = [f"Samples by class and {axis}:\n{distribution_table(samples, axis)}" for axis in samples.columns]
    unusable = sum(each.problem is not None for each in survey.found)
    left_out = f" ({unusable} of them cannot be used)" * bool(unusable)
    images = f"{counted(len(samples.rows), 'image')} with label maps{left_out}."
    return "\n".join([f"{images} How many show each class:\n{shown}", *tables])


def _tables(catalogue: Catalogue) -> str:
    """Samples by class and value of every axis, and how many backgrounds there are."""
    samples = catalogue.samples
    tables = [f"Samples by class and {axis}:\n{distribution_table(samples, axis)}" for axis in samples.columns]
    return "\n".join([*tables, _backgrounds(catalogue)])


def _backgrounds(catalogue: Catalogue) -> str:
    return f"{counted(len(catalogue.backgrounds), 'background')} in {counted(catalogue.num_groups, 'group')}"


def _proposal(catalogue: Catalogue) -> str:
    return proposed_toml(catalogue.samples, shared_backgrounds=catalogue.num_groups < FEWEST_GROUPS)


def _too_few(samples: Samples) -> list[Problem]:
    """The classes that no definition can split."""
    totals = {name: len(rows) for name, rows in samples.strata().items()}
    what = "fewer than the 3 samples that are needed to train, to validate and to test: add some"
    return [Problem(name, what, counted(count, "sample")) for name, count in totals.items() if count < 3]
