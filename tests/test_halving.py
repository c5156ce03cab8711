"""Successive halving: who goes on, by hand and by an independent rule; whole studies through the real Ray."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_study import assert_same_facts, study

from study.cells import Cell, Outcome, Trial, cells, parse_trial
from study.definition.file import load
from study.definition.point import Point
from study.errors import StudyError
from study.halving import (
    DIVERGED,
    decided_trials,
    ended_before,
    epochs_of_a_cell,
    going_on,
    halving_in_words,
    new_epochs_of,
    num_trials,
    rungs,
    sizes,
    undecided_trials,
)
from study.schedule import Schedule

HALVING = [
    "search.halving={rungs=[4,8,16,32],keep=0.5}",
    "search.trials=8",
    'search.space."model.width"={low=0.25,high=1.5,log=true}',
    "grid.models=icnet",
    "grid.losses=ce",
    "grid.splits=random_0,random_1",
]


def test_rungs_and_sizes() -> None:
    definition = load("paper", HALVING)
    assert rungs(definition) == (4, 8, 16, None)
    assert sizes(definition) == [8, 5, 3, 2]
    assert epochs_of_a_cell(definition) == 8 * 4 + 5 * 4 + 3 * 8 + 2 * 16, "not the 8 x 32 of a full search"
    assert num_trials(definition) == 2 * 18
    said = "of 8 trainings in a cell go on 5 after epoch 4, 3 after epoch 8, 2 after epoch 16. That is 108 epochs"
    assert said in (halving_in_words(definition) or "")
    assert "in place of 256, 58 % fewer" in (halving_in_words(definition) or "")
    assert halving_in_words(load("paper")) is None
    cell = cells(definition)[0]
    assert [new_epochs_of(definition, Trial(cell, 0, rung)) for rung in rungs(definition)] == [4, 4, 8, 16]
    assert new_epochs_of(load("paper"), Trial(cell, 0)) is None
    ten = ["search.halving={rungs=[4,8,16,32],keep=0.3}", "search.trials=10", *HALVING[2:]]
    assert sizes(load("paper", ten)) == [10, 4, 2, 2]


def test_the_documents_examples_are_so() -> None:
    text = (Path(__file__).parent.parent / "docs/how-to/what-to-search.md").read_text()
    for trials in (8, 4):
        settings = ["search.halving={rungs=[4,8,16],keep=0.5}", "training.epochs=16", f"search.trials={trials}"]
        definition = load("paper", [*settings, *HALVING[2:]])
        first, second, third = sizes(definition)
        row = f"| {trials} | {first} | 1 + {second - 1} | 1 + {third - 1} | {first} x 4 + {second} x 4 + {third} x 8 = "
        assert f"{row}{epochs_of_a_cell(definition)} | {trials} x 16 = {trials * 16} |" in text


def test_ids_name_the_rung() -> None:
    trial = Trial(Cell("icnet", "ce", "random_0", 0), 4, 8)
    assert trial.id == "icnet-ce-random_0-s0-t04-e8"
    assert parse_trial(trial.id) == trial
    assert trial.whole_id == Trial(trial.cell, 4).id
    for wrong in ("icnet-ce-random_0-s0-t04-e08", "icnet-ce-random_0-s0-t04-e0", "icnet-ce-random_0-s0-t04-e"):
        with pytest.raises(StudyError):
            parse_trial(wrong)


def test_the_best_go_on_and_the_default_point_always() -> None:
    assert going_on({0: 0.1, 1: 0.5, 2: 0.7, 3: 0.7}, 2) == [0, 2], "of equals the first"
    assert going_on({0: 0.1, 1: 0.5, 2: 0.7, 3: 0.6}, 1) == [0]
    assert going_on({0: None, 1: None, 2: 0.0, 3: 0.3}, 3) == [0, 2, 3], "one without a validation score comes last"
    assert going_on({0: 0.1, 1: None, 2: None, 3: 0.3}, 3) == [0, 1, 3]


@given(st.lists(st.none() | st.floats(0, 1), min_size=1, max_size=12), st.data())
def test_nobody_better_stays_behind(objectives: list[float | None], data: st.DataObject) -> None:
    number = data.draw(st.integers(1, len(objectives)))
    on = going_on(dict(enumerate(objectives)), number)
    assert 0 in on
    assert len(on) == number
    behind = [index for index in range(len(objectives)) if index not in on]
    for one in behind:
        for other in on:
            if other:
                assert (objectives[other] or -1.0) >= (objectives[one] or -1.0) or objectives[one] is None


def test_a_rung_is_decided_when_the_one_below_is_complete() -> None:
    definition = load("paper", HALVING)
    one, other = cells(definition)
    known: dict[Trial, float | None] = {Trial(one, index, 4): index / 10 for index in range(7)}
    assert len(decided_trials(definition, known)) == 16
    assert len(undecided_trials(definition, known)) == 20
    known[Trial(one, 7, 4)] = DIVERGED
    decided = decided_trials(definition, known)
    assert [trial for trial in decided if trial.epochs == 8] == [Trial(one, index, 8) for index in (0, 3, 4, 5, 6)]
    assert all(trial.epochs == 4 for trial in decided if trial.cell == other)
    assert len(decided) + len(undecided_trials(definition, known)) == 36


def test_what_diverged_does_not_go_on() -> None:
    """Of eight trials five are to go on, and three diverged at the first rung, the default point's among them."""
    assert going_on({0: DIVERGED, 1: DIVERGED, 2: 0.0, 3: None}, 3) == [2, 3]
    definition = load("paper", HALVING)
    one, _ = cells(definition)
    known: dict[Trial, float | None] = {Trial(one, i, 4): DIVERGED if i in (0, 1, 2, 5) else i / 10 for i in range(8)}
    decided = [trial for trial in decided_trials(definition, known) if trial.cell == one]
    assert [trial.index for trial in decided if trial.epochs == 8] == [3, 4, 6, 7]
    ahead = [trial for trial in undecided_trials(definition, known) if trial.cell == one]
    assert [trial.epochs for trial in ahead] == [16] * 3 + [None] * 2
    known[Trial(one, 3, 8)] = known[Trial(one, 4, 8)] = DIVERGED
    ahead = [trial for trial in undecided_trials(definition, known) if trial.cell == one]
    assert [trial.epochs for trial in ahead] == [16] * 2 + [None] * 2, "two are left"
    everywhere = {Trial(one, index, 4): DIVERGED for index in range(8)}
    assert {trial.epochs for trial in decided_trials(definition, everywhere) if trial.cell == one} == {4}
    assert not [trial for trial in undecided_trials(definition, everywhere) if trial.cell == one]


