"""`study data`: what a data set holds, every problem of it, and a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.data_set import PairsOfFolder, list_of, scene_rules
from study.definition import Definition
from study.errors import StudyError
from study.proposals import proposed_toml
from study.splits import make_splits, split_notes, split_problems
from trainers.data.cut_outs.catalogue import STANDIN, Catalogue, read_catalogue
from trainers.data.cut_outs.contact_sheet import contact_sheet
from trainers.data.cut_outs.reading import check, fingerprint
from trainers.data.cut_outs.scenes import FEWEST_GROUPS, scene_problems
from trainers.data.distribution import Counts, describe, distribution_table
from trainers.data.pairs.description import Pairs
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
    path: str | None = None, definition: Definition | None = None, sheet: str | Path | None = None
) -> DataReport:
    """Describe and check a data set, and, where a definition is given, that its splits can be made.

    :param path: a folder or the word `standin`; None: the definition's data set, or the shipped one without it.
    :param sheet: where to draw a contact sheet, if anywhere.
    :raises StudyError: there is no such folder, or the sheet cannot be written.
    """
    if path is None:
        path = definition.data.path if definition else STANDIN
    if definition and definition.data.pairs is not None:
        if sheet:
            raise StudyError("--sheet: a contact sheet shows cut-outs, and these are pairs; leave it out")
        data = definition.data.model_copy(update={"path": path})
        return _describe_pairs(definition.model_copy(update={"data": data}), definition.data.pairs)
    try:
        catalogue = read_catalogue(path)
    except DataError as error:
        raise StudyError(str(error)) from None
    problems = check(catalogue, allow_copies=definition is not None and definition.data.allow_copies)
    samples = catalogue.samples
    notes: list[str] = []
    if definition and samples.rows:
        of_splits = split_problems(definition, samples)
        problems += scene_problems(catalogue.views, scene_rules(definition)) + of_splits
        notes = [] if of_splits else split_notes(make_splits(definition, samples).values(), definition, samples)
    else:
        problems += _too_few(samples)
    try:
        drawn = str(contact_sheet(catalogue, Path(sheet))) if sheet and samples.rows else None
    except OSError as error:
        raise StudyError(f"--sheet {sheet}: cannot be written: {error}") from None
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


def _describe_pairs(definition: Definition, described: Pairs) -> DataReport:
    """Of images with label maps, at the definition's working size. Raises StudyError if they cannot be listed."""
    try:
        survey = PairsOfFolder(definition, *list_of(definition, described)).survey()
    except DataError as error:
        raise StudyError(str(error)) from None
    survey.look(with_images=True)
    samples, problems = survey.samples, survey.problems(allow_copies=definition.data.allow_copies)
    shown = "\n".join(f"{name}  {count}" for name, count in survey.num_shown.items())
    tables = [f"Samples by class and {axis}:\n{distribution_table(samples, axis)}" for axis in samples.columns]
    problems += [] if problems else split_problems(definition, samples)
    splits = [] if problems else make_splits(definition, samples).values()
    return DataReport(
        path=definition.data.path,
        num_samples=len(samples.rows),
        counts={axis: describe(samples, axis) for axis in samples.columns},
        tables="\n".join([f"{counted(len(samples.rows), 'image')}, of which show:\n{shown}", *tables, *survey.notes]),
        num_backgrounds=0,
        num_groups=0,
        fingerprint=None if problems else survey.fingerprint,
        problems=problems,
        notes=split_notes(splits, definition, samples),
        proposal=None,
        sheet=None,
    )


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
