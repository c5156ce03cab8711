"""The public function behind `study data`: what a data set holds, every problem of it, and a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.definition import Definition
from study.errors import StudyError
from study.rotations import proposed_toml
from study.splits import split_problems
from trainers.catalogue import STANDIN, Catalogue, read_catalogue
from trainers.contact_sheet import contact_sheet
from trainers.data import check, fingerprint
from trainers.distribution import describe, distribution_table
from trainers.problems import DataError, Problem, listed


@dataclass(frozen=True)
class DataReport:
    """`counts[class][angle]` images, and every problem."""

    path: str
    counts: dict[str, dict[int | float, int]]
    table: str
    num_backgrounds: int
    num_groups: int
    fingerprint: str | None
    """None for a data set with problems."""
    problems: list[Problem]
    proposal: str | None
    """Rotation splits that the data set allows, as TOML; None where a definition was given or there are problems."""
    sheet: str | None

    def to_json(self) -> dict[str, Any]:
        plain = {key: value for key, value in vars(self).items() if key != "table"}
        return plain | {"problems": [str(problem) for problem in self.problems]}

    @property
    def text(self) -> str:
        parts = [self.table] if self.num_images else []
        if self.problems:
            parts.append(listed(self.problems))
        else:
            parts.append(f"No problems. Fingerprint {self.fingerprint}.")
        if self.proposal:
            parts.append(f"For the end of a definition, what these images allow:\n\n{self.proposal}")
        parts += [f"Contact sheet: {self.sheet}"] if self.sheet else []
        return "\n\n".join(parts)

    @property
    def num_images(self) -> int:
        return sum(sum(by_angle.values()) for by_angle in self.counts.values())


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
    try:
        catalogue = read_catalogue(path)
    except DataError as error:
        raise StudyError(str(error)) from None
    problems = check(catalogue, allow_copies=definition is not None and definition.data.allow_copies)
    problems += split_problems(definition, catalogue) if definition and catalogue.images else _too_few(catalogue)
    try:
        drawn = str(contact_sheet(catalogue, Path(sheet))) if sheet and catalogue.images else None
    except OSError as error:
        raise StudyError(f"--sheet {sheet}: cannot be written: {error}") from None
    return DataReport(
        path=path,
        counts=describe(catalogue),
        table=distribution_table(catalogue),
        num_backgrounds=len(catalogue.backgrounds),
        num_groups=len({background.group for background in catalogue.backgrounds}),
        fingerprint=None if problems else fingerprint(catalogue),
        problems=problems,
        proposal=None if definition or problems else proposed_toml(catalogue),
        sheet=drawn,
    )


def _too_few(catalogue: Catalogue) -> list[Problem]:
    """The classes that no definition can split."""
    totals = {name: sum(by_angle.values()) for name, by_angle in describe(catalogue).items()}
    what = "fewer than the 3 images that are needed to train, to validate and to test: add some"
    return [Problem(name, what, f"{count} images") for name, count in totals.items() if 0 < count < 3]
