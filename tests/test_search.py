"""The search as a function, and the schedule's promise: no order of completion changes a point."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from study.cells import Cell, Outcome, Point, Trial, cells
from study.definition import Definition, Search
from study.definition_file import load
from study.schedule import Schedule
from study.search import expected_width, needs_results, suggest

SEARCH = Search(trials=12, startup=4)
CELL = Cell("icnet", "ce", "random_0", 0)


def objective_of(trial: Trial, point: Point) -> float | None:
    """A stand-in for training: a smooth function of the point, and now and then a divergence."""
    if (hash_ := len(trial.id) + trial.index * 7 + len(trial.cell.split)) % 9 == 0:
        return None
    return 1 - (math.log(point.width) + 0.2) ** 2 - (point.strength - 0.7) ** 2 + 0.01 * (hash_ % 5)


def run_in_any_order(definition: Definition, draw, committed=None, stop_after: int | None = None):
    """Finish the schedule's trials in an order that `draw` picks, up to three at a time."""
    known = dict(committed or {})
    schedule, running = Schedule(definition, known), []
    while not schedule.exhausted or running:
        started = schedule.next() if len(running) < 3 else None
        if started:
            running.append(started)
        if running and (not started or draw(2)):
            trial, point = running.pop(draw(len(running)))
            outcome = Outcome(point, objective_of(trial, point))
            schedule.complete(trial, outcome.objective)
            known[trial] = outcome
            if stop_after is not None and len(known) >= stop_after:
                return known
    return known


SMALL = load("demo", ["grid.models=icnet", "grid.splits=random_0,rot_0", "search.trials=8", "search.startup=4"])


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 31))
def test_any_order_and_any_interruption_give_the_same_points(seed: int, stop: int) -> None:
    in_order = run_in_any_order(SMALL, lambda n: 0)
    shuffled = run_in_any_order(SMALL, np.random.default_rng(seed).integers)
    assert shuffled == in_order
    interrupted = run_in_any_order(SMALL, np.random.default_rng(seed + 1).integers, stop_after=stop)
    assert run_in_any_order(SMALL, np.random.default_rng(seed + 2).integers, committed=interrupted) == in_order


def test_a_larger_definition_adds_and_changes_nothing() -> None:
    small = run_in_any_order(SMALL, lambda n: 0)
    larger = load(
        "demo", ["grid.models=icnet", "grid.splits=random_0,random_1,rot_0", "search.trials=10", "search.startup=4"]
    )
    grown = run_in_any_order(larger, lambda n: 0, committed=small)
    assert grown == run_in_any_order(larger, lambda n: 0)
    assert {trial: grown[trial] for trial in small} == small


def test_startup_points_are_common_and_start_with_the_default() -> None:
    points = {
        cell: [suggest(SEARCH, 0, cell, index, []) for index in range(SEARCH.startup)] for cell in cells(load("paper"))
    }
    assert len({tuple(each) for each in points.values()}) == 1
    first = next(iter(points.values()))
    assert first[0] == Point(1.0, 1.0)
    assert len(set(first)) == SEARCH.startup


def test_startup_points_cover_the_box_evenly() -> None:
    """A Halton sequence of 144 = 16 x 9 consecutive points has exactly one point in every cell of a 16 x 9 grid;
    the shift on the torus moves the cells along."""
    search = Search(startup=2000, width=(0.25, 4.0), strength=(0.0, 1.5))
    points = np.array([suggest(search, 7, CELL, index, []) for index in range(1, 145)])
    u = (np.log(points[:, 0]) - math.log(0.25)) / math.log(16)
    v = points[:, 1] / 1.5
    for values in (u, v):
        counts, _ = np.histogram(values, bins=4, range=(0, 1))
        assert counts.min() >= 34
        assert counts.max() <= 38


@given(st.integers(0, 2**40), st.integers(1, 500))
def test_points_stay_in_the_box(study_seed: int, index: int) -> None:
    point = suggest(Search(startup=1000), study_seed, CELL, index, [])
    assert 0.25 <= point.width <= 1.5
    assert 0.0 <= point.strength <= 1.5


def test_expected_widths_are_exact_for_startup_points_and_a_mean_for_the_rest() -> None:
    for index in range(SEARCH.startup):
        assert expected_width(SEARCH, 5, index) == suggest(SEARCH, 5, CELL, index, []).width
    widths = np.exp(np.linspace(math.log(0.25), math.log(1.5), 100_001))
    assert expected_width(SEARCH, 5, SEARCH.startup) == pytest.approx(np.sqrt((widths**2).mean()), rel=1e-4)


