"""A network trained on all images: by what it is trained, that it is pure, and that no score knows of it."""

from __future__ import annotations

import errno
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from small_study import study as command
from small_study import write_definition

from analysis.export.kept import read_kept
from analysis.load import SELECTIONS
from analysis.load import load as load_scores
from study.cells import Cell, Trial, names_a_refit, parse_trial, trials
from study.commands.export import export
from study.commands.status import status
from study.commands.trial import trial
from study.definition.file import load
from study.definition.point import Point
from study.errors import StudyError
from study.export import refit as refit_module
from study.export.choice import choose
from study.export.refit import refuse_diverged, train_refit
from study.prepare import Prepared, prepare
from study.results import CHECKPOINTS, Results, tables
from study.results.digests import Row
from study.results.kept import read_committed, read_refits
from study.results.layout import WEIGHTS
from study.results.weights import file_of, remove_beaten
from study.splits.everything import everything
from trainers.outcome import Epoch
from trainers.train import Diverged, Job, train
from trainers.weights import facts_in

CELL = Cell("icnet", "ce", "random_0", 0)
REFIT = Trial(CELL, 1, 3, is_refit=True)
NAME = "icnet-ce-random_0-s0-t01-refit-e3"


def test_its_id_names_the_trial_that_it_is_trained_as() -> None:
    assert REFIT.id == NAME
    assert parse_trial(NAME) == REFIT
    assert REFIT.of_grid == Trial(CELL, 1)
    assert REFIT.whole_id == "icnet-ce-random_0-s0-t01-refit"
    assert names_a_refit(NAME)
    ordinary = ("icnet-ce-random_0-s0-t01", "icnet-ce-random_0-s0-t01-e3", "refit-refit-refit-s0-t01-e3", "anything")
    assert not any(map(names_a_refit, ordinary))
    assert sorted([REFIT, Trial(CELL, 2), Trial(CELL, 1), Trial(CELL, 1, 3)])[2] == REFIT


@pytest.mark.parametrize("wrong", ["-refit", "-refit-e0", "-refit-e03", "-e3-refit", "-refit-refit-e3"])
def test_what_is_no_id_of_one(wrong: str) -> None:
    with pytest.raises(StudyError, match="is not a trial's id"):
        parse_trial(f"icnet-ce-random_0-s0-t01{wrong}")


# By what it is trained

SPLITS = "grid.splits=random_0,random_1,random_2,rot_0"
DEFINITION = load("demo", ["grid.models=icnet,unet", "grid.losses=ce", SPLITS, "search.trials=2"])


def told(objective: float, epoch: int, point: str = "{}") -> Row:
    return {"status": "completed", "objective": objective, "selected_epoch": epoch, "point": point}


def rows_of(*epochs: int) -> dict[Trial, Row]:
    """The tuned trials of icnet on random_0, random_1, ... chose these epochs, those of random_1 and index 1 are best;
    all others chose epoch 1."""
    rows = {trial: told(0.5, 1) for trial in trials(DEFINITION)}
    for number, epoch in enumerate(epochs):
        best = Trial(Cell("icnet", "ce", f"random_{number}", 0), 1)
        rows[best] = told(0.8 if number == 1 else 0.6, epoch)
    return rows | {Trial(Cell("icnet", "ce", "rot_0", 0), 1): told(0.9, 2)}


@pytest.mark.parametrize(("epochs", "median"), [((3, 9, 4), 4), ((7, 1, 8), 7), ((5, 5, 5), 5)])
def test_the_epochs_are_the_median_of_the_tuned_trials(epochs: tuple[int, ...], median: int) -> None:
    """On random splits, of this configuration, whichever split was the best."""
    found = choose(DEFINITION, rows_of(*epochs), model="icnet", refit=True)
    assert found.trials == (Trial(Cell("icnet", "ce", "random_1", 0), 1, median, is_refit=True),)
    assert "the point of icnet-ce-random_1-s0-t01, chosen of icnet ce by validation Dice" in found.why
    assert found.why.endswith(
        f"{median} epochs, the median of those that had the lowest validation loss in 3 tuned trials"
    )


def test_of_two_in_the_middle_it_is_the_later_and_what_is_missing_is_told() -> None:
    rows = rows_of(3, 8)
    del rows[Trial(Cell("icnet", "ce", "random_2", 0), 0)], rows[Trial(Cell("icnet", "ce", "random_2", 0), 1)]
    del rows[Trial(Cell("icnet", "ce", "rot_0", 0), 0)], rows[Trial(Cell("unet", "ce", "random_2", 0), 0)]
    found = choose(DEFINITION, rows, model="icnet", refit=True)
    assert found.trials[0].epochs == 8
    assert found.why.endswith("in 2 tuned trials. The study was not finished; missing on random splits: 2 trials")


