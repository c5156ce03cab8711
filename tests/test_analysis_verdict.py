"""The verdict in words, and how answers are shown: every number said is a number of the tables."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.answer import (
    Answer,
    Finding,
    difference_in_words,
    for_people,
    frame_html,
    frame_text,
    merged,
    records,
)
from analysis.commands import stability
from analysis.gate import check
from analysis.gate_answer import CANNOT_TELL
from analysis.load import load
from analysis.scores import Scores, main_averaging
from analysis.statistics.catalogue import TOPICS
from analysis.statistics.material import Material
from analysis.verdict import cannot_say, verdict

PAPER = load("paper")


def said(scores: Scores) -> dict[str, str]:
    return {finding.question: " ".join(finding.points) for finding in verdict(scores)}


DIVIDED = dataclasses.replace(PAPER, divisions={})
"""The same scores as if each random split were a division of its own."""


def figures_of(topic_id: str, scores: Scores) -> str:
    """How to read the figures of a topic."""
    material = Material(scores)
    return next(topic.worded(topic.figures, material) for topic in TOPICS if topic.id == topic_id)


def few(num_random: int, num_held_out: int) -> Scores:
    splits = [f"random_{i}" for i in range(num_random)] + [f"rot_{i}" for i in range(num_held_out)]
    return dataclasses.replace(PAPER, table=PAPER.table[PAPER.table["split"].isin(splits)])


def test_the_papers_verdict() -> None:
    words = said(PAPER)
    assert (
        "4 configurations on 8 random splits and 3 held-out angle splits, one seed each" in words["What was measured?"]
    )
    spread = words["How good is it, and how far would another training move it?"]
    assert "icnet ce: mean 0.660; SD 0.037, its 95 % interval 0.019 to 0.129; " in spread
    assert "expect one more training on this division to score 0.57 to 0.75 (95 %)" in spread
    rotation = words["Does it hold on samples whose angle was not trained on?"]
    assert "score 0.084 lower than random ones; exact one-sided permutation p = 0.0061" in rotation
    assert rotation.count("exact one-sided permutation p = ") == 6, "of each configuration, of all, of the lowest"
    assert "0.194" not in rotation
    assert "held-out angle splits train on 460 on average, random ones on 515" in rotation
    assert "In 17 of 24 columns (a class of a configuration) the lowest score is on a held-out angle split" in rotation
    assert "icnet ce: 0.660 on random, 0.557 on held-out angle splits; it drops by 0.104 (95 % interval" in rotation
    assert "keeps" not in rotation
    assert "at most 2 times as much as one on a random split; the p-values assume that it scatters equally" in rotation
    assert (
        "So an interval can reach 0 although p is small. A second seed of every split would measure that scatter."
        in rotation
    )
    assert "bx in 42 %, cl in 40 %" in words["Which class can be trusted least?"]
    best = words["Which configuration is best on random splits?"]
    assert "icnet ce_dice leads icnet ce by 0.010 (95 % interval -0.045 to 0.064, of trainings on one" in best
    assert "That leaves it open which is better" in best
    assert "its lead is probably overstated: by estimate all of its 0.010 is luck." in best
    assert "(each of 8 left out in turn), scores 0.645 instead of 0.670." in best


def test_the_short_verdict_comes_first_and_is_computed() -> None:
    first = verdict(PAPER)[0]
    assert first.question == "In short"
    assert "within ±0.09 to ±0.19 of its configuration's mean here (95 %)" in first.points[0]
    assert "the mean Dice drops in all 4 configurations, by 0.03 to 0.13 (all together: exact" in first.points[1]
    assert "lowest score seen is a Dice of 0.07: bx, unet ce, rot_1" in first.points[2]


def test_a_count_of_drops_stands_beside_its_p_or_beside_the_reason_that_there_is_none() -> None:
    """That all four drop happens by chance in 6 to 37 % of cases, as they share the splits."""
    told = said(few(2, 1))["In short"]
    assert re.search(r"drops in (all 4|[0-9] of 4) configurations[^.]*0?[^;]*\(so few splits cannot tell", told), told
    assert "(all together: exact one-sided permutation p = 0.0061)" in said(PAPER)["In short"]


def test_a_clear_winner_is_told() -> None:
    """Of the paper's configurations, ICNet CE against U-Net CE: +.176, p = .017 corrected."""
    table = PAPER.table[PAPER.table["loss"] == "ce"]
    best = said(dataclasses.replace(DIVIDED, table=table))["Which configuration is best on random splits?"]
    assert best.startswith("icnet ce leads unet ce by 0.176 (95 % interval 0.042 to 0.310, which allows for shared")
    assert "icnet ce is better: the whole interval is above 0.01" in best


