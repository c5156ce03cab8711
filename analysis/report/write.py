"""The report: one self-contained HTML file that opens with the verdict, and its tables as JSON beside it."""

from __future__ import annotations

import json
import os
from importlib import metadata
from pathlib import Path

from analysis.answer import records
from analysis.errors import AnalysisError
from analysis.files import write_atomically
from analysis.report.page import render
from analysis.report.sections import sections
from analysis.scores import SELECTED, Scores
from analysis.shown import rule
from analysis.statistics.catalogue import left_out, left_out_in_words
from analysis.statistics.material import ROPE, Material
from analysis.verdict import cannot_say, lacking, verdict
from study.definition import SIMULATED

PROJECT = "segmentation-stability"


def report(scores: Scores, file: str | os.PathLike[str], rope: float = ROPE, seed: int = 0) -> Path:
    """Write FILE (HTML) and, beside it, the same name with the suffix .json; the path of the page.

    The page needs no network and runs no script. The same scores give the same bytes.

    :param rope: differences of a score within it count as none.
    :raises AnalysisError: FILE cannot be written, or is no name of an HTML file.
    """
    page = Path(file)
    if page.suffix.lower() not in (".html", ".htm"):
        raise AnalysisError(f"{page}: a report is an HTML file; give a name that ends in .html")
    if not page.parent.is_dir():
        raise AnalysisError(f"{page} cannot be written: there is no folder {page.parent}")
    findings, unanswered, material = verdict(scores, rope), cannot_say(scores), Material(scores, rope, seed)
    parts = sections(material)
    version = metadata.version(PROJECT)
    html = render(
        {
            "title": "Simulated: " * scores.simulated
            + f"How far can these scores be trusted? {Path(scores.source).name}",
            "subtitle": f"From {scores.source}: {scores.metric.in_full} on test images, "
            f"{SELECTED.get(scores.selection, 'as given')}.",
            "warning": SIMULATED if scores.simulated else "",
            "not_shown": rule(scores.table) and f"{rule(scores.table)} {page.stem}.json has every table in full.",
            "findings": findings,
            "cannot_say": unanswered,
            "lacking": lacking(scores),
            "sections": parts,
            "left_out": left_out_in_words(material),
            "version": version,
            "footer": f"Made by {PROJECT} {version}. Everything on this page is in this one file.",
        }
    )
    plain = {
        "source": scores.source,
        "selection": scores.selection,
        "simulated": scores.simulated,
        "metric": scores.metric.to_json(),
        "version": version,
        "findings": [{"question": each.question, "points": list(each.points)} for each in (*findings, unanswered)],
        "missing": list(scores.missing),
        "failed": scores.failed,
        "sections": {part.id: {table.name: records(table.frame) for table in part.tables} for part in parts},
        "left_out": left_out(material),
        "definition": scores.facts.definition.model_dump(mode="json") if scores.facts else None,
    }
    for path, text in ((page, html), (page.with_suffix(".json"), json.dumps(plain, indent=1, allow_nan=False) + "\n")):
        with write_atomically(path) as unfinished:
            unfinished.write_text(text, encoding="utf-8")
    return page
