"""The search inside one cell: suggestion k is a function of (study seed, cell, k, results of the cell's trials 0..k-1).

No sampler outlives a suggestion: for every k the Optuna study is told the cell's earlier results anew and a sampler
seeded for that k is asked once. So nothing has to be pickled, and a resumed search goes on as if never interrupted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from study.cells import Cell, Outcome, Point
from study.definition import Search
from trainers.seeds import generator_for, seed_of

_HALTON_BASES = (2, 3)  # of width and of strength


def needs_results(search: Search, index: int) -> bool:
    """Whether suggestion `index` of a cell waits for the results of all its earlier trials."""
    return index >= search.startup


def suggest(search: Search, study_seed: int, cell: Cell, index: int, earlier: Sequence[Outcome]) -> Point:
    """The point of the cell's trial `index`; `earlier` holds the outcomes of trials 0..index-1, in their order.

    Start-up points are the same in every cell: the default point, then quasi-random ones. From then on TPE decides.
    """
    if not needs_results(search, index):
        return _start_up_point(search, study_seed, index)
    assert len(earlier) == index, f"{cell.id}: suggestion {index} is given {len(earlier)} outcomes"
    return _ask_tpe(search, seed_of(study_seed, cell.id, "suggestion", index), earlier)


def expected_width(search: Search, study_seed: int, index: int) -> float:
    """The width of a cell's trial `index`, as far as it is known before the search: for planning only.

    For what TPE will choose, the root mean square over the searched range: cost grows with the square of the width.
    """
    if not needs_results(search, index):
        return _start_up_point(search, study_seed, index).width
    low, high = search.width
    return math.sqrt((high**2 - low**2) / (2 * math.log(high / low)))


def _start_up_point(search: Search, study_seed: int, index: int) -> Point:
    """The default point, then points of a Halton sequence, shifted on the torus by a draw of the study's own; width on
    a log scale."""
    if index == 0:
        return Point(search.default_width, search.default_strength)
    shift = generator_for(study_seed, "start-up points").random(len(_HALTON_BASES))
    u, v = ((_radical_inverse(index, base) + s) % 1.0 for base, s in zip(_HALTON_BASES, shift, strict=True))
    low, high = (math.log(bound) for bound in search.width)
    return Point(
        width=min(max(math.exp(low + u * (high - low)), search.width[0]), search.width[1]),
        strength=float(search.strength[0] + v * (search.strength[1] - search.strength[0])),
    )


def _radical_inverse(index: int, base: int) -> float:
    """The digits of `index` in `base`, mirrored behind the point (Halton 1960)."""
    value, scale = 0.0, 1.0
    while index:
        scale /= base
        index, digit = divmod(index, base)
        value += digit * scale
    return value


def _ask_tpe(search: Search, seed: int, earlier: Sequence[Outcome]) -> Point:
    import optuna  # here, as it takes a while and start-up points do without it
    from optuna.distributions import BaseDistribution, FloatDistribution

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space: dict[str, BaseDistribution] = {
        "width": FloatDistribution(*search.width, log=True),
        "strength": FloatDistribution(*search.strength),
    }
    sampler = optuna.samplers.TPESampler(seed=seed % 2**32, n_startup_trials=1, multivariate=True, constant_liar=False)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for outcome in earlier:
        inside = _inside(outcome.point, search)
        study.add_trial(
            optuna.trial.create_trial(params=inside, distributions=space, value=outcome.objective)
            if outcome.objective is not None
            else optuna.trial.create_trial(params=inside, distributions=space, state=optuna.trial.TrialState.FAIL)
        )
    params = study.ask(space).params
    return Point(width=params["width"], strength=params["strength"])


def _inside(point: Point, search: Search) -> dict[str, float]:
    """The default point may lie outside of the searched box; TPE is told the nearest point inside."""
    (w0, w1), (s0, s1) = search.width, search.strength
    return {"width": min(max(point.width, w0), w1), "strength": min(max(point.strength, s0), s1)}