def test_a_lead_within_what_counts_as_none_is_no_lead() -> None:
    """One rule for the words and the interval: no "apart" beside a probability of 1 that they are equal."""
    table = PAPER.table.query("model == 'icnet' and averaging == 'ew' and split_kind == 'random'").copy()
    rival = table[table["loss"] == "ce"]
    number = rival["split"].str[-1].astype(int)
    twin = rival.assign(loss="ce_dice", dice=rival["dice"] + 0.004 + 0.0001 * number)
    best = said(dataclasses.replace(DIVIDED, table=pd.concat([rival, twin])))
    sentence = best["Which configuration is best on random splits?"]
    assert "They are practically equal: the whole interval is within ±0.01" in sentence


def test_one_division_is_said_wherever_re_splits_would_be_spoken_of() -> None:
    text = " ".join(stability(PAPER).text().split())
    assert "all 8 random splits divide the images in the same way" in text
    assert "How far does another training on this division move a score?" in text
    assert "no interval or p-value here allows for that" in text
    for wrong in ("another random split", "new random split", "another split", "one seed per split cannot tell"):
        assert wrong not in text, wrong
    divided = " ".join(stability(DIVIDED).text().split())
    assert "One training on a new random split of these images should score within ±0.09 to ±0.19" in divided
    assert "one division" not in divided


def test_means_of_seeds_are_named_and_the_spread_is_of_one_training() -> None:
    table = pd.concat([PAPER.table, PAPER.table.assign(seed=1, dice=(PAPER.table["dice"] + 0.1).clip(upper=1))])
    scores = dataclasses.replace(DIVIDED, table=table)
    words = said(scores)
    assert "2 seeds each" in words["What was measured?"]
    spread = words["How good is it, and how far would another split move it?"]
    assert "Means are over 2 seeds of every split; SD and what to expect are of one training." in spread
    assert "(a score is the mean of 2 seeds)" in figures_of("pairs", scores)
    assert "Each dot is a random split, the mean of 2 seeds" in figures_of("spread", scores)
    assert "Each dot is a random split, one training" in figures_of("spread", PAPER)


def test_a_tidy_table_that_lacks_splits_of_one_configuration_is_incomplete(tmp_path: Path) -> None:
    table = PAPER.table
    gone = (table["model"] == "unet") & (table["loss"] == "ce") & table["split"].isin(["random_6", "random_7"])
    table[~gone].to_csv(tmp_path / "scores.csv", index=False)
    scores = load(tmp_path / "scores.csv")
    assert scores.missing == ("unet-ce-random_6-s0", "unet-ce-random_7-s0")
    words = said(scores)
    assert "Incomplete: 2 missing, by name below." in words["What was measured?"]
    assert (
        "unet ce: mean 0.488 on 6 of 8 random splits"
        in words["How good is it, and how far would another split move it?"]
    )
    assert check(scores, min_dice=0.1, model="unet", loss="ce", class_="macro", averaging="ew").status == CANNOT_TELL


def test_an_averaging_that_one_configuration_lacks_is_missing(tmp_path: Path) -> None:
    table = PAPER.table.query("split == 'random_0' or split == 'random_1'")
    lacks = (table["model"] == "icnet") & (table["averaging"] == "ew") & (table["loss"] == "ce")
    table[~lacks].to_csv(tmp_path / "scores.csv", index=False)
    assert load(tmp_path / "scores.csv").missing == tuple(f"icnet-ce-random_{i}-s0 under ew" for i in range(2))


def test_a_class_that_one_configuration_lacks_is_named_with_it() -> None:
    table = PAPER.table.query("averaging == 'ew' and loss == 'ce' and split_kind == 'random'")
    table = table[(table["model"] == "unet") | (table["class"] != "bo")]
    words = said(dataclasses.replace(DIVIDED, table=table))
    assert "Nothing is missing" not in words["What was measured?"]
    assert "Without a score: bo on random_0, random_1" in words["What was measured?"]
    assert "(icnet ce). There the mean of classes" in words["What was measured?"]
    best = words["Which configuration is best on random splits?"]
    assert best == "No answer: on random splits, unet ce alone has a mean of the classes.", (
        "theirs are of other classes"
    )


def test_every_interval_has_its_level_and_every_p_its_test() -> None:
    for scores in (PAPER, DIVIDED, few(8, 0), few(3, 1), few(1, 1)):
        text = " ".join(point for finding in verdict(scores) for point in finding.points)
        assert not re.search(r"\[-?[0-9.]+, -?[0-9.]+\]", text), "an interval without its level"
        assert len(re.findall(r"[0-9] to -?[0-9.]+", re.sub(r"by [0-9.]+ to [0-9.]+", "", text))) <= text.count("95 %")
        for before in re.findall(r"(.{25}) p = ", text):
            assert re.search(r"permutation|sign-flip|would have", before), before
        assert not re.search(r"\b1 (?:random|held-out|configurations|pairs|seeds)|\b0 (?:random|held-out)", text), text


