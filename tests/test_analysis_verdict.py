"""The verdict in words, and how answers are shown: every number said is a number of the tables."""

from __future__ import annotations

import dataclasses
import json
import math
import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats

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
from analysis.load import load
from analysis.scores import Scores, main_averaging
from analysis.verdict import cannot_say, expected_half_width, verdict

PAPER = load("paper")


def said(scores: Scores) -> dict[str, str]:
    return {finding.question: " ".join(finding.points) for finding in verdict(scores)}


def few(num_random: int, num_held_out: int) -> Scores:
    splits = [f"random_{i}" for i in range(num_random)] + [f"rot_{i}" for i in range(num_held_out)]
    return dataclasses.replace(PAPER, table=PAPER.table[PAPER.table["split"].isin(splits)])


def test_the_papers_verdict() -> None:
    words = said(PAPER)
    assert (
        "4 configurations on 8 random splits and 3 held-out angle splits, one seed each" in words["What was measured?"]
    )
    spread = words["How good is it, and how far would another split move it?"]
    assert "icnet ce: 0.660, SD 0.037 [0.024, 0.075]" in spread
    rotation = words["Does it hold on samples whose angle was not trained on?"]
    assert "+0.084; exact one-sided p = 0.0061" in rotation
    assert "In 17 of 24 columns (a class of a configuration) the lowest score is on a held-out angle split" in rotation
    assert "icnet ce: 0.660 on random, 0.557 on held-out angle splits; it drops by 0.104 (95 % interval" in rotation
    assert "keeps" not in rotation
    assert "42% bx, 40% cl" in words["Which class can be trusted least?"]
    best = words["Which configuration is best on random splits?"]
    assert "icnet ce_dice leads icnet ce by 0.010 [-0.086, 0.105]" in best
    assert "do not tell them apart" in best
    assert "0.50 / 0.18 / 0.32" in best


def test_the_short_verdict_comes_first_and_is_computed() -> None:
    first = verdict(PAPER)[0]
    assert first.question == "In short"
    assert "0.09 to 0.19 higher or lower (95 %)" in first.points[0]
    assert "the mean Dice drops in all 4 configurations, by 0.03 to 0.13" in first.points[1]
    assert "lowest Dice here is 0.07: bx, unet ce, rot_1" in first.points[2]


def test_a_clear_winner_is_told() -> None:
    """Of the paper's configurations, ICNet CE against U-Net CE: +.176, p = .017 corrected."""
    table = PAPER.table[PAPER.table["loss"] == "ce"]
    best = said(dataclasses.replace(PAPER, table=table))["Which configuration is best on random splits?"]
    assert best.startswith("icnet ce leads unet ce by 0.176")
    assert "The data tell them apart." in best


def test_where_a_new_split_is_expected_to_fall() -> None:
    """The interval for one more value covers it at its rate; the interval of the mean would not."""
    draws = np.random.default_rng(5).normal(0.6, 0.05, (20_000, 9))
    seen, new = draws[:, :8], draws[:, 8]
    half = np.array([expected_half_width(sd, 8) for sd in seen.std(axis=1, ddof=1)[:2000]])
    inside = np.abs(new[:2000] - seen.mean(axis=1)[:2000]) <= half
    low, high = stats.binom.ppf([0.0005, 0.9995], 2000, 0.95)
    assert low <= inside.sum() <= high


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
    assert "one seed per split" in unsaid


def test_missing_and_failed_trials_are_part_of_the_verdict() -> None:
    scores = dataclasses.replace(PAPER, missing=("a", "b"), failed={"c": "the loss became nan"})
    assert "Incomplete: 2 missing and 1 failed" in said(scores)["What was measured?"]


def test_without_split_sizes_the_leader_has_no_interval() -> None:
    scores = dataclasses.replace(PAPER, num_test={}, num_train={})
    assert "no interval to judge" in said(scores)["Which configuration is best on random splits?"]


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
    assert "ties counted in part, where chance gives 20%" in sentence


def test_a_class_without_a_score_is_named_with_its_splits() -> None:
    table = PAPER.table.copy()
    table.loc[(table["class"] == "bo") & table["split"].isin(["random_1", "rot_0"]), "dice"] = np.nan
    told = said(dataclasses.replace(PAPER, table=table))["What was measured?"]
    assert "No trial is missing. Without a score: bo on random_1, rot_0. There the mean of classes is undefined" in told
    assert "Nothing is missing." in said(PAPER)["What was measured?"]