def test_a_cell_in_which_all_diverge_ends() -> None:
    definition = load("paper", [*HALVING[:-1], "search.startup=8", "grid.splits=random_0"])
    schedule = Schedule(definition, {})
    for _ in range(8):
        handed_out = schedule.next()
        assert handed_out
        schedule.complete(handed_out[0], None, diverged=True)
    assert schedule.exhausted


def test_a_trial_that_halving_has_not_chosen_changes_nothing() -> None:
    """Somebody has run one of the second rung by itself: who goes on is decided all the same, and the study ends."""
    definition = load("paper", [*HALVING[:-1], "search.startup=8", "grid.splits=random_0"])
    (cell,) = cells(definition)
    stray = Trial(cell, 2, 8)
    schedule, done = Schedule(definition, {stray: Outcome(definition.default_point, 0.9)}), []
    while handed_out := schedule.next():
        done.append(handed_out[0])
        schedule.complete(handed_out[0], handed_out[0].index / 10)
    assert schedule.exhausted
    assert [sum(trial.epochs == rung for trial in done) for rung in rungs(definition)] == [8, 5, 3, 2]
    assert stray not in done


def test_which_trials_halving_has_ended() -> None:
    definition = load("paper", HALVING)
    one, other = cells(definition)
    known: dict[Trial, float | None] = {Trial(one, i, 4): DIVERGED if i == 7 else i / 10 for i in range(8)}
    assert not ended_before(definition, Trial(one, 6, 8), known)
    assert not ended_before(definition, Trial(one, 6, None), known), "may yet come so far"
    assert ended_before(definition, Trial(one, 1, 8), known)
    assert ended_before(definition, Trial(one, 1, None), known)
    assert ended_before(definition, Trial(one, 7, 16), known), "it diverged"
    assert not ended_before(definition, Trial(one, 7, 4), known)
    assert not ended_before(definition, Trial(other, 1, 8), known), "nothing is known of this cell"


@given(st.randoms(use_true_random=False))
def test_any_order_of_ends_hands_out_the_same_trials_at_the_same_points(random) -> None:
    definition = load("paper", [*HALVING, "search.startup=8"])
    score = {(cell, index): (hash((cell.split, index)) % 97) / 97 for cell in cells(definition) for index in range(8)}
    schedule, running, seen = Schedule(definition, {}), [], {}
    while True:
        while handed_out := schedule.next():
            running.append(handed_out[0])
            seen[handed_out[0]] = handed_out[1]
        if not running:
            break
        trial = running.pop(random.randrange(len(running)))
        schedule.complete(trial, score[trial.cell, trial.index])
    assert schedule.exhausted
    known = {trial: score[trial.cell, trial.index] for trial in seen}
    assert set(seen) == set(decided_trials(definition, known))
    assert len(seen) == 36
    for trial, point in seen.items():
        assert point == seen[Trial(trial.cell, trial.index, 4)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["search.halving={rungs=[4,8]}"], r"search.halving.rungs: the last must be training.epochs, 32, and is 8"),
        (["search.halving={rungs=[8,4,32]}"], "must rise"),
        (["search.halving={rungs=[32]}"], "rungs"),
        (["search.trials=1"], "nothing to choose from"),
        (["search.trials=2"], "of 2 trials none would end early"),
        (["search.halving={rungs=[4,32],keep=0.99}", "search.trials=3"], "of 3 trials none would end early"),
        (['search.space."training.epochs"={low=8,high=64}'], "cannot be searched"),
    ],
)
def test_what_cannot_be_is_refused(settings: list[str], message: str) -> None:
    changed = [each for each in HALVING if each.split("=")[0] not in {s.split("=")[0] for s in settings}]
    with pytest.raises(StudyError, match=message):
        load("paper", [*changed, *settings])