@pytest.mark.parametrize(("num_random", "num_held_out"), [(8, 0), (3, 1), (1, 0), (0, 3), (2, 2)])
def test_too_few_splits_are_said_not_glossed_over(num_random: int, num_held_out: int) -> None:
    scores = few(num_random, num_held_out)
    words, unsaid = said(scores), " ".join(cannot_say(scores).points)
    everything = " ".join(words.values()) + unsaid
    assert "nan" not in everything
    if num_random < 4:
        assert "How steady scores are over random splits:" in unsaid
        assert "standard deviation" in unsaid
        assert "cannot say how steady" in words["In short"]
        assert "expect" not in everything
    if not num_held_out:
        assert "there are no held-out splits" in unsaid
        assert "Does it hold on samples whose angle was not trained on?" not in words


def test_how_wide_a_deviation_of_few_splits_would_be_is_said_once() -> None:
    answer = stability(few(2, 1)).text()
    assert " ".join(answer.split()).count("0.45 to 32 times") == 1
    assert answer.count("No spread is given") == 1


def test_what_the_paper_cannot_say() -> None:
    unsaid = " ".join(cannot_say(PAPER).points)
    assert "3 held-out angle splits are too few for a standard deviation" in unsaid
    assert "the true spread may be 0.52 to 6.3 times the one that they show" in unsaid
    assert "no p-value: with 3 held-out angle splits even the clearest result would have p = 0.25" in unsaid
    assert "no column can be significant after Holm's correction for 48" in unsaid
    assert "How far another division of the images would move a score" in unsaid
    assert "one seed per split" in " ".join(cannot_say(DIVIDED).points)


def test_missing_and_failed_trials_are_part_of_the_verdict() -> None:
    scores = dataclasses.replace(PAPER, missing=("a", "b"), failed={"c": "the loss became nan"})
    assert "Incomplete: 2 missing and 1 failed" in said(scores)["What was measured?"]


def test_without_split_sizes_the_leader_has_no_interval() -> None:
    scores = dataclasses.replace(DIVIDED, num_test={}, num_train={})
    assert "no interval: it needs the images tested" in said(scores)["Which configuration is best on random splits?"]


def test_words_speak_of_the_examplewise_dice_where_it_is_there() -> None:
    assert main_averaging(PAPER.table) == "ew"
    assert main_averaging(PAPER.table[PAPER.table["averaging"] == "pw"]) == "pw"


FRAME = pd.DataFrame(
    {
        "class": ["<b>", "dr"],
        "mean": [0.5, math.nan],
        "mean_low": [0.4, math.nan],
        "mean_high": [0.6123, math.nan],
        "splits": [("rot_0", "rot_1"), ()],
        "num_images": [12_345, 0],
        "note": ["too few & far", ""],
    }
)


def test_a_number_and_its_interval_share_a_cell() -> None:
    shown = merged(FRAME)
    assert list(shown.columns) == ["class", "mean", "splits", "num_images"]
    assert shown.iloc[0].tolist() == ["<b>", "0.500 [0.400, 0.612]", "rot_0, rot_1", "12,345"]
    assert shown.iloc[1].tolist() == ["dr", "-", "", "0"]


def test_an_answer_as_text_json_and_html() -> None:
    answer = Answer([Finding("Is it <good>?", ("yes & no",))], {"A <table>": FRAME})
    text = answer.text()
    assert text.startswith("Is it <good>?\n  yes & no\n\nA <table>\n")
    assert text.endswith("note 1: too few & far")
    plain = json.loads(json.dumps(answer.records(), allow_nan=False))
    assert plain["findings"] == [{"question": "Is it <good>?", "points": ["yes & no"]}]
    assert plain["tables"]["A <table>"][1]["mean"] is None
    assert plain["tables"]["A <table>"][0]["splits"] == ["rot_0", "rot_1"]
    html = answer._repr_html_()
    assert "<b>" not in html
    assert re.findall(r"&lt;(good|b|table)&gt;", html) == ["good", "table", "b"]
    assert "too few &amp; far" in frame_html(FRAME)


