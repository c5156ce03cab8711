"""A study in other tools, read back by the tools' own clients."""

from __future__ import annotations

import csv
import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import optuna
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from test_analysis_load import DEFINITION, all_classes_shown, commit

from analysis.cli import main
from analysis.errors import AnalysisError
from analysis.export import export, follow
from analysis.export.to_optuna import distributions_of
from study.definition.file import load
from study.results import Results
from study.results.layout import RUN_FILE

TRIALS = [f"icnet-ce-{split}-s0-t0{index}" for split in ("random_0", "rot_0") for index in range(2)]
FAILED = "unet-ce-random_0-s0-t00"
HISTORY = [
    {"epoch": epoch, "train_loss": 1 / epoch, "val_loss": 2 / epoch, "objective": epoch / 10, "learning_rate": 0.1}
    | {"seconds": 2.0}
    for epoch in (1, 2, 3)
]
STARTED, FINISHED = (pd.Timestamp(f"2026-01-02 03:0{minute}:05", tz="UTC") for minute in (4, 5))
STARTED_SECONDS = int(STARTED.timestamp())
POINT = '{"augmentation.strength": 0.5, "model.width": 0.15}'


def committed(out: Path, trial_id: str, **more: object) -> None:
    times = {"started": STARTED, "finished": FINISHED}
    commit(out, trial_id, history=HISTORY, counted=all_classes_shown, point=POINT, **times, **more)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    place = tmp_path / "out"
    place.mkdir()
    Results(place).write_text("study.toml", DEFINITION.to_toml())
    for number, trial_id in enumerate(TRIALS):
        committed(place, trial_id, objective=0.5 + number / 10)
    failed = {"status": "failed", "objective": None, "error": "it diverged", "point": POINT}
    commit(place, FAILED, ("history", "trials"), history=HISTORY[:1], **failed)
    return place


def dice_of(out: Path, trial_id: str) -> dict[str, float]:
    rows = pd.read_parquet(out / "dice" / f"{trial_id}.parquet")
    return dict(rows[rows["partition"] == "test"].set_index("class")["dice_ew"].dropna())


def test_optuna_reads_what_was_searched(out: Path, tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path}/study.db"
    assert export(str(out), f"optuna:{storage}") == 5
    study = optuna.load_study(study_name="icnet-ce-random_0-s0", storage=storage)
    assert [trial.value for trial in study.trials] == [0.5, 0.6]
    assert study.best_trial.user_attrs["trial"] == TRIALS[1]
    assert study.best_params == {"augmentation.strength": 0.5, "model.width": 0.15}
    assert study.best_trial.intermediate_values == {1: 0.1, 2: 0.2, 3: 0.3}
    scores = {name.removeprefix("test_dice_ew "): value for name, value in study.best_trial.user_attrs.items()}
    assert {name: scores[name] for name in ("bx", "cl")} == pytest.approx(
        {name: value for name, value in dice_of(out, TRIALS[1]).items() if name in ("bx", "cl")}
    )
    assert study.metric_names == ["validation Dice"]
    named = {"model": "icnet", "loss": "ce", "split": "random_0", "split_kind": "random", "seed": 0}
    assert study.user_attrs == named
    assert study.best_trial.duration.total_seconds() == 60  # type: ignore[union-attr]
    (failed,) = optuna.load_study(study_name="unet-ce-random_0-s0", storage=storage).trials
    assert failed.state is optuna.trial.TrialState.FAIL
    assert failed.user_attrs["error"] == "it diverged"
    committed(out, "icnet-ce-random_0-s0-t02", objective=0.7)
    assert export(str(out), f"optuna:{storage}") == 1
    assert export(str(out), f"optuna:{storage}") == 0
    study = optuna.load_study(study_name="icnet-ce-random_0-s0", storage=storage)
    assert [trial.value for trial in study.trials] == [0.5, 0.6, 0.7]


