"""Scores from the paper, from studies and from tables: whole, from one study, chosen by validation alone."""

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.axes import HeldOut
from analysis.classes import MACRO
from analysis.errors import AnalysisError
from analysis.load import load, reference_marks
from analysis.scores import Scores, by_split
from study.cells import parse_trial
from study.definition import file as definition_file
from study.results import Results
from study.results.schemas import table_of
from trainers.dice import class_order, dice_of_shown

CLASSES = ["bg", "bx", "cl"]
ROOT = Path(__file__).parent.parent
KEYS = ["model", "loss", "split", "seed", "averaging", "class"]
GRID = ("grid.models=icnet,unet", "grid.losses=ce", "grid.splits=random_0,rot_0", "search.trials=3")
POINT = '{"augmentation.strength": 1.0, "model.width": 1.0}'
DEFINITION = definition_file.load("demo", GRID)


def confusion_of(trial_id: str) -> np.ndarray[Any, Any]:
    """Counts of four test images of 100 x 100 pixels, other ones for every trial; class cl in no image's truth."""
    generator = np.random.default_rng(list(trial_id.encode()))
    counts = np.zeros((4, 3, 3), dtype=np.int64)
    counts[:, 1, :2] = generator.integers(100, 1000, (4, 2))
    counts[:, 0, 1:] = generator.integers(0, 60, (4, 2))
    counts[:, 0, 0] = 10_000 - counts.sum((1, 2))
    return counts


def all_classes_shown(trial_id: str) -> np.ndarray[Any, Any]:
    """As `confusion_of`, with class cl in every image's truth: so there is a mean of classes."""
    counts = confusion_of(trial_id)
    counts[:, 2, 2] += 50
    counts[:, 0, 0] -= 50
    return counts


def commit(
    out: Path,
    trial_id: str,
    kept: Iterable[str] = ("dice", "confusion", "history", "trials"),
    history: Iterable[dict[str, float]] = (),
    counted: Callable[[str], np.ndarray[Any, Any]] | None = None,
    boundaries: Iterable[dict[str, object]] = (),
    **changes: object,
) -> None:
    trial = parse_trial(trial_id)
    cell = trial.cell
    factors = {"trial": trial_id, "index": trial.index, "point": POINT, "width": 1.0, "strength": 1.0}
    factors |= {"model": cell.model, "loss": cell.loss, "split": cell.split, "seed": cell.seed}
    is_random = cell.split.startswith("random_")
    factors |= {"split_kind": "random" if is_random else "held_out", "axis": None if is_random else "angle"}
    row = factors | {"status": "completed", "objective": 0.5, "num_train": 10, "num_val": 2, "num_test": 4}
    row |= {"recipe_digest": DEFINITION.recipe_digest(), "data_fingerprint": "d", "split_fingerprint": cell.split}
    counts = (counted or confusion_of)(trial_id)
    scores = dice_of_shown(counts, DEFINITION.training.epsilon)
    names, pw, ew = [*CLASSES, "all"], [*scores.pw, scores.all_pw], [*scores.ew, scores.all_ew]
    pooled = [*scores.pooled, scores.all_pooled]
    per_class = [
        {"class": name} | {f"dice_{k}": None if math.isnan(v) else v for k, v in values.items()}
        for name, *abc in zip(names, pw, ew, pooled, strict=True)
        for values in [dict(zip(("pw", "ew", "pooled"), abc, strict=True))]
    ]
    test = {"partition": "test"}
    val = [factors | {"partition": "val", "class": name, "dice_ew": 0.123} for name in names]
    pixels = [
        {
            "trial": trial_id,
            "image": f"i{7 - n}",
            "truth": CLASSES[t],
            "predicted": CLASSES[p],
            "pixels": counts[n, t, p],
        }
        for n, t, p in np.argwhere(counts)
    ]
    tables = {
        "dice": table_of("dice", [*val, *(factors | test | scored for scored in per_class)]),
        "confusion": table_of("confusion", [pixel | {"partition": p} for p in ("val", "test") for pixel in pixels]),
        "history": table_of("history", [{"trial": trial_id} | epoch for epoch in history]),
        "trials": table_of("trials", [row | changes], recipe=DEFINITION.keys_that_decide_a_trial()),
    }
    if rows := [{"trial": trial_id} | row for row in boundaries]:
        tables, kept = {"boundary": table_of("boundary", rows)} | tables, ("boundary", *kept)
    Results(out).commit({name: table for name, table in tables.items() if name in kept})


