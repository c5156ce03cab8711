"""Looking at a study while it grows: where, with which share of the error, and the same study however it is run."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_study import assert_same_facts, study

from analysis.gate import check
from analysis.load import load as load_scores
from study.commands.until_decided import take_look
from study.definition.file import load
from study.errors import StudyError
from study.looks import Look, Looks, looks_up_to, parsed_gate, read_looks, refuse_other_looks, with_first, write_look
from study.results import Results

GATE = {"max-sd": "0.1"}


@given(st.integers(4, 500))
def test_all_looks_together_spend_what_one_may(num_random: int) -> None:
    looks = looks_up_to(num_random)
    assert looks[0].num_random == 4
    assert looks[-1].num_random == num_random
    assert sum(look.share for look in looks) == pytest.approx(1)
    assert all(0 < look.share <= 1 for look in looks)
    assert all(earlier.num_random < later.num_random for earlier, later in pairwise(looks))


def test_eight_random_splits_are_looked_at_three_times() -> None:
    assert looks_up_to(8) == (Look(4, 0.5), Look(6, 0.25), Look(8, 0.25))


def test_a_decision_elsewhere_spends_what_is_left() -> None:
    looks = Looks(GATE, looks_up_to(8), taken=2)
    assert looks.share_at(4) == 0.5
    assert looks.share_at(6) == 0.25
    assert looks.share_at(8) == 0.25, "not looked at yet"
    assert looks.share_at(20) == 0.25
    assert Looks(GATE, looks_up_to(8), taken=3).share_at(20) == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "give NAME=VALUE"),
        ("max-gap", "give NAME=VALUE"),
        ("max-gap=x", "a number from 0 to 1"),
        ("max-gap=nan", "a number from 0 to 1"),
        ("max-gap=2", "a number from 0 to 1"),
        ("gap=0.1", "'gap=0.1': give NAME=VALUE, once for each name; names are max-gap"),
        ("max-gap=0.1,max-gap=0.2", "once for each name"),
        ("class=macro", "give a limit, one at least of max-gap, max-sd, min-dice"),
    ],
)
def test_what_cannot_be_asked_is_refused(text: str, words: str) -> None:
    with pytest.raises(StudyError) as refused:
        parsed_gate(text)
    assert words in str(refused.value)


def test_a_study_grows_by_its_random_splits_alone() -> None:
    definition = load("paper")
    assert with_first(definition, 4).grid.splits == (
        "random_0",
        "random_1",
        "random_2",
        "random_3",
        "rot_0",
        "rot_1",
        "rot_2",
    )
    assert with_first(definition, 8).grid.splits == definition.grid.splits
    shared = load("paper", ["grid.train_shares=0.5,1", "grid.splits=random_0,random_1,random_2,rot_0,random_2_50pc"])
    assert with_first(shared, 1).all_splits == ("random_0", "rot_0", "random_2_50pc", "random_0_50pc", "rot_0_50pc")
    with pytest.raises(StudyError, match=r"from 4 random splits on, and grid.splits has 2"):
        Looks.of(load("paper", ["grid.splits=random_0,random_1,rot_0"]), GATE)


def test_looks_are_kept_and_other_ones_refused(tmp_path: Path) -> None:
    results, looks = Results(tmp_path), Looks(GATE, looks_up_to(8))
    assert read_looks(results) is None
    refuse_other_looks(results, looks)
    write_look(results, looks, 2)
    write_look(results, looks, 1)  # a run that goes over it again
    kept = read_looks(results)
    assert kept
    assert (kept.taken, kept.planned, kept.gate) == (2, looks.planned, GATE)
    for other in (Looks({"max-sd": "0.2"}, looks_up_to(8)), Looks(GATE, looks_up_to(12))):
        with pytest.raises(
            StudyError, match=r"was looked at with --until-decided max-sd=0.1 and up to 8 random splits"
        ):
            refuse_other_looks(results, other)
    (tmp_path / "looks.json").write_text("{}")
    with pytest.raises(StudyError, match=r"looks.json is not a record of looks"):
        read_looks(results)


@pytest.mark.slow
def test_a_study_called_paper_is_asked_about_and_not_the_papers_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StudyError, match=r"`analysis check` gave no answer: .*paper is not a study"):
        take_look("paper", Looks({"min-dice": "0.1"}, looks_up_to(8)), 1, simulated=False)


@pytest.mark.slow
def test_a_study_is_stopped_when_it_is_decided_and_the_same_however_it_is_run(definition: Path, tmp_path: Path) -> None:
    """By a limit that is plainly kept: at its first look. Then by one that never is decided: at all of them."""
    grid = ("--simulate", "--set", "grid.losses=ce", "--set", "search.trials=1")
    grid += ("--set", f"grid.splits={','.join(f'random_{i}' for i in range(6))},rot_0")
    plain = study(
        "run", definition, "--out", tmp_path / "plain", *grid, "--until-decided", "min-dice=0.001,class=macro"
    )
    assert plain.returncode == 0, plain.stdout + plain.stderr
    assert "Look 1 of 2 at most, at 4 random splits." in plain.stdout
    assert "STABLE: of 2 checks" in plain.stdout
    assert "Look 2" not in plain.stdout
    splits = {path.name.split("-")[2] for path in (tmp_path / "plain" / "trials").glob("*.parquet")}
    assert splits == {"random_0", "random_1", "random_2", "random_3", "rot_0"}
    gate = check(load_scores(str(tmp_path / "plain")), min_dice=0.001, class_="macro", simulated=True)
    assert "looked at while it grew, at 4 random splits" in gate.how
    value = gate.checks["value"].iloc[0]
    never = ("--until-decided", f"min-dice={value:.3f},class=macro")
    other = study("run", definition, "--out", tmp_path / "plain", *grid, *never)
    assert other.returncode == 2
    assert "was looked at with --until-decided min-dice=0.001,class=macro" in other.stderr
    whole = study("run", definition, "--out", tmp_path / "whole", *grid, *never)
    assert whole.returncode == 0, whole.stdout + whole.stderr
    assert "Look 2 of 2 at most, at 6 random splits." in whole.stdout
    at_once = study("run", definition, "--out", tmp_path / "at_once", *grid)
    assert at_once.returncode == 0
    assert_same_facts(tmp_path / "whole", tmp_path / "at_once")
