"""The statistics of the paper's cells against a package that others wrote."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from analysis.classes import MACRO
from analysis.load import load
from analysis.scores import by_split, objects_of, of_kind
from analysis.statistics.ranks import class_agreement
from analysis.statistics.variance import variance_shares

pytestmark = pytest.mark.slow  # pingouin takes seconds to import

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its own dependencies' deprecations
    import pingouin

TABLE = load("paper").table


def test_kendalls_w_agrees_with_pingouin() -> None:
    agreement = class_agreement(TABLE).set_index(["model", "loss", "averaging", "split_kind"])["w"]
    wide = objects_of(by_split(TABLE))
    compared = 0
    for kind in ("random", "held_out"):
        for key, classes in of_kind(wide, kind).groupby(["model", "loss", "averaging"]):
            long = classes.droplevel(["model", "loss", "averaging"]).round(9).melt(ignore_index=False).reset_index()
            theirs = pingouin.friedman(long, dv="value", within="class", subject="split")["W"].iloc[0]
            assert agreement[*key, kind] == pytest.approx(theirs, abs=1e-9)
            compared += 1
    assert compared == 16


@pytest.mark.parametrize(("averaging", "class_"), [("pw", "bx"), ("pw", MACRO), ("ew", "du"), ("ew", MACRO)])
def test_intraclass_correlation_agrees_with_pingouin(averaging: str, class_: str) -> None:
    """ICC(C,1): splits as targets, configurations as raters; ours cuts a negative one to 0."""
    shares = variance_shares(TABLE).set_index(["averaging", "class"])
    wide = of_kind(by_split(TABLE), "random")
    rows = wide[
        (wide.index.get_level_values("averaging") == averaging) & (wide.index.get_level_values("class") == class_)
    ]
    rows.index = [f"{model} {loss}" for model, loss, *_ in rows.index]
    long = rows.rename_axis("rater").melt(ignore_index=False).reset_index()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = pingouin.intraclass_corr(long, targets="split", raters="rater", ratings="value").set_index("Type")
    theirs = table.loc[next(name for name in table.index if name in ("ICC3", "ICC(C,1)")), "ICC"]
    assert shares.loc[(averaging, class_), "icc"] == pytest.approx(max(0.0, theirs), abs=1e-6)
    assert np.isfinite(theirs)