CELLS = [f"{model}-ce-{split}-s0" for model in ("icnet", "unet") for split in ("random_0", "rot_0")]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A study of four cells, with the default trial of each."""
    Results(tmp_path).write_text("study.toml", DEFINITION.to_toml())
    for cell in CELLS:
        commit(tmp_path, f"{cell}-t00")
    return tmp_path


def score(scores: Scores, averaging: str, name: str, model: str = "icnet", split: str = "random_0") -> float:
    table = scores.table
    row = table[(table.model == model) & (table.loss == "ce") & (table.split == split) & (table.averaging == averaging)]
    (value,) = row.loc[row["class"] == name, "dice"]
    return float(value)


def test_the_paper() -> None:
    scores = load("paper")
    assert len(scores.table) == 704
    assert len(scores.table.groupby(["model", "loss", "split"])) == 44
    assert len(scores.table.groupby(["model", "loss", "averaging", "class"])) == 64
    assert set(scores.table["split_kind"]) == {"random", "held_out"}
    assert score(scores, "pw", "cl") == 0.86
    assert (scores.source, scores.selection, scores.missing, scores.failed) == ("paper", "as given", (), {})
    assert (scores.num_train["random_7"], scores.num_test["random_7"]) == (515, 131)
    assert (scores.num_train["rot_1"], scores.num_test["rot_1"]) == (409, 238)
    assert set(reference_marks(scores)["bold"]) == {0, 1}


def test_default_trials_of_a_study(out: Path) -> None:
    scores = load(out)
    assert list(scores.table.columns) == [
        "model",
        "loss",
        "split",
        "split_kind",
        "axis",
        "seed",
        "averaging",
        "class",
        "dice",
    ]
    assert len(scores.table) == 4 * 3 * 4
    assert not scores.table.duplicated(KEYS).any()
    assert (scores.source, scores.selection, scores.missing, scores.failed) == (str(out), "default", (), {})
    assert scores.num_train == {"random_0": 12, "rot_0": 12}
    assert scores.num_test == {"random_0": 4, "rot_0": 4}
    expected = dice_of_shown(confusion_of("icnet-ce-random_0-s0-t00"))
    assert score(scores, "ew", "bx") == expected.ew[1]
    assert score(scores, "pooled", "all") == expected.all_pooled
    pd.testing.assert_frame_equal(load(f"file://{out}").table, scores.table)


def test_an_undefined_score_stays_undefined(out: Path) -> None:
    """No image shows cl: it is predicted only by mistake, under any tolerance."""
    for epsilon in (None, 0, 0.5):
        for averaging in ("pw", "ew", "pooled"):
            assert math.isnan(score(load(out, epsilon=epsilon), averaging, "cl"))


def test_tuned_is_chosen_by_validation(out: Path) -> None:
    """The test scores of trial 0 are the best by construction; validation says trial 1; trial 2 ties with it."""
    for cell in CELLS:
        commit(out, f"{cell}-t01", objective=0.9)
        commit(out, f"{cell}-t02", objective=0.9)
    tuned = load(out, "tuned")
    assert tuned.selection == "tuned"
    assert tuned.missing == ()
    assert score(tuned, "ew", "bx") == dice_of_shown(confusion_of("icnet-ce-random_0-s0-t01")).ew[1]
    best = max(range(3), key=lambda index: dice_of_shown(confusion_of(f"{CELLS[0]}-t0{index}")).ew[1])
    for index in range(3):
        commit(out, f"{CELLS[0]}-t0{index}", objective=0.1 + (index != best) * (0.1 + index / 10))
    assert score(load(out, "tuned"), "ew", "bx") < dice_of_shown(confusion_of(f"{CELLS[0]}-t0{best}")).ew[1]
    assert score(load(out), "ew", "bx") == dice_of_shown(confusion_of(f"{CELLS[0]}-t00")).ew[1]


def test_what_is_missing_or_failed_is_named(out: Path) -> None:
    (out / "trials" / f"{CELLS[0]}-t00.parquet").unlink()  # leaves rows that nobody committed
    commit(out, f"{CELLS[1]}-t00", status="failed", objective=None, error="loss is NaN in epoch 3")
    scores = load(out)
    assert scores.missing == (f"{CELLS[0]}-t00",)
    assert scores.failed == {f"{CELLS[1]}-t00": "loss is NaN in epoch 3"}
    assert set(scores.table["model"]) == {"unet"}
    tuned = load(out, "tuned")
    assert len(tuned.missing) == 4 * 3 - 3
    assert tuned.failed == scores.failed


def test_trials_without_scores_or_objective_are_missing(out: Path) -> None:
    (out / "dice" / f"{CELLS[0]}-t00.parquet").unlink()
    assert load(out).missing == (f"{CELLS[0]}-t00",)
    for index in range(3):
        commit(out, f"{CELLS[3]}-t0{index}", objective=None)
    assert CELLS[3] in load(out, "tuned").missing
    assert set(load(out, "tuned").table["split"]) == {"random_0", "rot_0"}


def test_where_no_trial_has_an_objective_none_is_tuned(out: Path) -> None:
    for cell in CELLS:
        for index in range(3):
            commit(out, f"{cell}-t0{index}", objective=None)
    with pytest.raises(AnalysisError, match=r"no trial has a validation score.*--select default"):
        load(out, "tuned")


def test_a_study_without_scores_has_nothing_to_analyse(tmp_path: Path) -> None:
    Results(tmp_path).write_text("study.toml", DEFINITION.to_toml())
    for epsilon in (None, 0.01):
        with pytest.raises(AnalysisError, match="no trial is done yet, of 4"):
            load(tmp_path, epsilon=epsilon)
    commit(tmp_path, f"{CELLS[0]}-t00", ["trials"], status="failed", error="the loss became nan")
    with pytest.raises(AnalysisError, match=r"no trial has scores: 1 of 4 failed .*: the loss became nan"):
        load(tmp_path)
    commit(tmp_path, f"{CELLS[1]}-t00", ["trials"])
    with pytest.raises(AnalysisError, match="1 of 4 trials are done, but no class has a test score"):
        load(tmp_path)


def test_seeds_stay_a_factor(tmp_path: Path) -> None:
    several = definition_file.load("demo", [*GRID, "grid.seeds=[0, 1]"])
    Results(tmp_path).write_text("study.toml", several.to_toml())
    for seed in (0, 1):
        commit(tmp_path, f"icnet-ce-rot_0-s{seed}-t00")
    table = load(tmp_path).table
    assert sorted(set(table["seed"])) == [0, 1]
    assert len(table) == 2 * 3 * 4


def test_trials_beyond_the_definition_are_no_part_of_it(out: Path) -> None:
    commit(out, "icnet-ce-random_5-s0-t00")
    commit(out, f"{CELLS[0]}-t07", objective=1.0)
    pd.testing.assert_frame_equal(load(out, "tuned").table, load(out).table)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe_digest": "other"}, "another recipe"),
        ({"data_fingerprint": "e"}, "mixes two data sets: icnet-ce-random_0-s0-t00 has fingerprint d, .* has e"),
        ({"split_fingerprint": "s"}, "mixes two splits called rot_0"),
    ],
)
def test_two_studies_in_one_are_refused(out: Path, changes: dict[str, str], message: str) -> None:
    commit(out, f"{CELLS[3]}-t00", **changes)
    with pytest.raises(AnalysisError, match=message):
        load(out)


@pytest.fixture
def halved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One cell of four trials with two rungs: all are done to the second epoch, and t01 and t03 go on with t00."""
    settings = ("grid.models=icnet", "grid.losses=ce", "grid.splits=random_0", "search.trials=4", "training.epochs=4")
    definition = definition_file.load("demo", (*settings, "search.halving={rungs=[2,4],keep=0.5}"))
    monkeypatch.setattr("test_analysis_load.DEFINITION", definition)
    Results(tmp_path).write_text("study.toml", definition.to_toml())
    for index, objective in enumerate((0.2, 0.6, 0.1, 0.5)):
        commit(tmp_path, f"icnet-ce-random_0-s0-t0{index}-e2", objective=objective)
    return tmp_path