def test_the_default_point_is_called_so() -> None:
    rows = {trial: told(0.5 - trial.index / 10, 2) for trial in trials(DEFINITION)}
    found = choose(DEFINITION, rows, model="unet", refit=True)
    assert found.trials == (Trial(Cell("unet", "ce", "random_0", 0), 0, 2, is_refit=True),)
    assert "the point of unet-ce-random_0-s0-t00 (the default one)" in found.why


def test_where_epochs_are_searched_it_takes_no_more_than_its_point_has() -> None:
    space = 'search.space={"training.epochs"={low=2,high=20}}'
    definition = load("demo", ["grid.models=icnet", "grid.losses=ce", SPLITS, "search.trials=2", space])
    rows = {trial: told(0.5, 9, '{"training.epochs": 12}') for trial in trials(definition)}
    rows[Trial(CELL, 1)] = told(0.9, 3, '{"training.epochs": 4}')
    found = choose(definition, rows, refit=True)
    assert found.trials == (Trial(CELL, 1, 4, is_refit=True),)
    assert "for 4 epochs, the median of those that had the lowest validation loss in 3 tuned trials, 9" in found.why


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"trial": "icnet-ce-rot_0-s0-t00"}, "leave --model, --loss, --ensemble and --refit out"),
        ({"model": "icnet", "ensemble": True}, "leave one of the two out"),
        ({}, "2 configurations are meant"),
        ({"trial": NAME, "refit": False}, "--refit, in place of --trial, hands it over"),
    ],
)
def test_what_is_refused(how: dict[str, Any], words: str) -> None:
    with pytest.raises(StudyError, match=words):
        choose(DEFINITION, rows_of(1, 2, 3), **{"refit": True} | how)


def test_without_a_validation_score_there_is_no_point_to_take() -> None:
    rows = {trial: told(0.5, 1) | {"objective": None} for trial in trials(DEFINITION)}
    with pytest.raises(StudyError, match="no trial of unet ce has a validation score"):
        choose(DEFINITION, rows, model="unet", refit=True)


# How it is trained


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    settings = ["grid.losses=ce", "training.epochs=4", "training.early_stopping=1"]
    return prepare(load(str(write_definition(tmp_path_factory.mktemp("set"))), settings))


def test_the_split_leaves_no_sample_out(study: Prepared) -> None:
    samples = study.source.samples
    split = study.split_of(REFIT)
    assert split == everything(replace(samples, rows=samples.rows[::-1]))
    assert split.train == tuple(sorted(row.id for row in samples.rows))
    assert (split.name, split.kind, split.axis, split.val, split.test) == ("all", "all", None, (), ())
    fewer = everything(replace(samples, rows=samples.rows[1:]))
    assert fewer.fingerprint not in (split.fingerprint, study.splits["random_0"].fingerprint)
    assert study.split_of(REFIT.of_grid) == study.splits["random_0"]


def test_it_is_trained_before_every_background(study: Prepared) -> None:
    """A split trains before some of them: the others are kept for validation and tests."""
    source: Any = study.source
    seen = {}
    for one in (REFIT, REFIT.of_grid):
        split = study.split_of(one)
        cleared = replace(source, coverage_NHW=np.zeros_like(source.coverage_NHW))  # no object is in the way
        shades = [np.full((24, 24, 3), 40 * place, np.uint8) for place in range(len(source.views))]
        plain = replace(cleared, backgrounds=tuple(shades), objects_NHWC=np.zeros_like(source.objects_NHWC))
        images = plain.for_training(split, split.train * 20, np.random.default_rng(0))
        seen[one] = {int(image_HWC.mean()) for image_HWC, _ in images}
    assert seen[REFIT] == {40 * place for place in range(5)}
    assert seen[REFIT.of_grid] < seen[REFIT]


def job_of(study: Prepared, **changes: Any) -> Job:
    return replace(Job("icnet", "ce", study.definition.recipe, purpose=(0, "a refit"), epochs=3), **changes)


def bits(weights: dict[str, torch.Tensor]) -> list[bytes]:
    return [tensor.numpy().tobytes() for tensor in weights.values()]