def test_tpe_depends_on_seed_cell_index_and_results() -> None:
    earlier = [Outcome(suggest(SEARCH, 0, CELL, i, []), 0.1 * i) for i in range(4)]
    asked = suggest(SEARCH, 0, CELL, 4, earlier)
    assert suggest(SEARCH, 0, CELL, 4, earlier) == asked
    assert suggest(SEARCH, 1, CELL, 4, earlier) != asked
    assert suggest(SEARCH, 0, Cell("icnet", "ce", "random_1", 0), 4, earlier) != asked
    assert suggest(SEARCH, 0, CELL, 4, [o._replace(objective=-o.objective) for o in earlier]) != asked


def test_tpe_takes_failures_and_a_default_point_outside_of_the_box() -> None:
    search = Search(startup=1, width=(0.25, 0.5), default_width=1.0)
    outcomes: list[Outcome] = []
    for index in range(6):
        point = suggest(search, 0, CELL, index, outcomes)
        outcomes.append(Outcome(point, None))
    assert outcomes[0].point.width == 1.0
    assert all(0.25 <= outcome.point.width <= 0.5 for outcome in outcomes[1:])


def test_tpe_finds_a_better_point_than_the_startup() -> None:
    outcomes: list[Outcome] = []
    search = Search(trials=40, startup=8)
    for index in range(40):
        point = suggest(search, 0, CELL, index, outcomes)
        score = 1 - (math.log(point.width) + 0.5) ** 2 - (point.strength - 0.3) ** 2
        outcomes.append(Outcome(point, score))
    best_start = max(o.objective for o in outcomes[:8] if o.objective is not None)
    assert max(o.objective for o in outcomes if o.objective is not None) > best_start
    late = [o.objective for o in outcomes[25:] if o.objective is not None]
    assert np.mean(late) > np.mean([o.objective for o in outcomes[:8] if o.objective is not None])


def test_within_a_cell_trials_wait_after_the_startup() -> None:
    definition = load("demo", ["grid.models=icnet", "grid.losses=ce", "grid.splits=random_0", "search.trials=6"])
    definition = definition.model_copy(update={"search": Search(trials=6, startup=3)})
    assert [needs_results(definition.search, index) for index in range(6)] == [False] * 3 + [True] * 3
    schedule = Schedule(definition, {})
    started = [schedule.next() for _ in range(3)]
    assert schedule.next() is None
    assert not schedule.exhausted
    for item in started[:2]:
        assert item is not None
        schedule.complete(item[0], 0.5)
    assert schedule.next() is None
    assert started[2] is not None
    schedule.complete(started[2][0], None)
    fourth = schedule.next()
    assert fourth is not None
    assert fourth[0].index == 3


def test_a_resting_cell_hands_out_nothing_and_the_others_go_on() -> None:
    schedule = Schedule(SMALL, {})
    first = schedule.next()
    assert first is not None
    schedule.rest(first[0].cell)
    handed_out = []
    while not schedule.exhausted:
        item = schedule.next()
        assert item is not None
        handed_out.append(item[0])
        schedule.complete(item[0], 0.1)
    assert first[0].cell not in {trial.cell for trial in handed_out}
    assert len(handed_out) == 3 * 8


def test_costly_networks_and_default_points_come_first() -> None:
    schedule = Schedule(load("demo"), {})
    order = [item[0] for item in iter(schedule.next, None)]
    assert [trial.index for trial in order] == sorted(trial.index for trial in order)
    first_round = [trial.cell.model for trial in order if trial.index == 0]
    assert first_round == sorted(first_round, reverse=True)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_committed_trials_are_not_handed_out_again(share: float) -> None:
    everything = run_in_any_order(SMALL, lambda n: 0)
    kept = dict(list(everything.items())[: int(share * len(everything))])
    schedule = Schedule(SMALL, kept)
    assert len(schedule.waiting) == len(everything) - len(kept)
    assert not set(schedule.waiting) & set(kept)


def test_a_trial_that_is_put_back_is_handed_out_again_at_the_same_point() -> None:
    definition = load("paper", ["grid.models=icnet", "grid.losses=ce", "grid.splits=random_0", "search.trials=10"])
    schedule = Schedule(definition, {})
    handed_out = [schedule.next() for _ in range(8)]
    assert schedule.next() is None
    first = handed_out[0]
    assert first is not None
    schedule.put_back(first[0])
    assert not schedule.exhausted
    assert schedule.next() == first
    for each in handed_out:
        assert each is not None
        schedule.complete(each[0], 0.5)
    assert schedule.next() is not None


def test_only_the_trials_asked_for_are_handed_out() -> None:
    definition = load("paper", ["grid.models=icnet", "grid.losses=ce", "search.trials=10"])
    wanted = {Trial(cell, index) for cell in cells(definition)[:3] for index in (0, 5)}
    schedule, found = Schedule(definition, {}, wanted), set()
    while (handed_out := schedule.next()) is not None:
        found.add(handed_out[0])
        schedule.complete(handed_out[0], 0.5)
    assert found == wanted
    assert schedule.exhausted
    assert Schedule(definition, {}, ()).exhausted