def test_rungs_that_are_still_to_come_are_missing(halved: Path) -> None:
    commit(halved, "icnet-ce-random_0-s0-t00", objective=0.2)
    for select in ("default", "tuned"):
        missing = load(halved, select=select).missing
        assert missing == ("icnet-ce-random_0-s0-t01", "icnet-ce-random_0-s0-t03"), select
    (halved / "trials/icnet-ce-random_0-s0-t02-e2.parquet").unlink()
    scores = load(halved)
    assert scores.missing == ("icnet-ce-random_0-s0-t02-e2", "icnet-ce-random_0-s0"), "who goes on is not known"
    assert set(scores.missing) <= scores.cells.keys()


def test_a_training_that_halving_has_ended_is_not_counted(halved: Path) -> None:
    """Somebody has run it by itself, and it would be the best."""
    for index, objective in ((0, 0.2), (1, 0.6), (2, 0.9), (3, 0.5)):
        commit(halved, f"icnet-ce-random_0-s0-t0{index}", objective=objective)
    scores = load(halved, select="tuned")
    assert scores.study_facts("a test").chosen == ("icnet-ce-random_0-s0-t01",)
    assert sorted(scores.study_facts("a test").completed["index"]) == [0, 1, 3]
    assert not scores.missing


def test_a_training_that_diverged_at_a_rung_is_told_once(halved: Path) -> None:
    failed = {"status": "failed", "error": "the training loss became nan", "objective": None}
    commit(halved, "icnet-ce-random_0-s0-t00-e2", kept=("trials",), **failed)
    for index in (1, 2, 3):  # as many as were to go on, the default one in whose place t02 is
        commit(halved, f"icnet-ce-random_0-s0-t0{index}", objective=0.5)
    scores = load(halved, select="tuned")
    assert scores.failed == {"icnet-ce-random_0-s0-t00-e2": "the training loss became nan"}
    assert not scores.missing
    with pytest.raises(AnalysisError, match="1 of 1 failed \\(icnet-ce-random_0-s0-t00-e2"):
        load(halved)


