"""The public function behind `study data`: what a data set holds, every problem of it, and a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.definition import Definition
from study.errors import StudyError
from study.prepare import catalogue_of
from study.splits import split_problems
from trainers.catalogue import describe, distribution_table
from trainers.contact_sheet import contact_sheet
from trainers.data import check, fingerprint


@dataclass(frozen=True)
class DataReport:
    """`counts[class][angle]` images, and every problem, one a line."""

    path: str
    counts: dict[str, dict[int | float, int]]
    table: str
    num_backgrounds: int
    num_groups: int
    fingerprint: str
    problems: list[str]
    sheet: str | None

    def to_json(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "table"}

    @property
    def text(self) -> str:
        lines = [self.table, f"fingerprint {self.fingerprint}"]
        lines += [f"contact sheet: {self.sheet}"] if self.sheet else []
        if not self.problems:
            return "\n".join([*lines, "No problems."])
        return "\n".join([*lines, f"{len(self.problems)} problems:", *(f"  {problem}" for problem in self.problems)])


def describe_data(definition: Definition, sheet: str | Path | None) -> DataReport:
    """Describe and check the definition's data set, and check that its splits can be made; draw a contact sheet.

    Raises StudyError if there is no such folder, or if the sheet cannot be written.
    """
    catalogue = catalogue_of(definition)
    problems = [str(problem) for problem in check(catalogue)] + split_problems(definition, catalogue)
    try:
        drawn = str(contact_sheet(catalogue, Path(sheet))) if sheet and catalogue.images else None
    except OSError as error:
        raise StudyError(f"--sheet {sheet}: cannot be written: {error}") from None
    return DataReport(
        path=definition.data.path,
        counts=describe(catalogue),
        table=distribution_table(catalogue),
        num_backgrounds=len(catalogue.backgrounds),
        num_groups=len({background.group for background in catalogue.backgrounds}),
        fingerprint=fingerprint(catalogue),
        problems=problems,
        sheet=drawn,
    )
