"""The search as a function, and the schedule's promise: no order of completion changes a point."""

import math
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from study.cells import Cell, Outcome, Trial, cells
from study.definition import Definition
from study.definition.file import load, parse
from study.definition.point import Point
from study.schedule import Schedule
from study.search import likely_points, middle_point, needs_results, suggest

PAPER_SPACE = {
    "model.width": {"low": 0.25, "high": 1.5, "log": True},
    "augmentation.strength": {"low": 0.0, "high": 1.5},
}


def searching(space: dict[str, Any] = PAPER_SPACE, seed: int = 0, recipe: Any = None, **search: int) -> Definition:
    return parse({"seed": seed, "search": {"space": space, **search}, **(recipe or {})})


def width_and_strength(point: Point) -> tuple[float, float]:
    return point["model.width"], point["augmentation.strength"]  # type: ignore[return-value]


SEARCH = searching(trials=12, startup=4)
CELL = Cell("icnet", "ce", "random_0", 0)


def objective_of(trial: Trial, point: Point) -> float | None:
    """A stand-in for training: a smooth function of the point, and now and then a divergence."""
    if (hash_ := len(trial.id) + trial.index * 7 + len(trial.cell.split)) % 9 == 0:
        return None
    width, strength = width_and_strength(point)
    return 1 - (math.log(width) + 0.2) ** 2 - (strength - 0.7) ** 2 + 0.01 * (hash_ % 5)


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


SMALL = load(
    "demo",
    [
        "grid.models=icnet",
        "grid.losses=ce,ce_dice",
        "grid.splits=random_0,rot_0",
        "search.trials=8",
        "search.startup=4",
    ],
)


@pytest.mark.slow
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
        "demo",
        [
            *("grid.models=icnet", "grid.losses=ce,ce_dice", "grid.splits=random_0,random_1,rot_0"),
            *("search.trials=10", "search.startup=4"),
        ],
    )
    grown = run_in_any_order(larger, lambda n: 0, committed=small)
    assert grown == run_in_any_order(larger, lambda n: 0)
    assert {trial: grown[trial] for trial in small} == small


def test_startup_points_are_common_and_start_with_the_default() -> None:
    points = {cell: [suggest(SEARCH, cell, index, []) for index in range(4)] for cell in cells(load("paper"))}
    assert len({tuple(each) for each in points.values()}) == 1
    first = next(iter(points.values()))
    assert first[0] == Point({"model.width": 1.0, "augmentation.strength": 1.0})
    assert len(set(first)) == 4


def test_startup_points_cover_the_box_evenly() -> None:
    """A Halton sequence of 144 = 16 x 9 consecutive points has exactly one point in every cell of a 16 x 9 grid;
    the shift on the torus moves the cells along."""
    wide = PAPER_SPACE | {"model.width": {"low": 0.25, "high": 4.0, "log": True}}
    definition = searching(wide, seed=7, startup=2000)
    points = np.array([width_and_strength(suggest(definition, CELL, index, [])) for index in range(1, 145)])
    u = (np.log(points[:, 0]) - math.log(0.25)) / math.log(16)
    v = points[:, 1] / 1.5
    for values in (u, v):
        counts, _ = np.histogram(values, bins=4, range=(0, 1))
        assert counts.min() >= 34
        assert counts.max() <= 38


@given(st.integers(0, 2**40), st.integers(1, 500))
def test_points_stay_in_the_box(study_seed: int, index: int) -> None:
    width, strength = width_and_strength(suggest(searching(seed=study_seed, startup=1000), CELL, index, []))
    assert 0.25 <= width <= 1.5
    assert 0.0 <= strength <= 1.5


def test_likely_points_are_those_of_the_start_up_and_then_spread_over_the_space() -> None:
    for index in range(4):
        assert likely_points(SEARCH, index) == [suggest(SEARCH, CELL, index, [])]
    widths = np.exp(np.linspace(math.log(0.25), math.log(1.5), 100_001))
    likely = np.array([width_and_strength(point)[0] for point in likely_points(SEARCH, 4)])
    assert (likely**2).mean() == pytest.approx((widths**2).mean(), rel=0.05)


def test_tpe_depends_on_seed_cell_index_and_results() -> None:
    earlier = [Outcome(suggest(SEARCH, CELL, i, []), 0.1 * i) for i in range(4)]
    asked = suggest(SEARCH, CELL, 4, earlier)
    assert suggest(SEARCH, CELL, 4, earlier) == asked
    assert suggest(SEARCH.model_copy(update={"seed": 1}), CELL, 4, earlier) != asked
    assert suggest(SEARCH, Cell("icnet", "ce", "random_1", 0), 4, earlier) != asked
    assert suggest(SEARCH, CELL, 4, [o._replace(objective=-o.objective) for o in earlier]) != asked


def test_tpe_takes_failures_and_a_default_point_outside_of_the_box() -> None:
    definition = searching(PAPER_SPACE | {"model.width": {"low": 0.25, "high": 0.5, "log": True}}, startup=1, trials=6)
    outcomes: list[Outcome] = []
    for index in range(6):
        outcomes.append(Outcome(suggest(definition, CELL, index, outcomes), None))
    widths = [width_and_strength(outcome.point)[0] for outcome in outcomes]
    assert widths[0] == 1.0
    assert all(0.25 <= width <= 0.5 for width in widths[1:])


