"""A search by Dice and a cost: what TPE is told, which trial is the tuned one, and the same study in any order."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_study import assert_same_facts, study

from analysis.load import load as load_scores
from study.cells import Outcome, cells
from study.definition.file import load
from study.errors import StudyError
from study.search import suggest
from study.selection import best_by_validation

WIDTH = ['search.space."model.width"={low=0.25,high=1.5,log=true}', "search.trials=40", "search.startup=8"]
WITH_COST = [*WIDTH, 'search.objectives=["dice","gflops"]']


def test_points_go_where_dice_is_bought_cheaply() -> None:
    """The Dice does not depend on the width; the cost does: TPE tells, and without a cost it cannot."""

    def mean_width(settings: list[str]) -> float:
        definition, outcomes = load("paper", settings), []
        cell = cells(definition)[0]
        for index in range(40):
            point = suggest(definition, cell, index, outcomes)
            outcomes.append(Outcome(point, 0.5 + 0.001 * (index % 3), float(point["model.width"]) ** 2))
        return sum(float(each.point["model.width"]) for each in outcomes[8:]) / 32

    assert mean_width(WITH_COST) < 0.75 * mean_width(WIDTH)


def test_a_trial_that_diverged_is_no_result() -> None:
    definition = load("paper", WITH_COST)
    cell = cells(definition)[0]
    outcomes = [Outcome(suggest(definition, cell, index, []), None, None) for index in range(8)]
    assert suggest(definition, cell, 8, outcomes) == suggest(definition, cell, 8, outcomes)


def test_the_tuned_trial_is_the_cheapest_within_reach() -> None:
    trials = [("a", 0, 0.80, 5.0), ("a", 1, 0.79, 1.0), ("a", 2, 0.795, 1.0), ("a", 3, 0.5, 0.1), ("b", 0, None, 1.0)]
    assert best_by_validation(trials) == {"a": 0}
    assert best_by_validation(trials, within=0.02) == {"a": 2}, "of equally cheap ones the better"
    assert best_by_validation(trials, within=1.0) == {"a": 3}


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 9)), min_size=1, max_size=9), st.floats(0, 0.5))
def test_nothing_within_reach_is_cheaper(judged: list[tuple[float, float]], within: float) -> None:
    chosen = best_by_validation([("a", i, dice, cost) for i, (dice, cost) in enumerate(judged)], within)["a"]
    best = max(dice for dice, _ in judged)
    near = [cost for dice, cost in judged if -dice <= -best + within]
    assert judged[chosen][1] == min(near)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (['search.objectives=["gflops"]'], '"dice" and then a cost'),
        (['search.objectives=["dice","dice"]'], '"dice" and then a cost'),
        (['search.objectives=["dice","watts"]'], "'watts' is not one of dice, gflops, parameters, latency"),
        (["search.within=0.1"], "does nothing without a cost"),
    ],
)
def test_what_cannot_be_is_refused(settings: list[str], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        load("paper", [*WIDTH, *settings])


@pytest.mark.slow
def test_a_study_by_two_objectives_is_the_same_however_it_is_run(definition: Path, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    settings = ("simulate=true", "grid.losses=ce", 'search.objectives=["dice","gflops"]', "search.within=0.05")
    words = [word for setting in settings for word in ("--set", setting)]
    done = study("run", definition, "--out", one, *words, "--set", "search.trials=6")
    assert done.returncode == 0, done.stdout + done.stderr
    assert study("run", definition, "--out", other, *words, "--set", "search.trials=3").returncode == 0
    more = (*words, "--set", "search.trials=6", "--set", "resources.workers=1")
    assert study("run", definition, "--out", other, *more).returncode == 0
    assert_same_facts(one, other)
    chosen = set(load_scores(str(one), select="tuned").facts.chosen)
    for _, cell in pd.read_parquet(one / "trials").groupby("split"):
        near = cell[cell["objective"] >= cell["objective"].max() - 0.05]
        assert len(near) < len(cell)
        (tuned,) = chosen & set(cell["trial"])
        assert cell.set_index("trial").loc[tuned, "gflops"] == near["gflops"].min()
