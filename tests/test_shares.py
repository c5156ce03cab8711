"""Shares of the training samples: nested, stratified, whole in units, and the same val and test as the whole split."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_pairs import write_definition as write_pairs
from small_study import assert_same_facts, facts, study, write_definition
from tables import by_patient, tables

from study.cells import cells, trials
from study.data_set import data_set_of
from study.definition import Definition
from study.definition.file import load, parse
from study.errors import StudyError
from study.splits import make_split, make_splits, split_problems
from study.terminal.cli import main
from trainers.data.cut_outs.catalogue import read_catalogue
from trainers.data.table import Sample, Samples

STANDIN = read_catalogue("standin").samples
SHARED = load("paper", ["grid.train_shares=0.25,0.5,1"])
SPLITS = make_splits(SHARED, STANDIN)
CLASS_OF = {row.id: row.classes[0] for row in STANDIN.rows}


def shared(*shares: float, seed: int = 0, **section: object) -> Definition:
    grid = {"splits": ["random_0"], "train_shares": [*shares, 1.0]}
    return parse({"seed": seed, "grid": grid, "splits": section, "training": {"batch_size": 2}})


WHOLES = [*(f"random_{i}" for i in range(8)), "rot_0", "rot_1", "rot_2"]


def test_every_random_and_held_out_split_has_its_shares_and_no_other_split_has() -> None:
    shares = [f"{whole}_{percent}pc" for percent in (25, 50) for whole in WHOLES]
    assert list(SPLITS) == [*WHOLES, *shares]
    assert len(cells(SHARED)) == 4 * len(SPLITS)
    others = load("paper", ["grid.splits=random_0,fold_0,matched_rot_0", "grid.train_shares=0.5,1"])
    assert others.all_splits == ("random_0", "fold_0", "matched_rot_0", "random_0_50pc")


def test_a_share_that_is_named_has_no_shares_of_its_own() -> None:
    grid = ["grid.splits=random_0,random_0_50pc,rot_0_50pc", "grid.train_shares=0.25,0.5,1"]
    assert load("paper", grid).all_splits == ("random_0", "random_0_50pc", "rot_0_50pc", "random_0_25pc")


def test_a_held_out_split_may_be_called_like_a_share_where_none_is_called_so() -> None:
    held_out = {"angle": {"rot": [0], "rot_25pc": [45]}}
    named: dict[str, object] = {"splits": {"held_out": held_out}, "grid": {"splits": ["random_0", "rot", "rot_25pc"]}}
    assert parse(named).splits.kind_of("rot_25pc") == "held_out"
    with pytest.raises(StudyError, match=r"a share would be called rot_25pc, as a split of splits.held_out is: rename"):
        parse(named | {"grid": {"splits": ["random_0", "rot"], "train_shares": [0.25, 1.0]}})


@pytest.mark.parametrize("name", WHOLES)
def test_shares_are_nested_and_stratified_and_leave_val_and_test_as_they_are(name: str) -> None:
    whole, half, quarter = (SPLITS[f"{name}{end}"] for end in ("", "_50pc", "_25pc"))
    assert set(quarter.train) < set(half.train) < set(whole.train)
    of_whole = Counter(CLASS_OF[id_] for id_ in whole.train)
    for share, percent in ((half, 50), (quarter, 25)):
        assert (share.val, share.test, share.kind, share.whole) == (whole.val, whole.test, "share", whole.name)
        assert share.axis is None
        found = Counter(CLASS_OF[id_] for id_ in share.train)
        assert all(abs(found[name] - percent / 100 * count) <= 0.5 for name, count in of_whole.items())
    assert len({SPLITS[f"random_{i}_25pc"].fingerprint for i in range(8)}) == 8


def test_without_shares_nothing_changes() -> None:
    paper = load("paper")
    assert paper.grid.train_shares == (1.0,)
    assert paper.recipe_digest() == SHARED.recipe_digest()
    assert set(trials(paper)) < set(trials(SHARED))
    assert make_splits(paper, STANDIN) == {name: SPLITS[name] for name in paper.grid.splits}


def test_a_share_has_the_backgrounds_of_its_split(tmp_path: Path) -> None:
    definition = load(
        write_definition(tmp_path), ["grid.splits=random_0", "grid.train_shares=0.5,1", "search.trials=1"]
    )
    source = data_set_of(definition).load().source
    whole, share = (make_split(name, definition, source.samples) for name in ("random_0", "random_0_50pc"))
    for ids in (whole.val, whole.test):
        pairs = zip(source.for_evaluation(whole, ids), source.for_evaluation(share, ids), strict=True)
        assert all(np.array_equal(a, b) for ours, theirs in pairs for a, b in zip(ours, theirs, strict=True))


@given(tables, st.integers(0, 5), st.sampled_from([None, "patient"]))
def test_units_stay_whole_and_shares_nested(samples: Samples, seed: int, unit: str | None) -> None:
    definition = shared(0.3, 0.6, seed=seed, unit=unit, allow_absent_classes=True)
    whole = make_split("random_0", definition, samples)
    before: set[str] = set()
    patient_of = {row.id: row.values["patient"] for row in samples.rows}
    for name in ("random_0_30pc", "random_0_60pc"):
        try:
            found = make_split(name, definition, samples)
        except StudyError as refused:
            assert "take a larger share in grid.train_shares" in str(refused)  # noqa: PT017 - few units: none is left
            continue
        assert before <= set(found.train) <= set(whole.train)
        assert (found.val, found.test) == (whole.val, whole.test)
        if unit:
            kept, left = ({patient_of[id_] for id_ in ids} for ids in (found.train, {*whole.train} - {*found.train}))
            assert not kept & left
        before = set(found.train)


def test_of_the_order_of_the_samples_a_share_asks_nothing() -> None:
    samples = by_patient(*[["l", "s", "r"]] * 8)
    definition = shared(0.5)
    whole, share = (make_split(name, definition, samples) for name in ("random_0", "random_0_50pc"))
    turned = Samples(samples.classes, samples.rows[::-1])
    other, of_other = (make_split(name, definition, turned) for name in ("random_0", "random_0_50pc"))
    if set(whole.train) == set(other.train):
        assert set(share.train) == set(of_other.train)


def test_a_share_without_a_class_is_refused_by_name() -> None:
    rows = [Sample(f"{name}{i}", (name,), {}) for name, count in (("leaf", 40), ("stem", 5)) for i in range(count)]
    problems = [str(each) for each in split_problems(shared(0.1), Samples(("leaf", "stem"), tuple(rows)))]
    assert len(problems) == 1
    assert "random_0_10pc, class stem" in problems[0]
    assert "no sample to train on: take a larger share in grid.train_shares, or add samples" in problems[0]


def test_of_images_of_several_classes_too() -> None:
    rows = [Sample(f"a{i:02d}", ("leaf", "stem") if i < 4 else ("leaf",), {}) for i in range(40)]
    found = split_problems(shared(0.05, validation_share=0.3, test_share=0.3), Samples(("leaf", "stem"), tuple(rows)))
    assert any("random_0_5pc, class stem" in str(each) and "a larger share" in str(each) for each in found)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["grid.train_shares=0.25,0.5"], "grid.train_shares: must rise, and end with 1.0"),
        (["grid.train_shares=0.5,0.25,1"], "must rise"),
        (["grid.train_shares=0.125,1"], "must be whole percents, such as 0.25, and 0.125 is none"),
        (["grid.train_shares=0,1"], "grid.train_shares"),
        (["grid.train_shares=0.5,1", "grid.splits=fold_0"], "splits names no random one; add some, such as random_0"),
        (["grid.splits=random_0_00pc"], "random_<number>_<percent>pc"),
        (["grid.splits=fold_0_25pc"], "random_<number>_<percent>pc"),
        (["grid.splits=rot_0_25pc_25pc"], "random_<number>_<percent>pc (or that of a held-out split)"),
        (["grid.splits=matched_rot_0_25pc"], "only a held-out, fold or given split is matched, and rot_0_25pc is none"),
    ],
)
def test_shares_that_there_are_not(settings: list[str], words: str) -> None:
    with pytest.raises(StudyError) as caught:
        load("paper", settings)
    assert words in str(caught.value)


def test_one_share_alone_can_be_named() -> None:
    definition = load("paper", ["grid.splits=random_0_25pc"])
    assert make_splits(definition, STANDIN) == {"random_0_25pc": SPLITS["random_0_25pc"]}


def test_data_names_what_cannot_be_made(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = write_definition(tmp_path)
    assert main(["data", "--definition", str(path), "--set", "grid.train_shares=0.02,1"]) == 1
    assert "random_0_2pc, class mug" in capsys.readouterr().out


@pytest.mark.slow
def test_a_study_with_shares_is_a_pure_function(tmp_path: Path) -> None:
    """Through the real Ray; one trial of a share again, by itself."""
    definition, out, other = write_pairs(tmp_path), tmp_path / "out", tmp_path / "other"
    settings = ("grid.losses=ce", "search.trials=1", "grid.train_shares=0.5,1", "training.epochs=1")
    more = [part for setting in settings for part in ("--set", setting)]
    planned = study("plan", definition, "--out", out, *more)
    assert "icnet-ce-random_1_50pc-s0" in planned.stdout, planned.stdout + planned.stderr
    done = study("run", definition, "--out", out, "--set", "resources.workers=2", *more)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "50 % of their training images" in done.stdout
    rows = facts(out)["trials"].to_pandas().set_index("split")
    assert list(rows.index) == ["random_0", "random_0_50pc", "random_1", "random_1_50pc"]
    assert list(rows["split_kind"]) == ["random", "share"] * 2
    assert rows["num_train"]["random_0_50pc"] * 2 in range(rows["num_train"]["random_0"] - 1, 20)
    assert rows["num_val"].nunique() == rows["num_test"].nunique() == 1
    again = study("trial", "icnet-ce-random_1_50pc-s0-t00", definition, "--out", out, *more)
    assert "gave the same tables, bit for bit" in again.stdout, again.stdout + again.stderr
    without = [part for setting in settings if "shares" not in setting for part in ("--set", setting)]
    whole = study("run", definition, "--out", other, *without)
    assert whole.returncode == 0, whole.stdout + whole.stderr
    grown = study("run", definition, "--out", other, *more)
    assert grown.returncode == 0, grown.stdout + grown.stderr
    assert_same_facts(other, out)