def test_recomputed_scores(out: Path) -> None:
    stored, same = load(out), load(out, epsilon=DEFINITION.training.epsilon)
    pd.testing.assert_frame_equal(stored.table, same.table, check_exact=True)
    trial = "unet-ce-rot_0-s0-t00"
    strict, by_hand = load(out, epsilon=0), dice_of_shown(confusion_of(trial), 0)
    for name, value in zip(CLASSES, by_hand.pw, strict=True):
        assert score(strict, "pw", name, "unet", "rot_0") == pytest.approx(value, abs=0, nan_ok=True)
    assert score(strict, "ew", "all", "unet", "rot_0") == by_hand.all_ew
    assert not strict.table.equals(stored.table)


@pytest.mark.parametrize("table", ["trials", "dice", "confusion"])
@pytest.mark.parametrize("content", [None, b"torn"])
def test_a_trial_with_a_lost_or_torn_file_is_missing(out: Path, table: str, content: bytes | None) -> None:
    victim = out / table / f"{CELLS[2]}-t00.parquet"
    victim.unlink() if content is None else victim.write_bytes(content)
    assert f"{CELLS[2]}-t00" in load(out).missing
    assert f"{CELLS[2]}-t00" not in set(load(out, epsilon=0.01).study_facts("this").chosen)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere",), r"nowhere is not a study \(no study.toml in it\), nor a CSV"),
        (("nowhere.csv",), r"nowhere\.csv: cannot be read as a CSV"),
        (("paper", "best"), "'best' is not a selection; choose one of default, tuned"),
        (("paper", "tuned"), "paper holds scores only"),
        (("paper", "default", 0.01), "paper holds scores only"),
        (("paper", "default", math.nan), "nan is not a noise tolerance"),
        (("odd://place",), "no place to keep results"),
    ],
)
def test_what_cannot_be_answered(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(AnalysisError, match=message):
        load(*arguments)


GOOD = "model,loss,split,averaging,class,dice\nicnet,ce,random_0,pw,bx,0.5\nicnet,ce,rot_0,pw,NA,\n"


def test_a_tidy_csv(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("\ufeff" + GOOD, encoding="utf-8")
    scores = load(path)
    assert list(scores.table["class"]) == ["bx", "NA"]
    assert list(scores.table["split_kind"]) == ["random", "held_out"]
    assert list(scores.table["seed"]) == [0, 0]
    assert scores.table["dice"].iloc[0] == 0.5
    assert math.isnan(scores.table["dice"].iloc[1])
    assert (scores.source, scores.selection, scores.num_test) == (str(path), "as given", {})
    with pytest.raises(AnalysisError, match="no printed marks"):
        reference_marks(scores)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read"),
        ("\x00\xff\xfe", "cannot be read|no column"),
        (GOOD.partition("\n")[0] + "\n", "no rows"),
        (GOOD.replace("averaging,", "", 1), "cannot be read"),
        (GOOD.replace("averaging", "mean"), "no column averaging; a table of scores has model, loss,"),
        (GOOD.replace("averaging", "dice"), "no column averaging"),
        (GOOD.replace("dice", "dice,dice").replace("0.5", "0.5,0.5").replace("NA,", "NA,,"), "two columns dice"),
        (GOOD.replace("0.5", "50"), r"dice must be from 0 to 1: '50' in row 1 \(1 such rows\)"),
        (GOOD.replace("0.5", "-0.1"), "dice must be from 0 to 1"),
        (GOOD.replace("0.5", "inf"), "dice must be from 0 to 1"),
        (GOOD.replace("0.5", "good"), "dice is not a number; leave an undefined score empty: 'good' in row 1"),
        (GOOD.replace("icnet", ""), "model is empty"),
        (
            GOOD.replace("rot_0", "fold3"),
            "split must be random_<number> or rot_<number>, of at most 9 digits, unless .*: 'fold3' in row 2",
        ),
        (GOOD.replace("pw", "macro"), "averaging must be one of pw, ew, pooled"),
        (
            GOOD.replace("dice", "dice,seed").replace("0.5", "0.5,1.5").replace("NA,", "NA,,0"),
            "seed must be a whole",
        ),
        (GOOD + "icnet,ce,random_0,pw,bx,0.6\n", "1 scores given twice .model icnet, .*class bx, for one"),
    ],
)
def test_bad_tables_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "scores.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(AnalysisError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value)


