"""The report: one self-contained HTML file that opens with the verdict, and its tables as JSON beside it."""

from __future__ import annotations

import json
import os
from importlib import metadata
from pathlib import Path

from analysis.answer import records
from analysis.errors import AnalysisError
from analysis.files import written_whole
from analysis.report.page import Section, render
from analysis.report.sections import OF_SCORES, Material
from analysis.report.sections_study import OF_A_STUDY, provenance, worst
from analysis.scores import Scores
from analysis.shown import rule
from analysis.verdict import ROPE, cannot_say, lacking, verdict
from study.definition import SIMULATED

PROJECT = "segmentation-stability"


def report(scores: Scores, file: str | os.PathLike[str], rope: float = ROPE, seed: int = 0) -> Path:
    """Write FILE (HTML) and, beside it, the same name with the suffix .json; the path of the page.

    The page needs no network and runs no script. The same scores give the same bytes.

    :param rope: differences of Dice within it count as none.
    :raises AnalysisError: FILE cannot be written, or is no name of an HTML file.
    """
    page = Path(file)
    if page.suffix.lower() not in (".html", ".htm"):
        raise AnalysisError(f"{page}: a report is an HTML file; give a name that ends in .html")
    if not page.parent.is_dir():
        raise AnalysisError(f"{page} cannot be written: there is no folder {page.parent}")
    findings, unanswered, material = verdict(scores, rope), cannot_say(scores), Material(scores, rope, seed)
    parts = _sections(material)
    version = metadata.version(PROJECT)
    html = render(
        {
            "title": "Simulated: " * scores.simulated
            + f"How far can these scores be trusted? {Path(scores.source).name}",
            "subtitle": f"From {scores.source}; selection: {scores.selection}.",
            "warning": SIMULATED if scores.simulated else "",
            "not_shown": rule(scores.table) and f"{rule(scores.table)} {page.stem}.json has every table in full.",
            "findings": findings,
            "cannot_say": unanswered,
            "lacking": lacking(scores),
            "sections": parts,
            "version": version,
            "footer": f"Made by {PROJECT} {version}. Everything on this page is in this one file.",
        }
    )
    plain = {
        "source": scores.source,
        "selection": scores.selection,
        "simulated": scores.simulated,
        "version": version,
        "findings": [{"question": each.question, "points": list(each.points)} for each in (*findings, unanswered)],
        "missing": list(scores.missing),
        "failed": scores.failed,
        "sections": {part.id: {Path(t.file).stem: records(t.frame) for t in part.tables} for part in parts},
        "definition": scores.facts.definition.model_dump(mode="json") if scores.facts else None,
    }
    for path, text in ((page, html), (page.with_suffix(".json"), json.dumps(plain, indent=1, allow_nan=False) + "\n")):
        with written_whole(path) as unfinished:
            unfinished.write_text(text, encoding="utf-8")
    return page


def _sections(material: Material) -> list[Section]:
    """All that these results can fill, in the order of reading."""
    found = [make(material) for make in OF_SCORES]
    if material.scores.facts is None:
        return [*found, worst(material)]
    return [*found, *(make(material) for make in OF_A_STUDY), worst(material), provenance(material)]
