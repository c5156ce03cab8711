"""The report: one self-contained HTML file that opens with the verdict, and its tables as JSON beside it."""

from __future__ import annotations

import json
import os
from importlib import metadata
from pathlib import Path

from analysis.answer import records
from analysis.errors import AnalysisError
from analysis.load import Scores
from analysis.page import Section, render
from analysis.sections import OF_SCORES, Material
from analysis.sections_study import OF_A_STUDY, provenance, worst
from analysis.verdict import ROPE, cannot_say, lacking, verdict

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
    findings, unanswered, parts = verdict(scores, rope), cannot_say(scores), _sections(scores, rope, seed)
    version = metadata.version(PROJECT)
    html = render(
        {
            "title": f"How far can these scores be trusted? {Path(scores.source).name}",
            "subtitle": f"From {scores.source}; selection: {scores.selection}.",
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
        "version": version,
        "findings": [{"question": each.question, "points": list(each.points)} for each in (*findings, unanswered)],
        "missing": list(scores.missing),
        "failed": scores.failed,
        "sections": {part.id: {Path(t.file).stem: records(t.frame) for t in part.tables} for part in parts},
        "definition": scores.facts.definition.model_dump(mode="json") if scores.facts else None,
    }
    _write(page, html)
    _write(page.with_suffix(".json"), json.dumps(plain, indent=1, allow_nan=False) + "\n")
    return page


def _sections(scores: Scores, rope: float, seed: int) -> list[Section]:
    """All that these results can fill, in the order of reading."""
    material = Material(scores, rope, seed)
    found = [make(material) for make in OF_SCORES]
    if scores.facts is None:
        return [*found, worst(material)]
    return [*found, *(make(material) for make in OF_A_STUDY), worst(material), provenance(material)]


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        raise AnalysisError(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        unfinished.unlink(missing_ok=True)
