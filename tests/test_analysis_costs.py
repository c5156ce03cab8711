"""Accuracy against cost: the set that nothing dominates, and the table it is drawn from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_analysis_load import DEFINITION, all_classes_shown, commit

from analysis.classes import MACRO
from analysis.load import load
from analysis.scores import with_macro
from analysis.statistics.costs import non_dominated, trade_off
from study.results import Results

SPLITS = ("random_0", "rot_0")


@given(st.lists(st.tuples(*[st.integers(0, 3)] * 3), max_size=12))
def test_no_row_of_the_set_is_beaten_and_every_other_is(rows: list[tuple[int, ...]]) -> None:
    def beats(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
        return all(x <= y for x, y in zip(a, b, strict=True)) and a != b

    expected = [not any(beats(other, row) for other in rows) for row in rows]
    assert non_dominated(np.array(rows, float).reshape(-1, 3)).tolist() == expected


def test_equals_stay_and_the_unknown_is_left_out() -> None:
    assert non_dominated([[1, 2], [1, 2], [0, 3], [2, 2], [np.nan, 0]]).tolist() == [True, True, True, False, False]


def study(out: Path, **of_model: dict[str, object]) -> Path:
    Results(out).write_text("study.toml", DEFINITION.to_toml())
    for model, changes in of_model.items():
        for split in SPLITS:
            cost = {"parameters": 100, "gflops": 1.0, "latency_ms_median": 2.0, "train_seconds": 60.0, "device": "GPU"}
            commit(out, f"{model}-ce-{split}-s0-t00", counted=all_classes_shown, **(cost | changes))
    return out


def test_the_cheaper_and_better_dominates(tmp_path: Path) -> None:
    facts = load(study(tmp_path, icnet={}, unet={"parameters": 300, "train_seconds": 90.0})).study_facts("a test")
    found = trade_off(facts).set_index("model")
    scores = with_macro(load(tmp_path).table).query("averaging == 'ew' and split == 'random_0'")
    means = scores[scores["class"] == MACRO].set_index("model")["dice"]
    assert found["mean"].to_dict() == pytest.approx(means.to_dict())
    assert found["parameters"].to_dict() == {"icnet": 100, "unet": 300}
    better = means["icnet"] >= means["unet"]
    assert found["non_dominated"].to_dict() == {"icnet": True, "unet": not better}
    assert (found.loc["icnet", "label"], found.loc["icnet", "num_splits"]) == ("icnet ce t00", 1)
    assert np.isnan(found.loc["icnet", "low"]), "one random split gives no interval"


def test_times_of_another_device_are_left_out(tmp_path: Path) -> None:
    study(tmp_path, icnet={}, unet={})
    commit(
        tmp_path,
        "unet-ce-rot_0-s0-t00",
        parameters=100,
        gflops=1.0,
        latency_ms_median=99.0,
        train_seconds=999.0,
        device="CPU",
    )
    found = trade_off(load(tmp_path).study_facts("a test")).set_index("model")
    assert set(found["device"]) == {"GPU"}
    assert found.loc["unet", "train_seconds"] == 60
    assert found.loc["unet", "latency_ms_high"] == 2


def test_points_on_fewer_splits_are_no_rivals(tmp_path: Path) -> None:
    """As of a halving study, in which most points reach the end on few splits. (unet would cost less.)"""
    study(tmp_path, icnet={}, unet={"parameters": 10, "gflops": 0.1})
    (tmp_path / "trials" / "unet-ce-random_0-s0-t00.parquet").unlink()
    found = trade_off(load(tmp_path).study_facts("a test"))
    assert found[["model", "non_dominated", "chosen"]].values.tolist() == [["icnet", True, True]]
    assert set(found["note"]) == {"left out: one point on fewer than one random split"}


def test_a_held_out_mean_is_over_all_held_out_splits(tmp_path: Path) -> None:
    study(tmp_path, icnet={}, unet={})
    (tmp_path / "trials" / "unet-ce-rot_0-s0-t00.parquet").unlink()
    found = trade_off(load(tmp_path).study_facts("a test")).set_index("model")
    assert found["held_out_mean"].isna().to_dict() == {"icnet": False, "unet": True}
    assert set(found["note"]) == {""}