def test_without_validation_it_is_the_same_training_and_its_last_weights_count(study: Prepared) -> None:
    """Also where it would have ended early; and from every epoch on."""
    validated, blind, states = [], [], []
    split = study.splits["random_0"]
    train(job_of(study), study.source, split, lambda epoch, state: validated.append((epoch, bits(state()["weights"]))))

    def note(epoch: Any, state: Any) -> None:
        blind.append((epoch, bits(state()["weights"])))
        states.append({name: _copied(value) for name, value in state().items()})

    job = job_of(study)
    done = train(job, study.source, replace(split, val=()), note)
    assert done.selected_epoch == len(blind) == 3
    assert bits(done.model.state_dict()) == blind[-1][1]
    for (epoch, weights), (other, same) in zip(validated, blind, strict=False):
        assert weights == same
        assert (epoch.train_loss, epoch.learning_rate) == (other.train_loss, other.learning_rate)
        assert (other.val_loss, other.objective) == (None, None)
    for state in states:
        again = train(job, study.source, replace(split, val=()), resume=state)
        assert bits(again.model.state_dict()) == blind[-1][1]
        assert again.selected_epoch == 3


def _copied(value: Any) -> Any:
    return (
        {k: _copied(v) for k, v in value.items()}
        if isinstance(value, dict)
        else (value.clone() if isinstance(value, torch.Tensor) else value)
    )


