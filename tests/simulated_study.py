"""A whole study on disk in seconds: simulated trials, committed without Ray."""

from __future__ import annotations

from pathlib import Path

from study.cells import Outcome, Trial, cells
from study.definition import Definition
from study.prepare import Prepared, prepare
from study.results import Results
from study.search import suggest
from study.trial import run_trial


def write_study(out: Path, definition: Definition, study: Prepared | None = None) -> Path:
    """Every trial of a definition that has `simulate` set.

    :param study: the definition on other samples than those of its data set.
    """
    assert definition.simulate
    study, results = study or prepare(definition), Results(out)
    results.write_text("study.toml", definition.to_toml())
    for cell in cells(definition):
        earlier: list[Outcome] = []
        for index in range(definition.search.trials):
            point = suggest(definition, cell, index, earlier)
            tables = run_trial(study, Trial(cell, index), point)
            results.commit(tables)
            earlier.append(Outcome(point, tables["trials"]["objective"][0].as_py()))
    return out
