"""The scores at the end of a run, against sums by hand."""

from dataclasses import replace

import pandas as pd
import pytest

from analysis.scores import with_macro
from study.cells import Cell, parse_trial
from study.definition.sections import Search
from study.results.schemas import table_of
from study.summary import Summary, mean_and_sd, object_dice, summarise, trade_in_words
from study.terminal.view import scores_table


def dice_rows(trial: str, *ew: float | None, partition: str = "test") -> list[dict[str, object]]:
    scores = dict(zip(("bx", "cl"), ew, strict=True)) | {"bg": 0.99, "all": 0.9}
    return [{"trial": trial, "partition": partition, "class": name, "dice_ew": value} for name, value in scores.items()]


def test_object_dice_is_the_mean_over_all_object_classes() -> None:
    rows = dice_rows("a", 0.2, 0.4) + dice_rows("a", 0.9, 0.9, partition="val") + dice_rows("b", 0.5, None)
    assert object_dice(table_of("dice", rows)) == {"a": pytest.approx(0.3)}


def test_tuned_is_the_best_by_validation_not_by_test() -> None:
    cells = [Cell("icnet", "ce", split, 0) for split in ("random_0", "random_1", "rot_0")]
    validation = {0: 0.5, 1: 0.6, 2: None}
    test = {0: 0.9, 1: 0.1, 2: 0.95}
    committed, rows = {}, []
    for cell in cells:
        for index in range(3):
            trial = f"{cell.id}-t0{index}"
            committed[parse_trial(trial)] = {
                "objective": validation[index],
                "status": "completed",
                "split_kind": "held_out" if cell.split == "rot_0" else "random",
            }
            rows += dice_rows(trial, test[index], test[index])
    default, tuned = summarise(cells, committed, lambda trial_ids: table_of("dice", rows))
    assert (default.selection, default.mean, default.sd) == ("default", pytest.approx(0.9), None)
    assert (tuned.selection, tuned.mean) == ("tuned", pytest.approx(0.1))
    assert tuned.by_name == {"rot_0": pytest.approx(0.1)}


def test_a_deviation_needs_as_many_splits_as_the_analysis_asks_for() -> None:
    scores = {"random_0": 0.1, "random_1": 0.3, "random_2": 0.2}
    assert mean_and_sd(scores) == (pytest.approx(0.2), None)
    assert mean_and_sd(scores | {"random_3": 0.2})[1] == pytest.approx(0.1 * (2 / 3) ** 0.5)


def test_what_the_rule_saves_and_loses_is_said() -> None:
    search = Search(objectives=("dice", "gflops"), within=0.02)
    dear = Summary("icnet ce", "default", {"random_0": 0.222}, {}, {}, 0, cost=0.32)
    cheap = Summary("icnet ce", "tuned", {"random_0": 0.193}, {}, {}, 0, cost=0.045)
    (said,) = trade_in_words([dear, cheap], search)
    assert "gflops 0.045 instead of 0.32 (medians), mean test Dice 0.029 lower" in said
    assert "more than the 0.02 of search.within" in said
    (near,) = trade_in_words([dear, replace(cheap, random={"random_0": 0.21})], search)
    assert near.endswith("mean test Dice 0.012 lower.")
    (better,) = trade_in_words([dear, replace(cheap, random={"random_0": 0.3})], search)
    assert better.endswith("mean test Dice 0.078 higher.")
    assert trade_in_words([dear, replace(cheap, random={})], search) == []
    assert trade_in_words([dear, cheap], Search()) == []


def test_a_tie_goes_to_the_earlier_trial_and_a_missing_cell_is_counted() -> None:
    cells = [Cell("icnet", "ce", "random_0", 0), Cell("icnet", "ce", "random_1", 0)]
    row = {"objective": 0.5, "split_kind": "random"}
    committed = {parse_trial(f"{cells[0].id}-t0{index}"): row for index in (1, 0)}
    rows = dice_rows(f"{cells[0].id}-t00", 0.3, 0.3) + dice_rows(f"{cells[0].id}-t01", 0.7, 0.7)
    _, tuned = summarise(cells, committed, lambda trial_ids: table_of("dice", rows))
    assert tuned.mean == pytest.approx(0.3)
    assert tuned.missing == 1
    assert tuned.sd is None


def test_one_trial_in_every_cell_is_listed_once() -> None:
    cells = [Cell("icnet", "ce", "random_0", 0), Cell("icnet", "ce", "random_1", 0)]
    committed = {parse_trial(f"{cell.id}-t00"): {"objective": 0.5, "split_kind": "random"} for cell in cells}
    rows = [row for cell in cells for row in dice_rows(f"{cell.id}-t00", 0.3, 0.3)]
    (only,) = summarise(cells, committed, lambda trial_ids: table_of("dice", rows))
    assert (only.selection, only.mean) == ("default", pytest.approx(0.3))


def test_the_summary_and_the_analysis_have_one_mean_of_objects() -> None:
    """To the last bit, of so many classes that it matters in which way they are summed."""
    scores = {f"class {i:02}": 0.1 + 0.7 * i / 23 for i in range(23)}
    rows = [{"trial": "a", "partition": "test", "class": name, "dice_ew": value} for name, value in scores.items()]
    place = {"model": "net", "loss": "ce", "split": "random_0", "split_kind": "random", "axis": "", "seed": 0}
    table = pd.DataFrame([place | {"averaging": "ew", "class": n, "dice": v} for n, v in scores.items()])
    macro = with_macro(table).query("`class` == 'mean of classes'")["dice"]
    assert object_dice(table_of("dice", rows))["a"] == macro.item()


def test_an_sd_of_means_over_seeds_is_called_so() -> None:
    """It is smaller than that of single trainings, of which `analysis` speaks."""
    means = {f"random_{i}": 0.5 + i / 100 for i in range(4)}
    one, two = (
        Summary("icnet ce", "default", means, folds={}, by_name={}, missing=0, num_seeds=number) for number in (1, 2)
    )
    assert "random splits: mean, SD (n)" in [column.header for column in scores_table([one]).columns]
    assert "random splits: mean, SD of means over seeds (n)" in [
        column.header for column in scores_table([two]).columns
    ]
