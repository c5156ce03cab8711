"""A search by Dice and cost: the front of every cell, the rule's choice, and what the verdict says of both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_analysis_load import all_classes_shown, commit
from test_analysis_search import make_runs

from analysis.commands import stability
from analysis.load import load
from analysis.report.write import report
from analysis.statistics.catalogue import left_out, topics
from analysis.statistics.costs import trade_off
from analysis.statistics.front import choices, front
from analysis.statistics.material import Material
from analysis.statistics.search import tuning_gain
from analysis.verdict import verdict
from analysis.verdict.of_cost import _amount
from study.definition import file as definition_file
from study.definition.sections import Halving
from study.results import Results

COSTS = [3.0, 1.0, 2.0, 4.0]
OBJECTIVES = [0.60, 0.40, 0.58, 0.50]
WIDTHS = [1.0, 0.25, 0.5, 1.25]


def runs_of(objectives: list[float] = OBJECTIVES, costs: list[float] = COSTS) -> pd.DataFrame:
    """A test Dice is the objective less 0.1, and 0.3 on held-out splits."""

    def dice(split: str, seed: int, index: int, name: str) -> float:
        return objectives[index] - (0.3 if split.startswith("rot") else 0.1)

    runs = make_runs(lambda split, seed, index: objectives[index], dice, splits=["random_0", "random_1", "rot_0"])
    return runs[runs["averaging"] == "ew"].assign(cost=runs["index"].map(dict(enumerate(costs))))


def test_the_front_of_a_cell_and_what_the_rule_takes() -> None:
    found = front(runs_of(), within=0.03)
    assert len(found) == 3 * 3
    first = found[found["split"] == "random_0"]
    assert first["index"].tolist() == [1, 2, 0], "the cheapest first; trial 3 costs more and scores less"
    assert first["chosen"].tolist() == [False, True, False]
    np.testing.assert_allclose(first["below"], [0.2, 0.02, 0])
    np.testing.assert_allclose(first["dice"], [0.3, 0.48, 0.5])


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3)), min_size=4, max_size=4), st.sampled_from([0.0, 0.1]))
def test_every_choice_is_on_the_front(points: list[tuple[int, int]], within: float) -> None:
    objectives, costs = [dice / 10 for dice, _ in points], [float(cost) for _, cost in points]
    found = front(runs_of(objectives, costs), within)
    assert (found.groupby("split")["chosen"].sum() == 1).all()
    expected = [
        index
        for index, (dice, cost) in enumerate(points)
        if not any(d >= dice and c <= cost and (d, c) != (dice, cost) for d, c in points)
    ]
    assert sorted(found.loc[found["split"] == "rot_0", "index"]) == expected


def test_three_choices_beside_each_other() -> None:
    found = choices(runs_of(), within=0.03).set_index("choice")
    assert found["cost"].to_dict() == {"default": 3, "highest": 3, "cheapest": 2}
    assert found["num_splits"].tolist() == [2, 2, 2]
    np.testing.assert_allclose(found["objective"], [0.6, 0.6, 0.58])
    np.testing.assert_allclose(found["dice"], [0.5, 0.5, 0.48])
    np.testing.assert_allclose(found["held_out_dice"], [0.3, 0.3, 0.28])


SEEDS = "grid.seeds=0,1"
BY_COST = ("search.trials=3", 'search.objectives=["dice","gflops"]', "search.within=0.02")


@pytest.fixture
def searched(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study of three points, by Dice and GFLOPs if not by others: the second costs half and scores 0.01 less."""

    settings = ("grid.models=icnet", "grid.losses=ce", "grid.splits=random_0,rot_0")
    definition = definition_file.load("demo", [*settings, *getattr(request, "param", BY_COST)])
    monkeypatch.setattr("test_analysis_load.DEFINITION", definition)
    Results(tmp_path).write_text("study.toml", definition.to_toml())
    measured = {"parameters": 100, "latency_ms_median": 2.0, "train_seconds": 60.0, "device": "GPU"}
    for split in ("random_0", "rot_0"):
        for index, (objective, gflops) in enumerate([(0.5, 1.0), (0.49, 0.5), (0.4, 0.25)]):
            commit(
                tmp_path,
                f"icnet-ce-{split}-s0-t0{index}",
                counted=all_classes_shown,
                objective=objective,
                gflops=gflops,
                **measured,
            )
    return tmp_path


def test_one_candidate_is_chosen_by_validation_for_all_splits(searched: Path) -> None:
    found = trade_off(load(searched).study_facts("a test")).set_index("index")
    assert found["chosen"].to_dict() == {0: False, 1: True, 2: False}
    assert found["objective"].to_dict() == {0: 0.5, 1: 0.49, 2: 0.4}


def test_the_verdict_names_the_choice_and_what_it_saves(searched: Path) -> None:
    (found,) = (each for each in verdict(load(searched)) if "rule choose" in each.question)
    rule, one, each = found.points
    assert rule.endswith("the cheapest whose validation Dice is at most 0.02 below the highest.")
    assert "of 3 candidates that all have tried: icnet ce t01" in one
    assert "0.5 GFLOPs, validation Dice 0.490. The highest: icnet ce t00" in one
    assert "each random split for itself: 0.5 GFLOPs" in each
    assert "by the Dice alone 1 GFLOPs" in each


def test_a_median_is_called_one() -> None:
    assert _amount([0.31, 0.31, 0.31], "gflops") == "0.31 GFLOPs"
    assert _amount([0.31, 0.2, 0.9], "gflops") == "median 0.31 (0.2 to 0.9) GFLOPs"


