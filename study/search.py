"""The search inside one cell: a trial's point is a function of (study seed, cell, index, results of the cell's trials
0..index-1).

No sampler outlives a suggestion: for every index a new Optuna study is given the cell's earlier results and a sampler
seeded for that index is asked once. So nothing has to be pickled, and a resumed search goes on as if never interrupted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from study.cells import Cell, Outcome
from study.definition import Definition
from study.definition.point import Point
from study.definition.sections import Search
from study.definition.space import MOST_KEYS, Choices, Range
from trainers.printable import counted
from trainers.recipe import Value
from trainers.seeds import generator_for, seed_of

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

_HALTON_BASES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53)
"""One for each searched key."""
assert len(_HALTON_BASES) == MOST_KEYS
_LIKELY_POINTS = 128


def needs_results(search: Search, index: int) -> bool:
    """Whether the point of a cell's trial `index` waits for the results of all its earlier trials."""
    return index >= search.startup


def suggest(definition: Definition, cell: Cell, index: int, earlier: Sequence[Outcome]) -> Point:
    """The point of the cell's trial `index`; `earlier` holds the outcomes of trials 0..index-1, in their order.

    Start-up points are the same in every cell: the default point, then quasi-random ones. From then on TPE decides.
    """
    if not needs_results(definition.search, index):
        return _start_up_point(definition, index)
    assert len(earlier) == index, f"{cell.id}: the point of trial {index} is given {counted(len(earlier), 'outcome')}"
    return _ask_tpe(definition, seed_of(definition.seed, cell.id, "suggestion", index), earlier)


def likely_points(definition: Definition, index: int) -> list[Point]:
    """The point of a cell's trial `index`; where TPE will choose it, points all over the space. For planning only."""
    if not needs_results(definition.search, index):
        return [_start_up_point(definition, index)]
    return [_start_up_point(definition, each) for each in range(1, _LIKELY_POINTS + 1)]


def middle_point(definition: Definition) -> Point:
    """Half of the way from low to high in every range."""
    return _point_at(definition, [0.5] * len(definition.search.space))


def _start_up_point(definition: Definition, index: int) -> Point:
    """The default point, then points of a Halton sequence, shifted on the torus by a draw of the study's own."""
    if index == 0:
        return definition.default_point
    shifts = generator_for(definition.seed, "start-up points").random(len(definition.search.space))
    halton = [_radical_inverse(index, base) for base in _HALTON_BASES]
    return _point_at(definition, [float((u + shift) % 1.0) for u, shift in zip(halton, shifts, strict=False)])


def _point_at(definition: Definition, shares: Sequence[float]) -> Point:
    """So far from low to high in each dimension."""
    default, dimensions = definition.default_point, zip(definition.search.space.items(), shares, strict=True)
    return Point({key: dimension.at(share, whole=_is_whole(default[key])) for (key, dimension), share in dimensions})


def _radical_inverse(index: int, base: int) -> float:
    """The digits of `index` in `base`, mirrored behind the point (Halton 1960)."""
    value, scale = 0.0, 1.0
    while index:
        scale /= base
        index, digit = divmod(index, base)
        value += digit * scale
    return value


def _is_whole(value: Value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _ask_tpe(definition: Definition, seed: int, earlier: Sequence[Outcome]) -> Point:
    import optuna  # here, as it takes a while and start-up points do without it

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space, default = definition.search.space, definition.default_point
    distributions = {key: _distribution(dimension, default[key]) for key, dimension in space.items()}
    sampler = optuna.samplers.TPESampler(seed=seed % 2**32, n_startup_trials=1, multivariate=True, constant_liar=False)
    with_cost = len(definition.search.objectives) > 1
    study = optuna.create_study(directions=["maximize", "minimize"] if with_cost else ["maximize"], sampler=sampler)
    for outcome in earlier:
        params = {key: _inside(dimension, outcome.point[key]) for key, dimension in space.items()}
        study.add_trial(
            optuna.trial.create_trial(
                params=params,
                distributions=distributions,
                values=[outcome.objective, *([outcome.cost] if with_cost and outcome.cost is not None else [])],
            )
            if outcome.objective is not None
            else optuna.trial.create_trial(
                params=params, distributions=distributions, state=optuna.trial.TrialState.FAIL
            )
        )
    return _point_of(space, study.ask(distributions).params)


def _distribution(dimension: Range | Choices, default: Value) -> BaseDistribution:
    """A dimension as Optuna has it: of a range with a step, the number of steps is searched."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(dimension, Choices):
        return CategoricalDistribution(dimension.choices)
    if dimension.step is not None:
        return IntDistribution(0, dimension.num_steps)
    if _is_whole(default):
        return IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
    return FloatDistribution(float(dimension.low), float(dimension.high), log=dimension.log)


def _inside(dimension: Range | Choices, value: Value) -> Value:
    """The value as Optuna has it. That of trial 0 may lie outside of the range: then the nearest one inside."""
    if isinstance(dimension, Choices):
        return value
    return dimension.nearest(value) if dimension.step is None else dimension.step_of(value)


def _point_of(space: Mapping[str, Range | Choices], params: Mapping[str, Any]) -> Point:
    values: dict[str, Value] = {}
    for key, dimension in space.items():
        steps = isinstance(dimension, Range) and dimension.step is not None
        values[key] = dimension.at_step(params[key]) if steps else params[key]  # type: ignore[union-attr]
    return Point(values)
