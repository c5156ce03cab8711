"""Held-out splits of several axes: each has rows, words and figures of its own, and nothing is pooled over them."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.axes import by_axis, each_axis, in_words, kinds_of
from analysis.commands import stability
from analysis.gate import check
from analysis.load import load
from analysis.report import figures
from analysis.report.write import report
from analysis.scores import Scores
from analysis.statistics.ranks import class_ranks, configuration_ranks
from analysis.statistics.spread import spread
from analysis.tables import tables
from analysis.verdict import cannot_say, verdict

SPLITS = {
    **{f"random_{i}": ("random", "", 0.70 + 0.01 * i) for i in range(4)},
    **{f"angle_{i}": ("held_out", "angle", 0.60 + 0.02 * i) for i in range(3)},
    **{f"clinic_{i}": ("held_out", "patient", 0.20 + 0.02 * i) for i in range(2)},
}
CONFIGURATIONS = [("icnet", "ce"), ("unet", "ce")]


def two_axes() -> Scores:
    """Angle costs 0.095, patient 0.505; the U-Net is 0.01 better on every split."""
    rows = [
        (*configuration, split, kind, axis, 0, averaging, name, level + more + 0.01 * place)
        for (place, configuration), (split, (kind, axis, level)), averaging, (name, more) in itertools.product(
            enumerate(CONFIGURATIONS), SPLITS.items(), ("pw", "ew"), (("mug", 0.0), ("pen", 0.05))
        )
    ]
    columns = ["model", "loss", "split", "split_kind", "axis", "seed", "averaging", "class", "dice"]
    sizes = dict.fromkeys(SPLITS, 10)
    table = pd.DataFrame(rows, columns=columns)
    return Scores(table, "made", "as given", num_train=dict.fromkeys(SPLITS, 40), num_test=sizes)


def test_the_parts_of_a_table_have_the_random_splits_and_one_axis() -> None:
    table = two_axes().table
    parts = by_axis(table)
    assert {axis: list(part["split"].unique()) for axis, part in parts.items()} == {
        "angle": [split for split in SPLITS if not split.startswith("clinic")],
        "patient": [split for split in SPLITS if not split.startswith("angle")],
    }
    assert kinds_of(table) == [("random", ""), ("held_out", "angle"), ("held_out", "patient")]
    assert [in_words(*kind) for kind in kinds_of(table)] == [
        *("random split", "held-out angle split", "held-out patient split")
    ]


@pytest.mark.parametrize("statistic", [spread, class_ranks, configuration_ranks])
def test_with_one_axis_a_statistic_is_what_it_was(statistic: type) -> None:
    paper = load("paper").table
    pd.testing.assert_frame_equal(each_axis(paper, statistic), statistic(paper))
    random = paper[paper["split_kind"] == "random"]
    assert list(by_axis(random)) == [""]


def test_spread_has_rows_for_each_axis() -> None:
    found = each_axis(two_axes().table, spread).query(
        "`class` == 'mean of classes' and averaging == 'ew' and model == 'icnet'"
    )
    assert list(found["axis"]) == ["angle", "patient"]
    assert list(found["num_held_out"]) == [3, 2]
    np.testing.assert_allclose(found["gap"], [0.095, 0.53 - 0.025])
    assert found["mean"].nunique() == 1, "random splits are the same beside both"
    columns = list(found.columns)
    assert columns.index("angle_2") < columns.index("clinic_0") < columns.index("held_out_mean") < columns.index("note")


def test_ranks_are_averaged_over_one_axis() -> None:
    found = each_axis(two_axes().table, configuration_ranks)
    assert set(found.loc[found["axis"] == "patient", "num_splits"]) == {6}
    assert found.loc[found["axis"] == "patient", "angle_0"].isna().all()


def test_no_table_pools_two_axes() -> None:
    answer = stability(two_axes())
    for title, frame in answer.frames.items():
        if any("held_out" in name for name in frame.columns):
            assert set(frame["axis"]) == {"angle", "patient"}, title


def test_the_verdict_speaks_of_each_axis() -> None:
    scores = two_axes()
    said = {each.question: " ".join(each.points) for each in verdict(scores)}
    assert "whose angle was not trained on, the mean Dice drops in both configurations" in said["In short"]
    assert "whose patient was not trained on, the mean Dice drops in both configurations" in said["In short"]
    assert "4 random splits, 3 held-out angle splits and 2 held-out patient splits" in said["What was measured?"]
    assert "0.625 on held-out angle splits" not in said["Does it hold on samples whose patient was not trained on?"]
    assert re.search(r"icnet ce: 0\.740 on random, 0\.235 on held-out patient splits", str(said))
    assert re.search(r"icnet ce: 0\.740 on random, 0\.645 on held-out angle splits", str(said))
    assert "angle or patient" not in str(said)
    open_questions = " ".join(cannot_say(scores).points)
    assert "How steady scores are over held-out angle splits: 3 held-out angle splits" in open_questions
    assert "How steady scores are over held-out patient splits: 2 held-out patient splits" in open_questions


def test_the_gate_checks_the_gap_of_each_axis() -> None:
    gated = check(two_axes(), max_gap=0.3, max_sd=0.2, class_="macro", averaging="ew", model="icnet")
    found = gated.checks.set_index(["limit", "axis"])
    assert found.loc[("max-gap", "angle"), "decision"] == "met"
    assert found.loc[("max-gap", "patient"), "decision"] == "failed"
    assert list(gated.checks["axis"]) == ["angle", "patient", ""], "a limit on random splits is checked once"
    assert "gap random - held-out patient 0.505" in gated.text()


def test_an_axis_that_lacks_scores_leaves_the_other_decided() -> None:
    scores = two_axes()
    table = scores.table.assign(dice=scores.table["dice"].mask(scores.table["split"] == "clinic_1"))
    gated = check(Scores(table, "made", "as given"), max_gap=0.3, class_="macro", averaging="ew", model="icnet")
    assert dict(zip(gated.checks["axis"], gated.checks["decision"], strict=True)) == {"angle": "met", "patient": "open"}
    assert "open: max-gap 0.3, icnet ce ew mean of classes, patient: mug has no score on clinic_1" in gated.text()


def test_figures_tell_axes_apart() -> None:
    table = two_axes().table
    axes = figures.dots(table, "icnet", "ce", "ew").axes[0]
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        *("random split", "held-out angle split, by number", "held-out patient split, by number")
    ]
    assert len({text.get_color() for text in axes.texts}) == 2
    ticks = figures.ranks(table, "ew").axes[0].get_xticks()
    np.testing.assert_allclose(np.diff(ticks), [1, 1, 1, 1.4, 1, 1, 1.4, 1])
    rows = figures.heat_map(tables(table)["icnet", "ce"], "ew").axes[0].get_yticks()
    np.testing.assert_allclose(np.diff(rows), [1, 1, 1, 1.25, 1, 1, 1.25, 1])


@pytest.mark.slow
def test_the_page_has_a_figure_for_each_axis(tmp_path: Path) -> None:
    page = report(two_axes(), tmp_path / "page.html")
    html = page.read_text()
    for words in ("held-out angle splits", "held-out patient splits"):
        assert f"icnet ce, example-wise (ew), {words}" in html
        assert f"<figcaption>{words}, example-wise (ew)" in html
    rows = json.loads(page.with_suffix(".json").read_text())["sections"]["spread"]["spread"]
    assert {row["axis"] for row in rows} == {"angle", "patient"}