def test_bad_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    path.write_bytes(b"PAR1 torn")
    with pytest.raises(AnalysisError, match="cannot be read as a CSV or Parquet file"):
        load(path)
    frame = load("paper").table
    frame[:0].to_parquet(path)
    with pytest.raises(AnalysisError, match="no rows"):
        load(path)
    frame.assign(model=frame["model"].where(frame.index != 3)).to_parquet(path)
    with pytest.raises(AnalysisError, match=r"model is empty: .* in row 4"):
        load(path)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_comes_back_as_it_was(tmp_path: Path, suffix: str) -> None:
    table = load("paper").table.assign(note="mine")
    table.loc[5, "dice"] = np.nan
    path = tmp_path / f"scores.{suffix}"
    table.to_csv(path, index=False) if suffix == "csv" else table.set_index(KEYS).to_parquet(path)
    pd.testing.assert_frame_equal(load(path).table, table.drop(columns="note"))


names = st.text("abzNA_,\"' ", min_size=1).filter(lambda name: name == name.strip())
keys = st.tuples(names, names, st.sampled_from(["random_0", "random_12", "rot_3"]), st.integers(0, 9))


@given(st.dictionaries(st.tuples(keys, st.sampled_from(["pw", "ew", "pooled"]), names), st.floats(0, 1), min_size=1))
def test_any_table_comes_back(tmp_path_factory: pytest.TempPathFactory, scores: dict[Any, float]) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    rows = [(*key, averaging, name, value) for (key, averaging, name), value in scores.items()]
    table = pd.DataFrame(rows, columns=[*KEYS, "dice"])
    table.to_csv(path, index=False)
    order = class_order(dict.fromkeys(row[5] for row in rows))
    in_order = pd.DataFrame(sorted(rows, key=lambda row: order.index(row[5])), columns=table.columns)
    pd.testing.assert_frame_equal(load(path).table[[*KEYS, "dice"]], in_order)


