"""Simulated trials: drawn, not trained; pure, complete, and never taken for real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_study import assert_same_facts, write_definition

from study.cells import cells, parse_trial, trials
from study.definition.file import load
from study.definition.point import Point
from study.errors import StudyError
from study.prepare import Prepared, prepare
from study.results import Results
from study.results.kept import read_committed
from study.results.schemas import SCHEMAS
from study.trial import run_trial

SIMULATED = "simulate=true"
POINT = Point({"model.width": 0.25, "augmentation.strength": 1.0})


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(load(str(write_definition(tmp_path_factory.mktemp("simulated"))), [SIMULATED]))


def simulated(study: Prepared, out: Path, points: dict[int, Point]) -> Path:
    results = Results(out)
    results.write_text("study.toml", study.definition.to_toml())
    for trial in trials(study.definition):
        if trial.index in points:
            results.commit(run_trial(study, trial, points[trial.index]))
    return out


def test_the_same_definition_gives_the_same_tables(study: Prepared, tmp_path: Path) -> None:
    points = {0: POINT}
    assert_same_facts(simulated(study, tmp_path / "a", points), simulated(study, tmp_path / "b", points))


def test_a_simulated_trial_has_all_tables(study: Prepared) -> None:
    tables = run_trial(study, parse_trial("icnet-ce-rot_0-s0-t00"), POINT)
    assert set(tables) == set(SCHEMAS)
    assert all(tables[name].schema.equals(SCHEMAS[name], check_metadata=False) for name in SCHEMAS)
    row = tables["trials"].to_pylist()[0]
    assert (row["device"], row["status"], row["selected_epoch"]) == ("simulated", "completed", 2)


def test_wider_networks_score_better_and_held_out_splits_worse(study: Prepared) -> None:
    def mean_objective(split: str, width: float) -> float:
        cell = next(cell for cell in cells(study.definition) if cell.split == split)
        tables = [
            run_trial(
                study, parse_trial(f"{cell.id}-t{k:02d}"), Point({"model.width": width, "augmentation.strength": 0.8})
            )
            for k in range(30)
        ]
        return float(np.mean([table["trials"]["objective"][0].as_py() for table in tables]))

    assert mean_objective("rot_0", 0.2) < mean_objective("random_0", 0.2) < mean_objective("random_0", 4.0)


def test_real_and_simulated_trials_do_not_mix(study: Prepared, tmp_path: Path) -> None:
    out = simulated(study, tmp_path / "out", {0: POINT})
    real = study.definition.model_copy(update={"simulate": False})
    assert real.recipe_digest() != study.definition.recipe_digest()
    assert "simulate" not in real.recipe_keys(), "the digests of real recipes stay as they are"
    with pytest.raises(StudyError, match="holds simulated trials, and this definition trains"):
        read_committed(Results(out), real)