def test_the_beginnings_that_halving_compared_are_pruned_trials(out: Path, tmp_path: Path) -> None:
    committed(out, f"{TRIALS[0]}-e2", objective=0.3, rung=2)
    storage = f"sqlite:///{tmp_path}/study.db"
    assert export(str(out), f"optuna:{storage}") == 6
    study = optuna.load_study(study_name="icnet-ce-random_0-s0", storage=storage)
    assert [trial.user_attrs["trial"] for trial in study.trials] == [f"{TRIALS[0]}-e2", *TRIALS[:2]]
    assert study.trials[0].state is optuna.trial.TrialState.PRUNED
    assert export(str(out), f"csv:{tmp_path / 'csv'}") == 6


def test_distributions_hold_the_recipes_own_value() -> None:
    space = {
        "training.epochs": "{low=40,high=64}",
        "training.optimizer": '{choices=["sgd","adam"]}',
        "model.width": "{low=0.12,high=0.2,log=true}",
    }
    definition = load("paper", ["search.trials=2", *(f'search.space."{key}"={value}' for key, value in space.items())])
    found = distributions_of(definition)
    for key, distribution in found.items():
        own = definition.recipe.value(key)
        assert distribution.to_external_repr(distribution.to_internal_repr(own)) == own
        optuna.trial.create_trial(value=0.5, params={key: own}, distributions={key: distribution})
    assert isinstance(found["training.epochs"], optuna.distributions.IntDistribution)
    assert found["model.width"].log  # type: ignore[attr-defined]