def test_without_a_validation_score_the_rule_says_that_it_chooses_nothing(searched: Path, tmp_path: Path) -> None:
    measured = {"parameters": 100, "latency_ms_median": 2.0, "train_seconds": 60.0, "device": "GPU", "gflops": 1.0}
    for split in ("random_0", "rot_0"):
        for index in range(3):
            commit(tmp_path, f"icnet-ce-{split}-s0-t0{index}", objective=None, **measured)
    (found,) = (each for each in verdict(load(searched)) if "rule choose" in each.question)
    assert found.points[1] == "Nothing: no trial has a validation score, as no validation sample shows a class."
    assert choices(runs_of().assign(objective=np.nan), within=0.03).empty
    assert 'id="front"' in report(load(searched), tmp_path / "page.html").read_text()


def test_a_candidate_that_lacks_a_seed_is_not_chosen(
    searched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are on as many splits; the cheapest has no trial of the second seed there."""
    two = definition_file.load("demo", ["grid.models=icnet", "grid.losses=ce", "grid.splits=random_0", *BY_COST, SEEDS])
    monkeypatch.setattr("test_analysis_load.DEFINITION", two)
    Results(tmp_path).write_text("study.toml", two.to_toml())
    for path in (tmp_path / "trials").glob("*rot_0*"):
        path.unlink()
    measured = {"parameters": 100, "latency_ms_median": 2.0, "train_seconds": 60.0, "device": "GPU"}
    commit(tmp_path, "icnet-ce-random_0-s1-t00", objective=0.5, gflops=1.0, **measured)
    commit(tmp_path, "icnet-ce-random_0-s1-t02", objective=0.4, gflops=0.25, **measured)
    found = trade_off(load(tmp_path).study_facts("a test")).set_index("index")
    assert found["num_cells"].to_dict() == {0: 2, 1: 1, 2: 2}
    assert found["num_splits"].to_dict() == {0: 1, 1: 1, 2: 1}
    assert found["chosen"].to_dict() == {0: True, 1: False, 2: False}
    (told,) = (each for each in verdict(load(tmp_path)) if "rule choose" in each.question)
    assert "of 2 candidates that all have tried: icnet ce t00" in told.points[1]


def test_with_halving_a_note_says_that_what_is_left_was_chosen(searched: Path, tmp_path: Path) -> None:
    assert set(trade_off(load(searched).study_facts("a test"))["note"]) == {""}
    facts = load(searched).study_facts("a test")
    halved = facts.definition.search.model_copy(update={"halving": Halving()})
    facts = replace(facts, definition=facts.definition.model_copy(update={"search": halved}))
    assert trade_off(facts)["note"].str.contains("only trainings that were among the best of their cells").all()


def test_the_report_draws_the_front(searched: Path, tmp_path: Path) -> None:
    page = report(load(searched), tmp_path / "page.html").read_text()
    assert 'id="front"' in page
    assert "Validation Dice of every trial against GFLOPs per image" in page


def finding(out: Path, words: str) -> str:
    return " ".join(point for each in verdict(load(out)) if words in each.question for point in each.points)


def test_the_verdict_says_whether_tuning_was_worth_it(searched: Path) -> None:
    facts = load(searched).study_facts("a test")
    row = tuning_gain(facts.runs.query("averaging == 'ew'"), 0.25, 0.02).query("`class` == 'mean of classes'").iloc[0]
    said = finding(searched, "Was tuning worth it?")
    assert f"icnet ce: tuned less default {row['gain']:+.3f} on one random split" in said
    assert "halving" not in said
    for path in (searched / "trials").glob("*t0[12].parquet"):
        path.unlink()
    assert finding(searched, "Was tuning worth it?") == ""


HALVED = ("search.halving.rungs=[8,16]", "training.epochs=16", "search.halving.keep=0.5", "search.trials=5")


@pytest.mark.parametrize("searched", [HALVED], indirect=True)
def test_the_verdict_says_what_halving_saved_and_whether_early_ranks_hold(searched: Path) -> None:
    """Three of five trials go on, in each cell: at the end they are as at first on random_0, the other way on rot_0."""
    for split, firsts in (("random_0", (0.3, 0.2, 0.1, 0, 0)), ("rot_0", (0.1, 0.2, 0.3, 0, 0))):
        for index, objective in enumerate(firsts):
            commit(searched, f"icnet-ce-{split}-s0-t0{index}-e8", objective=objective, rung=8)
    said = finding(searched, "Was tuning worth it?")
    assert "trains 64 epochs in a cell, and all its trials to the end would take 80: 20 % are saved" in said
    assert "After 8 epochs" in said
    assert "Mean Kendall's tau 0.00 over 2 cells (1: the same order" in said


def test_tables_of_notes_alone_are_left_out_and_named(searched: Path) -> None:
    """One random split has no shares of a variance, and three points have no importances."""
    scores = load(searched)
    reasons = left_out(Material(scores))
    assert "fewer than" in reasons["Importance of the hyperparameters"]
    shares = "The point against the split: shares of the variance"
    assert reasons[shares]
    answer = stability(scores)
    assert shares not in answer.frames
    assert shares in " ".join(answer.text().split("Left out, as there is nothing to say")[1].split())


@pytest.mark.parametrize("searched", [("search.trials=3",)], indirect=True)
def test_a_search_by_the_dice_alone_has_no_front(searched: Path) -> None:
    scores = load(searched)
    assert "front" not in {topic.id for topic in topics(Material(scores))}
    assert not [each for each in verdict(scores) if "rule choose" in each.question]