def test_rows_without_a_number_are_left_out_and_notes_say_of_which_rows_they_are() -> None:
    names = {"model": ["a", "a", "b", "b"], "loss": "ce", "num_points": [4.0, 4, 1, 1]}
    frame = pd.DataFrame(names | {"share": [0.5, 0.2, math.nan, math.nan], "note": ["rough", "", "too few", "too few"]})
    shown, notes = for_people(frame)
    assert shown["note"].tolist() == ["1", ""]
    assert notes == ["note 1: rough", "left out of b ce: 2 rows: too few"]
    assert "- " not in frame_text(frame)
    same, (note,) = for_people(frame.head(2).assign(note="rough"))
    assert "note" not in same
    assert note == "note: rough"
    assert frame_text(frame.tail(2)) == "  left out of b ce: 2 rows: too few"
    undefined = frame.tail(2).assign(note="")
    assert len(for_people(undefined)[0]) == 2, "what has no score and no reason stands there as undefined"


def test_a_lead_that_is_smaller_than_what_is_shown_is_no_zero() -> None:
    assert [difference_in_words(lead) for lead in (0.0123, 0.0005, 0.0004, 0.0)] == [
        "0.012",
        "0.001",
        "less than 0.001",
        "less than 0.001",
    ]


def test_records_are_plain_values() -> None:
    row = records(pd.DataFrame({"n": np.array([3]), "x": np.array([np.inf]), "ok": np.array([True])}))[0]
    assert row == {"n": 3, "x": None, "ok": True}
    assert [type(value) for value in row.values()] == [int, type(None), bool]


def test_a_worst_value_on_both_kinds_of_split_is_said_as_a_tie_not_as_a_fraction() -> None:
    table = few(4, 1).table
    table = table[(table["model"] == "icnet") & (table["loss"] == "ce") & (table["averaging"] == "ew")]
    tied = table["class"] == "bx"
    findings = said(dataclasses.replace(PAPER, table=table.assign(dice=table["dice"].mask(tied, 0.5))))
    sentence = findings["Does it hold on samples whose angle was not trained on?"]
    assert "In 3 of 5 columns" in sentence, "what is the same on every split lies nowhere"
    half = tied & table["split"].isin(["random_0", "random_1"])
    findings = said(dataclasses.replace(PAPER, table=table.assign(dice=table["dice"].mask(tied, 0.5).mask(half, 0.6))))
    sentence = findings["Does it hold on samples whose angle was not trained on?"]
    assert "and in 1 more on a held-out angle split and a random split alike" in sentence
    assert "ties counted in part, where chance gives 20 %" in sentence


def test_a_class_without_a_score_is_named_with_its_splits() -> None:
    table = PAPER.table.copy()
    table.loc[(table["class"] == "bo") & table["split"].isin(["random_1", "rot_0"]), "dice"] = np.nan
    told = said(dataclasses.replace(PAPER, table=table))["What was measured?"]
    assert "No trial is missing. Without a score: bo on random_1, rot_0. There the mean of classes is undefined" in told
    assert "Nothing is missing." in said(PAPER)["What was measured?"]


def test_equal_scores_that_were_rounded_are_spoken_of(tmp_path: Path) -> None:
    """They have an interval of the mean, by the rounding, and nothing to expect of one more training."""
    table = PAPER.table.query("split_kind == 'random' and `class` == 'bx'")
    table.assign(dice=0.95).to_csv(path := tmp_path / "scores.csv", index=False)
    words = said(load(path))
    assert "all random splits gave the same score, as far as it is written" in words["In short"]
    assert "icnet ce: 0.950 on each of 8 random splits." in " ".join(words.values())


def test_a_p_stands_beside_the_change_that_it_tests() -> None:
    """Where a column lacks a score, the test is of the others: not of the mean of classes."""
    table = DIVIDED.table.query("model == 'icnet' and loss == 'ce' and averaging == 'ew'").copy()
    table.loc[(table["class"] == "cl") & (table["split"] == "random_2"), "dice"] = np.nan
    words = said(dataclasses.replace(DIVIDED, table=table))
    drop = re.search("the mean Dice drops from [^.]*[.][0-9]+ to [^)]*[)]", words["In short"])
    assert drop
    assert "p =" not in drop[0]
    rotation = words["Does it hold on samples whose angle was not trained on?"]
    assert "(one column left out), held-out angle splits score" in rotation
    assert rotation.count("exact one-sided permutation p = ") == 2, "of the complete columns, and of the lowest"


def test_a_mean_that_hardly_changes_stays() -> None:
    table = DIVIDED.table.query("model == 'icnet' and loss == 'ce' and averaging == 'ew'").copy()
    kinds = table.groupby(["class", "split_kind"])["dice"].transform("mean")
    table["dice"] += 0.66 - kinds
    told = said(dataclasses.replace(DIVIDED, table=table))["In short"]
    assert "the mean Dice stays at 0.66 (" in told


def test_no_number_is_less_than_nothing() -> None:
    assert "-0.000" not in frame_text(pd.DataFrame({"difference": [-0.0001, 0.5]}))
