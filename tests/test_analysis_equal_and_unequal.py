"""Sentences on scores that are all equal, on configurations with unequal splits, and on a study that was looked at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from analysis.commands import compare, stability
from analysis.enough import enough
from analysis.errors import AnalysisError
from analysis.gate import check
from analysis.load import load
from analysis.scores import Scores
from analysis.verdict import verdict
from study.looks import Looks, looks_up_to

COLUMNS = ["model", "loss", "split", "split_kind", "seed", "averaging", "class", "dice"]
BEST = "Which configuration is best on random splits?"


def scores(dice: dict[str, dict[str, float]]) -> Scores:
    """From model -> split -> Dice of two classes that are alike."""
    rows = [
        (model, "ce", split, "random" if split.startswith("random") else "held_out", 0, "ew", name, value)
        for model, of_model in dice.items()
        for split, value in of_model.items()
        for name in ("mug", "pen")
    ]
    return Scores(pd.DataFrame(rows, columns=COLUMNS).assign(axis=""), "made", "as given", num_train={}, num_test={})


def said(known: Scores) -> dict[str, str]:
    return {finding.question: " ".join(finding.points) for finding in verdict(known)}


EASY = {f"random_{i}": 0.8 + i / 1000 for i in range(6)}
HARD = {"random_6": 0.5, "random_7": 0.49}


def test_a_lead_is_over_the_splits_that_both_were_trained_on() -> None:
    """a is better on every split; that it alone was trained on the hard ones makes it none the worse."""
    known = scores({"a": EASY | HARD, "b": {split: dice - 0.02 for split, dice in EASY.items()}})
    words = said(known)[BEST]
    assert words.startswith("a ce leads b ce by 0.020")
    assert "judged on 6 of 8 random splits, those on which every configuration has a score" in words
    sized = replace(known, num_train=dict.fromkeys([*EASY, *HARD], 80), num_test=dict.fromkeys([*EASY, *HARD], 20))
    assert "b ce leads" not in said(sized)[BEST]
    assert "judged on" not in said(scores({"a": EASY, "b": {split: dice - 0.02 for split, dice in EASY.items()}}))[BEST]


def test_without_a_split_in_common_none_leads() -> None:
    words = said(scores({"a": EASY, "b": HARD}))[BEST]
    assert words == "No answer: on no random split has every configuration a score."


def test_where_one_configuration_alone_has_a_mean_it_is_said_that_none_leads() -> None:
    known = scores({"a": EASY, "b": EASY})
    no_pen = (known.table["model"] == "b") & (known.table["class"] == "pen")
    known = replace(known, table=known.table.assign(dice=known.table["dice"].mask(no_pen)))
    assert said(known)[BEST] == "No answer: on random splits, a ce alone has a mean of the classes."
    assert BEST not in said(scores({"a": EASY})), "nothing to compare"


@pytest.mark.parametrize("value", [1.0, 0.95, 0.0])
def test_equal_scores_neither_rise_nor_lead(value: float) -> None:
    splits = dict.fromkeys([f"random_{i}" for i in range(6)] + ["rot_0", "rot_1"], value)
    known = scores({"a": splits, "b": splits})
    words = said(known)
    why = "all random splits gave the same score" if value == 0.95 else f"all 6 values are {value:.3f}."
    assert f"cannot say how steady the models are: {why}" in words["In short"]
    assert "does not drop in either configuration" in words["In short"]
    assert ("All 32 scores" in words["In short"]) == (value > 0)
    assert "The lowest score seen" not in words["In short"]
    assert "it stays as it is" in words["Does it hold on held-out samples?"]
    assert "held-out splits score the same as random ones" in words["Does it hold on held-out samples?"]
    assert words[BEST].startswith("a ce and b ce have the same mean")
    told = " ".join(words.values())
    assert not any(wrong in told for wrong in ("rises", "drops by", "leads", "higher than random"))
    (answer,) = compare(known, ("a", "ce"), ("b", "ce"), test_to_train=0.25).findings
    assert answer.points[0].startswith("Both have the same mean")


def test_one_configuration_whose_mean_stays() -> None:
    random = {f"random_{i}": 0.8 + (i % 2) / 100 for i in range(6)}
    words = said(scores({"a": random | {"rot_0": 0.8, "rot_1": 0.81}}))
    assert "the mean Dice stays at 0.80" in words["In short"] or "the mean Dice stays at 0.81" in words["In short"]
    assert "rises" not in words["In short"]


def test_what_was_looked_at_says_so_wherever_there_are_intervals() -> None:
    known = scores({"a": EASY, "b": {split: dice - 0.02 for split, dice in EASY.items()}})
    looked = replace(known, looks=Looks({"max-sd": "0.1"}, looks_up_to(9), taken=2))
    sentence = "was looked at while it grew, at 4 and 6 random splits, and what was seen could end it"
    assert sentence in stability(looked).text().replace("\n  ", " ")
    assert sentence in compare(looked, ("a", "ce"), ("b", "ce")).text().replace("\n  ", " ")
    assert "looked at" not in stability(known).text() + compare(known, ("a", "ce"), ("b", "ce")).text()


def test_a_check_at_no_look_does_not_claim_to_be_one() -> None:
    known = scores({"a": EASY})
    at_look, elsewhere = (
        check(replace(known, looks=Looks({"max-sd": "0.1"}, looks_up_to(9), taken=taken)), max_sd=0.1).how
        for taken in (2, 1)
    )
    assert "the chance is that of this look" in at_look
    assert "the chance is that of this look" not in elsewhere
    assert "6 random splits were none of these looks" in elsewhere


def test_the_gate_says_of_which_answer_its_chance_is() -> None:
    """A single limit of many may be falsely met more often than the whole is falsely stable."""
    how = check(scores({"a": EASY, "b": EASY}), max_sd=0.1).how
    assert "The chance of saying STABLE although some limit is truly broken, or NOT STABLE although" in how
    held_out = scores({"a": {"rot_0": 0.8, "rot_1": 0.7}})
    assert "no random splits" not in check(held_out, max_sd=0.1).how


def test_how_many_are_enough_says_what_a_pilot_takes_for_granted() -> None:
    known = scores({"a": EASY | {"rot_0": 0.7, "rot_1": 0.72}})
    words = enough(known, max_gap=0.2, class_="mug").text()
    assert "Were its scores the whole truth, 80 % of pilots" in words
    assert "that a training on a held-out split scatters as one on a random split" in words
    assert "divide the images in the same way" not in words
    one = replace(known, divisions=dict.fromkeys(EASY, "the same"))
    words = enough(one, max_sd=0.2, class_="mug").text()
    assert "All random splits of made divide the images in the same way" in words
    assert "held-out split scatters" not in words
    assert "of 200 random splits" in enough(known, max_sd=0.0019, class_="mug").text()


def test_two_backgrounds_are_named_as_the_table_has_them(tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    rows = [f"a,ce,random_{i},ew,{name},0.8" for i in range(4) for name in ("bg", "mug", "sky")]
    file.write_text("model,loss,split,averaging,class,dice\n" + "\n".join(rows))
    with pytest.raises(AnalysisError) as refused:
        load(file, background="sky")
    assert "class 'bg' is a background, and so is 'sky', as stated" in str(refused.value)
    assert "'background'" not in str(refused.value)