@pytest.mark.filterwarnings("ignore")  # what MLflow asks of SQLAlchemy
def test_mlflow_reads_runs_with_curves_and_scores(out: Path, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    assert export(str(out), f"mlflow:{uri}") == 5
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(DEFINITION.name)
    assert experiment is not None
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {*TRIALS, FAILED}
    run = runs[TRIALS[1]]
    assert run.data.params["model.width"] == "0.15"
    assert run.data.params["split"] == "random_0"
    assert run.data.metrics["test_dice_ew/bx"] == pytest.approx(dice_of(out, TRIALS[1])["bx"])
    curve = client.get_metric_history(run.info.run_id, "val_loss")
    assert {point.step: point.value for point in curve} == pytest.approx({1: 2, 2: 1, 3: 2 / 3})
    assert [point.timestamp for point in curve] == [STARTED_SECONDS * 1000 + after for after in (2000, 4000, 6000)]
    assert (runs[FAILED].info.status, runs[FAILED].data.tags["error"]) == ("FAILED", "it diverged")
    assert export(str(out), f"mlflow:{uri}") == 0


def test_tensorboard_reads_curves_and_scores(out: Path, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    assert export(str(out), f"tensorboard:{logs}") == 5
    assert {path.name for path in logs.iterdir()} == {*TRIALS, FAILED}
    events = EventAccumulator(str(logs / TRIALS[0])).Reload()
    curve = events.Scalars("loss/validation")
    assert {event.step: event.value for event in curve} == pytest.approx({1: 2, 2: 1, 3: 2 / 3})
    assert [event.wall_time for event in curve] == [STARTED_SECONDS + after for after in (2, 4, 6)]
    (score,) = events.Scalars("test_dice_ew/bx")
    assert (score.step, score.value) == (3, pytest.approx(dice_of(out, TRIALS[0])["bx"], abs=1e-6))
    assert export(str(out), f"tensorboard:{logs}") == 0


def test_csv_is_what_the_tables_are_and_no_spreadsheet_runs_it(out: Path, tmp_path: Path) -> None:
    committed(out, "unet-ce-rot_0-s0-t00", host="=cmd()", objective=math.pi)
    assert export(str(out), f"csv:{tmp_path / 'csv'}") == 6
    found = pd.read_csv(tmp_path / "csv/trials.csv").set_index("trial")
    assert found.loc["unet-ce-rot_0-s0-t00", "objective"] == math.pi
    assert found.loc["unet-ce-rot_0-s0-t00", "host"] == "'=cmd()"
    for name in ("dice", "history", "confusion"):
        expected = pd.read_parquet(out / name)
        assert len(pd.read_csv(tmp_path / f"csv/{name}.csv")) == len(expected)
    with (tmp_path / "csv/trials.csv").open(newline="") as file:
        assert not [cell for row in csv.reader(file) for cell in row if cell.startswith(("=", "@"))]
    assert export(str(out), f"csv:{tmp_path / 'csv'}") == 0


@pytest.mark.filterwarnings("ignore")  # what MLflow asks of SQLAlchemy
@pytest.mark.parametrize(
    "to", ["csv:{}/a", "tensorboard:{}/a", "optuna:sqlite:///{}/study.db", "mlflow:sqlite:///{}/mlflow.db"]
)
def test_trials_of_another_study_with_the_same_names_are_not_passed_over(out: Path, tmp_path: Path, to: str) -> None:
    other, place = tmp_path / "other", to.format(tmp_path)
    Results(other).write_text("study.toml", DEFINITION.to_toml())
    committed(other, TRIALS[3], objective=0.1, data_fingerprint="of other images")
    assert export(str(out), place) == 5
    with pytest.raises(AnalysisError, match=f"holds another study's trial of the name {TRIALS[3]}: name another"):
        export(str(other), place)
    assert export(str(out), place) == 0


def test_csv_is_not_written_over_by_another_study(out: Path, tmp_path: Path) -> None:
    other, place = tmp_path / "other", f"csv:{tmp_path / 'csv'}"
    Results(other).write_text("study.toml", DEFINITION.to_toml())
    committed(other, "unet-ce-rot_0-s0-t00")
    export(str(out), place)
    with pytest.raises(AnalysisError, match="holds another study, and would be written over"):
        export(str(other), place)


def test_what_an_interrupted_export_left_is_not_shown_beside_the_whole_log(out: Path, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    export(str(out), f"tensorboard:{logs}")
    shutil.copytree(logs / TRIALS[0], logs / f".{TRIALS[1]}.unfinished")
    shutil.rmtree(logs / TRIALS[1])
    assert export(str(out), f"tensorboard:{logs}") == 1
    assert len(list((logs / TRIALS[1]).iterdir())) == 1


@pytest.mark.parametrize(
    ("to", "words"),
    [
        ("excel:file", "names no tool and place; give one of: csv:PLACE, a folder"),
        ("csv:", "names no tool and place"),
        ("optuna:nonsense://x", "nonsense://x takes no Optuna study"),
        ("csv:/dev/null/folder", "cannot be written"),
        ("tensorboard:/dev/null/folder", "cannot be written"),
    ],
)
def test_what_cannot_be_written_is_said(out: Path, to: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(out), "--to", to]) == 2
    assert words in capsys.readouterr().err


def test_what_is_no_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AnalysisError, match="holds no study"):
        export(str(tmp_path), f"csv:{tmp_path / 'csv'}")


def test_it_follows_a_study_to_its_end(out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alive = iter([True, True, False])
    monkeypatch.setattr("analysis.export._is_running", lambda results: next(alive))
    added: Iterator[str] = iter(["icnet-ce-random_0-s0-t02", "icnet-ce-rot_0-s0-t02"])
    numbers = list(follow(str(out), f"csv:{tmp_path / 'csv'}", sleep=lambda seconds: committed(out, next(added))))
    assert numbers == [5, 1, 1]
    assert not (out / RUN_FILE).exists()


def test_a_simulated_study_says_so(out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(DEFINITION), "recipe_digest", lambda self: DEFINITION_DIGEST)
    Results(out).write_text("study.toml", DEFINITION.model_copy(update={"simulate": True}).to_toml())
    export(str(out), f"csv:{tmp_path / 'csv'}")
    assert pd.read_csv(tmp_path / "csv/trials.csv")["simulated"].all()
    storage = f"sqlite:///{tmp_path}/study.db"
    export(str(out), f"optuna:{storage}")
    study = optuna.load_study(study_name="icnet-ce-random_0-s0", storage=storage)
    assert all(trial.user_attrs["simulated"] for trial in study.trials)


DEFINITION_DIGEST = DEFINITION.recipe_digest()