REAL = (
    *("--set", "search.halving={rungs=[1,2,4],keep=0.5}", "--set", "training.epochs=4"),
    *("--set", "grid.losses=ce"),
)


@pytest.mark.slow
def test_what_goes_on_has_the_bits_of_a_whole_training(definition: Path, tmp_path: Path) -> None:
    """The study with halving, interrupted and gone on with, one trial made again alone, beside one that trains all."""
    halved, whole = tmp_path / "halved", tmp_path / "whole"
    done = study("run", definition, "--out", halved, *REAL)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = pd.read_parquet(halved / "trials")
    assert rows.groupby("split").size().tolist() == [9, 9]
    assert rows["rung"].fillna(4).value_counts().to_dict() == {1: 8, 2: 6, 4: 4}
    assert not list((halved / "checkpoints").glob("*.pt"))
    settings = ("--set", "training.epochs=4", "--set", "grid.losses=ce", "--set", "search.startup=4")
    assert study("run", definition, "--out", whole, *settings).returncode == 0
    default = "icnet-ce-random_0-s0-t00"
    for table in ("dice", "confusion", "history"):
        ours, theirs = (
            pd.read_parquet(out / table / f"{default}.parquet").drop(columns="seconds", errors="ignore")
            for out in (halved, whole)
        )
        pd.testing.assert_frame_equal(ours, theirs)
    rung = pd.read_parquet(halved / "history" / f"{default}-e2.parquet").drop(columns=["seconds", "trial"])
    full = pd.read_parquet(whole / "history" / f"{default}.parquet").drop(columns=["seconds", "trial"])
    pd.testing.assert_frame_equal(rung, full[:2])
    rungs_of = {each.split("-e")[0] for each in rows.loc[rows["rung"] == 2, "trial"]}
    ended = next(f"icnet-ce-random_0-s0-t0{i}" for i in range(4) if f"icnet-ce-random_0-s0-t0{i}" not in rungs_of)
    refused = study("trial", ended, definition, "--out", halved, *REAL)
    assert refused.returncode == 2
    assert f"{ended} is not a trial of this study, as search.halving has ended" in refused.stderr
    again = study("trial", f"{default}-e2", definition, "--out", halved, *REAL)
    assert "the same tables, bit for bit" in again.stdout, again.stdout + again.stderr


@pytest.mark.slow
def test_it_is_the_same_study_however_it_is_interrupted(definition: Path, tmp_path: Path) -> None:
    at_once, bit_by_bit = tmp_path / "at once", tmp_path / "bit by bit"
    simulated = ("--set", "simulate=true", *REAL)
    assert study("run", definition, "--out", at_once, *simulated).returncode == 0
    assert study("run", definition, "--out", bit_by_bit, *simulated, "--set", "grid.splits=rot_0").returncode == 0
    committed = bit_by_bit / "trials"
    for lost in {*committed.glob("*-e2.parquet"), *committed.glob("*t01*.parquet")}:
        lost.unlink()
    planned = study("plan", definition, "--out", bit_by_bit, *simulated, "--json")
    states = json.loads(planned.stdout)
    assert states["undecided"] == 2 * (3 + 2)
    done = study("run", definition, "--out", bit_by_bit, *simulated, "--set", "resources.workers=1")
    assert done.returncode == 0, done.stdout
    assert_same_facts(at_once, bit_by_bit)
    status = study("status", at_once, "--json")
    assert (json.loads(status.stdout)["done"], json.loads(status.stdout)["total"]) == (18, 18)
    grown = study("run", definition, "--out", at_once, *simulated, "--set", "search.trials=6")
    assert grown.returncode == 2
    assert "search.trials: 4 there, 6 here" in grown.stderr


def test_a_rung_that_nobody_chose_keeps_no_study_from_its_end() -> None:
    """`study trial` runs any of them. It is in the way of none."""
    definition = load("paper", [*HALVING[:-1], "grid.splits=random_0", "search.startup=8"])
    (cell,) = cells(definition)
    first, second, *_ = rungs(definition)
    judged = {Trial(cell, index, first): 0.9 - index / 10 for index in range(8)}
    stray = Trial(cell, 7, second)
    assert stray not in decided_trials(definition, judged)
    point = Point({"model.width": 0.5})
    schedule = Schedule(definition, {trial: Outcome(point, judged.get(trial, 1.0)) for trial in (*judged, stray)})
    done = []
    while handed_out := schedule.next():
        done.append(handed_out[0])
        schedule.complete(handed_out[0], 0.5)
    assert schedule.exhausted
    assert [sum(trial.epochs == rung for trial in done) for rung in rungs(definition)] == [0, 5, 3, 2]
