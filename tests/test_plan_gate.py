"""`study plan --gate`: larger definitions, what they take, and the words for it."""

from __future__ import annotations

import json
from pathlib import Path
from types import MappingProxyType

import pytest

from study.cells import trials
from study.commands.plan_gate import GatePlan, Size, sized
from study.definition.file import load
from study.terminal.cli import main
from study.terminal.gate_plan import gate_plan_in_lines

STATED = ("--assume", "mean=0.8,sd=0.03,seed-sd=0.01,gap=0.02")


def test_a_larger_definition_keeps_its_own_splits_and_seeds_first() -> None:
    definition = load("paper", ["grid.splits=random_1,random_0,rot_0", "grid.seeds=5"])
    larger = sized(definition, 4, 3).grid
    assert larger.splits == ("random_1", "random_0", "random_2", "random_3", "rot_0")
    assert larger.seeds == (5, 0, 1)
    smaller = sized(load("paper", ["grid.seeds=1,2"]), 4, 1).grid
    assert smaller.splits == ("random_0", "random_1", "random_2", "random_3", "rot_0", "rot_1", "rot_2")
    assert smaller.seeds == (1,)


def test_a_larger_definition_has_shares_of_its_new_splits_and_of_its_held_out_ones() -> None:
    grid = ["grid.splits=random_0,rot_0", "grid.train_shares=0.5,1", "grid.models=icnet", "grid.losses=ce"]
    larger = sized(load("paper", [*grid, "search.trials=1"]), 4, 2)
    assert len(trials(larger)) == (4 + 1) * 2 * 2
    assert {"random_3_50pc", "rot_0_50pc"} <= set(larger.all_splits)


@pytest.mark.slow
def test_what_a_gate_takes_of_the_paper(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    ask = ["plan", "paper", "--out", str(tmp_path / "none"), "--gate", "max-gap=0.1,max-sd=0.1", *STATED]
    assert main([*ask, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert "gap 0.02 to 3 held-out splits" in answer["headline"], "as many as the definition has"
    for row in answer["rows"]:
        if row["random_splits"]:
            assert row["trainings"] == row["missing"] == (row["random_splits"] + 3) * row["seeds"] * 4
    planned = [row for row in answer["rows"] if row["random_splits"]]
    cheapest = min(planned, key=lambda row: float(row["seconds"]))
    assert [row["cheapest"] for row in answer["rows"]] == [row is cheapest for row in answer["rows"]]
    assert main(ask) == 0
    shown = capsys.readouterr().out
    assert shown.count("<- cheapest") == 1
    assert "of one worker" in shown
    assert "this machine may take several times as long" in shown
    assert not (tmp_path / "none").exists(), "a plan writes nothing"


@pytest.mark.slow
def test_the_pilot_is_what_out_holds(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from simulated_study import write_study

    splits = ",".join([*(f"random_{i}" for i in range(5)), "rot_0"])
    settings = ["simulate=true", f"grid.splits={splits}", "grid.models=icnet", "grid.losses=ce", "search.trials=1"]
    out = write_study(tmp_path / "out", load("paper", settings))
    words = [word for setting in settings for word in ("--set", setting)]
    assert main(["plan", "paper", "--out", str(out), *words, "--gate", "max-sd=0.3,class=macro"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("SIMULATED")
    assert "5 random splits, one seed" in shown
    assert main(["plan", "paper", "--out", str(tmp_path / "b"), "--gate", "max-sd=.1", "--pilot", str(out)]) == 2
    assert "holds simulated scores" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--pilot", "paper"], "say which limits"),
        (["--gate", "gap=0.1"], "--gate 'gap=0.1': give NAME=VALUE"),
        (["--gate", "max-gap=0.1"], "holds no scores yet that tell how they move"),
        (["--gate", "max-gap=0.1", "--pilot", "paper", *STATED], "not both"),
        (["--gate", "max-gap=0.1", *STATED, "--set", "grid.splits=random_0"], "grid.splits has no held-out splits"),
    ],
)
def test_what_cannot_be_planned_is_one_message(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["plan", "paper", "--out", str(tmp_path / "none"), *arguments]) == 2
    said = capsys.readouterr()
    assert not said.out
    assert words in said.err


def test_sizes_that_cannot_be_planned_say_why() -> None:
    sizes = (
        Size(1, None, MappingProxyType({"seeds": "1", "random splits": "over 200"}), None),
        Size(2, 30, MappingProxyType({"seeds": "2", "random splits": "30"}), None, "random_7 is random_2"),
    )
    lines = gate_plan_in_lines(GatePlan("So many:", sizes, ("Remark.",), ({}, {})))
    assert lines[-1] == "With 2 seeds: random_7 is random_2"
    assert lines[2].split() == ["1", "over", "200", "-", "-", "-"]