def test_weights_that_are_no_numbers_are_seen_without_validation(
    study: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss of the last step is that of the weights before it."""
    monkeypatch.setattr("trainers.train._are_finite", lambda network: False)
    split = replace(study.splits["random_0"], val=())
    with pytest.raises(Diverged, match="a weight became NaN or infinite at epoch 1, after step"):
        train(job_of(study), study.source, split)


# What it leaves


@pytest.fixture
def out(tmp_path: Path, study: Prepared) -> Results:
    """With the row and the history of the trial that the refit is trained as: enough to know how long that took."""
    results = Results(tmp_path / "out")
    cost = {"train_seconds": 2.4, "device": "cpu"}
    epochs = [Epoch(epoch, 1.0, 1.0, 0.5, 0.001, 0.1) for epoch in (1, 2)]
    results.commit(tables.completed(tables.Run(study, REFIT.of_grid, POINT), cost, epochs, 2, {}))
    return results


POINT = Point({"model.width": 0.25, "augmentation.strength": 1.0})


def committed_row(results: Results, study: Prepared) -> Row:
    return read_committed(results, study.definition).rows[REFIT.of_grid]


def test_its_row_and_weights_stay_and_are_of_no_trial(out: Results, study: Prepared) -> None:
    before, said = read_committed(out, study.definition), list[str]()
    row, weights = train_refit(study, out, REFIT, committed_row(out, study), said.append)
    assert said == [
        f"{NAME} is trained on all 36 images for 3 epochs: about "
        f"{round(2.4 / (2 * before.rows[REFIT.of_grid]['num_train']) * 36 * 3)} s, by the pace of "
        f"{REFIT.of_grid.id} on cpu."
    ]
    assert read_committed(out, study.definition) == before
    kept = read_refits(out, study.definition)
    assert list(kept.rows) == [REFIT]
    facts = ("trial", "split", "split_kind", "axis", "seed", "index", "rung", "status", "selected_epoch", "objective")
    assert tuple(row[name] for name in facts) == (NAME, "all", "all", None, 0, 1, 3, "completed", 3, None)
    assert (row["num_train"], row["num_val"], row["num_test"]) == (36, 0, 0)
    assert row["split_fingerprint"] == everything(study.source.samples).fingerprint
    assert row["point"] == POINT.to_json()
    assert weights is not None
    assert weights.content == out.read_bytes(file_of(REFIT))
    assert facts_in(weights.content)["trial"] == NAME
    assert [out.names(name, NAME + ".parquet") for name in ("dice", "confusion", "masks")] == [[], [], []]
    assert out.read_trial("history", NAME)["epoch"].to_pylist() == [1, 2, 3]
    assert out.names(CHECKPOINTS, ".pt") == []
    remove_beaten(out, study.definition, before.rows)
    assert out.names(WEIGHTS, ".safetensors") == [f"{NAME}.safetensors"]


def test_one_that_diverged_is_a_result(out: Results, study: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    def diverges(*_: Any) -> Any:
        raise Diverged("the training loss became nan at epoch 1, step 2")

    monkeypatch.setattr("trainers.train.train", diverges)
    row, weights = train_refit(study, out, REFIT, committed_row(out, study), lambda line: None)
    assert weights is None
    assert read_refits(out, study.definition).rows[REFIT]["error"] == row["error"]
    with pytest.raises(
        StudyError, match=r"-refit-e3 diverged: the training loss became nan at epoch 1, step 2\. Train"
    ):
        refuse_diverged(row)


def full_disk(out: Results, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    """From now on nothing can be written to a folder of OUT."""
    write = out._write

    def refuse(name: str, content: bytes) -> None:
        if name.startswith(folder):
            raise OSError(errno.ENOSPC, "No space left on device")
        write(name, content)

    monkeypatch.setattr(out, "_write", refuse)


def test_a_full_disk_is_found_before_the_training(
    out: Results, study: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_disk(out, monkeypatch, "")
    monkeypatch.setattr(refit_module, "trained", None)
    with pytest.raises(StudyError, match=r"cannot be written there: .*No space left on device"):
        train_refit(study, out, REFIT, committed_row(out, study), lambda line: None)


def test_what_a_full_disk_does_not_take_in(out: Results, study: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    """The network is handed over without a copy in OUT, but not without its row."""
    like, said = committed_row(out, study), list[str]()
    full_disk(out, monkeypatch, "trials/")
    with pytest.raises(StudyError, match=f"{NAME} is trained, and cannot be kept there: No space left on device"):
        train_refit(study, out, REFIT, like, said.append)
    assert read_refits(out, study.definition).rows == {}
    monkeypatch.undo()
    full_disk(out, monkeypatch, "weights/")
    epochs: list[int] = []
    _, weights = train_refit(study, out, REFIT, like, said.append, lambda epoch: epochs.append(epoch.epoch))
    assert epochs == [], "it went on from the last epoch, which was kept"
    assert weights is not None
    assert said[-1].startswith("Weights not kept: ")


# The commands


@pytest.mark.slow
def test_the_command_trains_once_and_the_study_stays_what_it_was(
    undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, model, said = Path(shutil.copytree(undisturbed, tmp_path / "out")), tmp_path / "model", list[str]()
    done = command("export", out, "--refit", "--loss", "ce", "--to", model)
    assert done.returncode == 0, done.stderr
    assert "is trained on all 36 images for 2 epochs" in done.stderr
    card, text = json.loads((model / "model_card.json").read_text()), (model / "README.md").read_text()
    (name,) = (member["trial"] for member in card["members"])
    assert names_a_refit(name)
    row = pd.read_parquet(out / "trials" / f"{name}.parquet").iloc[0]
    source = pd.read_parquet(undisturbed / "trials" / f"{parse_trial(name).of_grid.id}.parquet").iloc[0]
    assert (row["point"], row["num_train"], row["selected_epoch"]) == (source["point"], 36, 2)
    assert card["selection"] == "tuned"
    assert "**Not measured on this very network: it was trained on all 36 images, and none was left to test" in text
    assert f"* `{name}`: all 36 images, 2 epochs, on {row['device']}" in text
    assert "Its own validation Dice" not in text
    expected = load_scores(undisturbed, "tuned").table
    of_mean = expected[(expected["split_kind"] == "random") & (expected["averaging"] == "ew")]
    of_mean = of_mean[(of_mean["loss"] == "ce") & of_mean["class"].isin(["mug", "pen"])]
    assert card["expected"]["mean"] == pytest.approx(of_mean["dice"].mean())

    monkeypatch.setattr("study.commands.export.write_card", lambda *_: None)  # asks another process, which takes time
    merged = Path(shutil.copytree(undisturbed, tmp_path / "merged"))
    shutil.copytree(out, merged, dirs_exist_ok=True)
    export(str(merged), str(tmp_path / "again"), said.append, loss="ce", refit=True)
    assert said == [], "it was there"
    (out / f"weights/{name}.safetensors").unlink()
    export(str(out), str(tmp_path / "third"), said.append, loss="ce", refit=True)
    assert [line.partition(". ")[0] for line in said] == [f"The network of {name} is not kept, and made again"]
    assert len({(tmp_path / each / "model.safetensors").read_bytes() for each in ("model", "again", "third")}) == 1
    for select in SELECTIONS:
        pd.testing.assert_frame_equal(load_scores(merged, select).table, load_scores(undisturbed, select).table)
    assert list(read_kept(str(merged)).rows) == list(read_kept(str(undisturbed)).rows)
    assert status(str(merged)).to_json() == status(str(undisturbed)).to_json() | {"refits": [name]}

    definition = load(str(out / "study.toml"))
    audited = trial(name, definition, str(out))
    assert (audited.outcome, audited.differing, audited.test_scores) == ("reproduced", [], [])
    other = name.replace("-e2", "-e1")
    with pytest.raises(StudyError, match=f"--out has no {other}: `study export OUT --refit` makes"):
        trial(other, definition, str(out))
    with pytest.raises(StudyError, match="its recipe has 2 epochs"):
        trial(name.replace("-e2", "-e3"), definition, None)
