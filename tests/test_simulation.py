"""Simulated trials: drawn, not trained; pure, complete, and never taken for real ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from small_study import assert_same_facts, environment, write_definition

from study.cells import cells, parse_trial, trials
from study.commands.trial import TrialRun, trial
from study.definition.file import load
from study.definition.point import Point
from study.definition.sections import Search
from study.errors import StudyError
from study.prepare import Prepared, prepare
from study.progress import Progress
from study.results import Results
from study.results.kept import read_committed
from study.results.schemas import SCHEMAS
from study.terminal.cli import main
from study.trial import run_trial
from trainers.dice import class_order

SIMULATED = "simulate=true"
POINT = Point({"model.width": 0.25, "augmentation.strength": 1.0})


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(load(str(write_definition(tmp_path_factory.mktemp("simulated"))), [SIMULATED]))


def simulated(study: Prepared, out: Path, points: dict[int, Point]) -> Path:
    results = Results(out)
    results.write_text("study.toml", study.definition.to_toml())
    for each in trials(study.definition):
        if each.index in points:
            results.commit(run_trial(study, each, points[each.index]))
    return out


def test_the_same_definition_gives_the_same_tables(study: Prepared, tmp_path: Path) -> None:
    points = {0: POINT}
    assert_same_facts(simulated(study, tmp_path / "a", points), simulated(study, tmp_path / "b", points))


def test_a_simulated_trial_has_all_tables_but_that_of_boundaries(study: Prepared) -> None:
    tables = run_trial(study, parse_trial("icnet-ce-rot_0-s0-t00"), POINT)
    assert set(tables) == set(SCHEMAS) - {"boundary"}
    assert all(tables[name].schema.equals(SCHEMAS[name], check_metadata=False) for name in tables)
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
    assert "simulate" not in real.keys_that_decide_a_trial(), "the digests of real recipes stay as they are"
    with pytest.raises(StudyError, match="holds simulated trials, and this definition trains"):
        read_committed(Results(out), real)


ONE = "icnet-ce-random_0-s0-t00"


def test_a_trial_that_the_definition_lacks_is_committed_nowhere(study: Prepared, tmp_path: Path) -> None:
    """It would be kept, and counted by nobody; what OUT holds already may still be compared."""
    of_one, out = study.definition.model_copy(update={"search": Search()}), str(tmp_path / "out")
    assert trial(ONE, of_one, out).outcome == "committed"
    other = "icnet-ce-random_0-s0-t01"
    with pytest.raises(
        StudyError, match=rf"no {other}, as its search.trials is 1: add --set search.trials=2, or leave"
    ):
        trial(other, of_one, out)
    with pytest.raises(StudyError, match="its grid has no cell icnet-ce-random_5-s0: add it to the grid"):
        trial("icnet-ce-random_5-s0-t00", of_one, out)
    assert set(Results(out).audit().rows) == {ONE}
    without = trial("icnet-ce-random_5-s0-t00", of_one, None)
    assert (without.outcome, without.in_definition) == ("not kept", False)


def test_a_trials_scores_have_the_order_of_the_analysis(study: Prepared) -> None:
    """The paper's classes in the paper's order, then others, whatever the labels."""
    names = ["bg", "ad", "bo", "bx", "mug", "all"]
    table = pa.Table.from_pylist([{"partition": "test", "class": name} for name in names])
    shown = [score["class"] for score in TrialRun({"dice": table}, "not kept", []).test_scores]
    assert shown == class_order(names)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("interrupted", "was interrupted"),
        ("running", "was killed"),
        ("finished", "1, finished ("),
        ("incomplete", "not"),
    ],
)
def test_status_says_how_the_last_run_ended_and_what_came_of_it(
    study: Prepared, tmp_path: Path, state: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    simulated(study, tmp_path, {0: POINT})
    progress = Progress.of(study.definition, {}, dict.fromkeys(study.splits, 1))
    progress.state, progress.host = state, "host1"
    Results(tmp_path).write_text("run.json", progress.to_json())
    main(["status", str(tmp_path)])
    said = capsys.readouterr().out
    assert "4 of 16 trials done: 4 completed, 0 failed." in said
    assert words in said


def test_a_plan_of_which_nothing_is_missing_is_not_calibrated(
    study: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = simulated(study, tmp_path / "out", dict.fromkeys(range(4), POINT))
    monkeypatch.setattr("study.planning.calibration.calibrate", lambda definition: pytest.fail("it trained"))
    assert main(["plan", str(out / "study.toml"), "--out", str(out), "--calibrate"]) == 0
    assert "Nothing is missing, so nothing was trained to estimate it (--calibrate)." in capsys.readouterr().out


def test_a_run_that_a_signal_ends_at_once_says_so(tmp_path: Path) -> None:
    """Also outside of training, when Ray starts or ends and no step asks."""
    done = subprocess.run(
        [sys.executable, "-c", ENDED_AT_ONCE, str(tmp_path / "said")], capture_output=True, text=True, env=environment()
    )
    assert (done.returncode, done.stderr) == (130, "Interrupted.\n")
    assert (tmp_path / "said").read_text() == "interrupted"


ENDED_AT_ONCE = """
import os, pathlib, signal, sys, time
from study.terminal.interrupts import hear_interrupts, with_last_words

signal.signal(signal.SIGINT, signal.SIG_DFL)
hear_interrupts()
with with_last_words(lambda: pathlib.Path(sys.argv[1]).write_text("interrupted")):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)
"""