@pytest.mark.parametrize(("column", "value"), [("class", "bg "), ("class", " all"), ("model", "net "), ("loss", " ce")])
def test_a_name_that_differs_by_a_blank_alone_is_refused(tmp_path: Path, column: str, value: str) -> None:
    row = {"model": "net", "loss": "ce", "split": "random_0", "averaging": "ew", "class": "mug", "dice": "0.5"}
    table = pd.DataFrame([row, row | {"class": "pen"} | {column: value}])
    table.to_csv(tmp_path / "scores.csv", index=False)
    with pytest.raises(AnalysisError, match=f"{column} begins or ends with a blank: {value!r} in row 2"):
        load(tmp_path / "scores.csv")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (GOOD.encode("utf-16"), "text in UTF-16; save it as CSV in UTF-8"),
        (GOOD.replace(",", ";").encode(), "separated by semicolons"),
    ],
)
def test_a_csv_of_another_kind_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "scores.csv").write_bytes(content)
    with pytest.raises(AnalysisError, match=message):
        load(tmp_path / "scores.csv")


KINDS = """model,loss,split,split_kind,axis,averaging,class,dice
icnet,ce,random_0,random,,ew,bx,0.5
icnet,ce,clinic b,{kind},{axis},ew,bx,0.4
"""


@pytest.mark.parametrize(
    ("kind", "axis", "said"),
    [
        ("held_out", "site", "held-out site split"),
        ("held_out", "", "held-out split"),
        ("rotation", "", "held-out split"),
    ],
)
def test_kind_and_axis_of_a_split_are_columns(tmp_path: Path, kind: str, axis: str, said: str) -> None:
    path = tmp_path / "scores.csv"
    path.write_text(KINDS.format(kind=kind, axis=axis))
    table = load(path).table
    assert list(table["split_kind"]) == ["random", "held_out"]
    assert list(table["axis"]) == ["", axis]
    assert HeldOut.of(table).split == said


def test_without_a_column_of_axes_they_are_unknown(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text(KINDS.format(kind="rotation", axis="site").replace("axis", "else"))
    assert list(load(path).table["axis"]) == ["", ""]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            KINDS.format(kind="other", axis=""),
            "split_kind must be one of random, held_out, fold, given, matched, share: 'other' in row 2",
        ),
        (
            KINDS.format(kind="held_out", axis="site") + "unet,ce,clinic b,held_out,age,ew,bx,0.4\n",
            "split has two kinds or axes: 'clinic b' in row 2",
        ),
    ],
)
def test_kinds_that_contradict_each_other_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "scores.csv"
    path.write_text(text)
    with pytest.raises(AnalysisError, match=message):
        load(path)


def test_words_for_held_out_splits_name_every_axis() -> None:
    table = pd.DataFrame({"split_kind": ["random", "held_out", "held_out"], "axis": ["", "angle", "site"]})
    assert HeldOut.of(table).samples == "samples whose angle or site was not trained on"
    assert HeldOut.of(table).split == "held-out angle or site split"
    assert HeldOut.of(table.assign(axis="")).samples == "held-out samples"
    mixed = table.assign(axis=["", "angle", ""])
    assert HeldOut.of(mixed).samples == "held-out samples", "an unknown axis is not spoken of by another's name"