def test_tpe_finds_a_better_point_than_the_startup() -> None:
    outcomes: list[Outcome] = []
    definition = searching(trials=40, startup=8)
    for index in range(40):
        point = suggest(definition, CELL, index, outcomes)
        width, strength = width_and_strength(point)
        outcomes.append(Outcome(point, 1 - (math.log(width) + 0.5) ** 2 - (strength - 0.3) ** 2))
    best_start = max(o.objective for o in outcomes[:8] if o.objective is not None)
    assert max(o.objective for o in outcomes if o.objective is not None) > best_start
    late = [o.objective for o in outcomes[25:] if o.objective is not None]
    assert np.mean(late) > np.mean([o.objective for o in outcomes[:8] if o.objective is not None])


# What the search gave for the two keys of the paper's space when they were the only ones that there were (2026-11-26).
KNOWN = {
    0: ("0x1.0000000000000p-2", "0x1.0000000000000p-1"),
    1: ("0x1.1ef97366dc566p-2", "0x1.32c433dc82ab4p-1"),
    7: ("0x1.7428e70917f9dp-2", "0x1.a48b504e49c7cp-1"),
    8: ("0x1.9bd0dc7acc52fp-3", "0x1.3e83080f989d0p-3"),
    12: ("0x1.99170ef578bf6p-2", "0x1.16a21b5031977p-2"),
    13: ("0x1.929343a91355bp-2", "0x1.38a78af2bd7a4p-5"),
}


def test_points_stay_as_they_are() -> None:
    """To the last bit: by the start-up sequence, by TPE after it, and after a failure."""
    widths = ["model.width=0.25", 'search.space."model.width"={low=0.2,high=0.4,log=true}']
    definition, outcomes = load("demo", ["search.trials=14", *widths]), list[Outcome]()
    for index in range(14):
        point = suggest(definition, CELL, index, outcomes)
        width, strength = width_and_strength(point)
        if index in KNOWN:
            assert (width.hex(), strength.hex()) == KNOWN[index]
        objective = None if index % 6 == 4 else 1 - (math.log(width) + 0.5) ** 2 - (strength - 0.3) ** 2
        outcomes.append(Outcome(point, objective))


MANY_KINDS = {
    "training.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
    "training.batch_size": {"low": 4, "high": 16, "step": 4},
    "training.epochs": {"low": 2, "high": 64, "log": True},
    "training.precision": {"choices": ["auto", "bf16", "fp32"]},
    "augmentation.strength": {"low": 0.1, "high": 0.5, "step": 0.1},
    "model.width": {"low": 1, "high": 2},
}


def test_whole_numbers_steps_and_choices_are_kept_to() -> None:
    """In the start-up and by TPE; every point fits the recipe, and comes back from the tables as it was."""
    definition, outcomes, seen = searching(MANY_KINDS, trials=30, startup=12), list[Outcome](), defaultdict(set)
    for index in range(30):
        point = suggest(definition, CELL, index, outcomes)
        recipe = definition.recipe.at(point)
        assert Point.from_json(point.to_json()) == point
        assert all(
            recipe.value(key) == value and type(recipe.value(key)) is type(value) for key, value in point.items()
        )
        outcomes.append(Outcome(point, recipe.training.learning_rate))
        for key, value in point.items():
            seen[key].add(value)
    assert seen["training.batch_size"] <= {4, 8, 12, 16}
    assert len(seen["training.batch_size"]) == 4
    assert seen["training.precision"] == {"auto", "bf16", "fp32"}
    assert seen["augmentation.strength"] - {1.0} == {0.1, 0.2, 0.3, 0.4, 0.5}, "as they are written"
    assert seen["training.epochs"] <= set(range(2, 65))
    assert len(seen["training.epochs"]) > 5
    assert all(1e-4 <= rate <= 1e-2 for rate in seen["training.learning_rate"])
    assert all(1 <= width <= 2 and isinstance(width, float) for width in seen["model.width"])


def test_a_whole_range_gives_each_number_the_same_room() -> None:
    definition = searching({"training.epochs": {"low": 1, "high": 4}}, startup=500)
    counts = Counter(suggest(definition, CELL, index, [])["training.epochs"] for index in range(1, 401))
    assert set(counts) == {1, 2, 3, 4}
    assert all(95 <= count <= 105 for count in counts.values())


def test_the_order_in_which_keys_are_written_changes_nothing() -> None:
    one, other = (searching(dict(pairs), trials=5) for pairs in (MANY_KINDS.items(), reversed(MANY_KINDS.items())))
    assert one.recipe_digest() == other.recipe_digest()
    assert suggest(one, CELL, 3, []) == suggest(other, CELL, 3, [])


def test_the_middle_of_a_space() -> None:
    assert middle_point(searching({"training.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}}))[
        "training.learning_rate"
    ] == pytest.approx(1e-3)


def test_within_a_cell_trials_wait_after_the_startup() -> None:
    one_cell = ["grid.models=icnet", "grid.losses=ce", "grid.splits=random_0"]
    definition = load("demo", [*one_cell, "search.trials=6", "search.startup=3"])
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