def test_classes_keep_the_order_in_which_they_come_and_the_papers_have_the_papers() -> None:
    assert class_order(["all", "organ_2", "organ_10", "bo", "bg"]) == ["bg", "organ_2", "organ_10", "bo", "all"]
    assert class_order(["all", "bo", "du", "bg"]) == ["bg", "du", "bo", "all"]


@pytest.mark.parametrize(
    ("fingerprints", "one"), [(["a", "a", "a"], True), (["a", "b", "c"], False), (["a", "a", ""], False)]
)
def test_a_tidy_table_can_say_that_its_random_splits_are_one_division(
    tmp_path: Path, fingerprints: list[str], one: bool
) -> None:
    splits = [f"random_{i}" for i in range(3)]
    rows = [("m", "ce", split, "ew", "bx", 0.5, name) for split, name in zip(splits, fingerprints, strict=True)]
    columns = ["model", "loss", "split", "averaging", "class", "dice", "split_fingerprint"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "t.csv", index=False)
    scores = load(tmp_path / "t.csv")
    assert scores.one_division is one
    assert scores.test_to_train == (0.0 if one else None)


def test_the_papers_random_splits_are_one_division_and_a_studys_are_not(out: Path) -> None:
    assert load("paper").one_division
    assert not load(out).one_division


def test_two_divisions_under_one_name_are_refused(tmp_path: Path) -> None:
    text = "model,loss,split,averaging,class,dice,split_fingerprint\n"
    (tmp_path / "t.csv").write_text(text + "m,ce,random_0,ew,bx,.5,a\nm,ce,random_0,ew,cl,.5,b\n")
    with pytest.raises(AnalysisError, match="split has two values of split_fingerprint"):
        load(tmp_path / "t.csv")


def test_random_splits_that_are_one_division_in_part_are_refused(tmp_path: Path) -> None:
    """Eight splits of two divisions are two draws: every interval would be too narrow."""
    table = load("paper").table.query("split_kind == 'random' and averaging == 'ew'")
    halves = table["split"].map(lambda name: "first" if name < "random_4" else "second")
    table.assign(split_fingerprint=halves).to_csv(path := tmp_path / "scores.csv", index=False)
    with pytest.raises(AnalysisError, match="random_0, random_1, random_2, random_3 divide the images in the same way"):
        load(path)


@pytest.mark.parametrize("name", ["Background", "BG", "_background_"])
def test_whatever_data_sets_call_the_background_is_no_object(tmp_path: Path, name: str) -> None:
    table = load("paper").table.replace({"class": {"bg": name}})
    table.drop(columns="axis").to_csv(path := tmp_path / "scores.csv", index=False)
    expected, found = (by_split(load(each).table).xs(MACRO, level="class") for each in ("paper", path))
    pd.testing.assert_frame_equal(found, expected)


def test_the_background_of_a_tidy_table_can_be_stated(tmp_path: Path) -> None:
    """It would count as an object, and turn a fall of the objects into stability."""
    table = load("paper").table.drop(columns="axis")
    table.replace({"class": {"bg": "soil"}}).to_csv(path := tmp_path / "scores.csv", index=False)
    expected, found = (
        by_split(scores.table).xs(MACRO, level="class") for scores in (load("paper"), load(path, background="soil"))
    )
    pd.testing.assert_frame_equal(found, expected)
    assert not by_split(load(path).table).xs(MACRO, level="class").equals(expected)
    with pytest.raises(AnalysisError, match=r"no class is called 'earth', to be the background; there are ad, all, bo"):
        load(path, background="earth")
    with pytest.raises(AnalysisError, match="paper: what the background is called is for a tidy table"):
        load("paper", background="soil")
    table.replace({"class": {"bx": "soil"}}).to_csv(path, index=False)
    with pytest.raises(
        AnalysisError, match=r"class 'bg' is a background, and so is 'soil', as stated: keep one of them"
    ):
        load(path, background="soil")
