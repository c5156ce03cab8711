"""How many splits and seeds a gate needs: limiting cases, the gate itself on drawn tables, messages, text and JSON."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.cli import main
from analysis.enough import EnoughAnswer, enough
from analysis.errors import AnalysisError
from analysis.gate import check
from analysis.gate_answer import STABLE
from analysis.load import load
from analysis.scores import Scores
from analysis.stated import Stated
from analysis.statistics.limits import MOST_SPLITS, NUMBERS, POWER, Estimate
from analysis.statistics.pilot import Pilot, Scored
from analysis.statistics.power import Limit, decisions, needed
from trainers.seeds import generator_for

COLUMNS = ["model", "loss", "split", "split_kind", "seed", "averaging", "class", "dice"]


def table(random: np.ndarray[Any, Any], held_out: np.ndarray[Any, Any]) -> Scores:
    """From classes x splits x seeds."""
    rows = [
        ("icnet", "ce", f"{name}_{split}", kind, seed, "ew", f"class{place}", dice)
        for name, kind, scores in (("random", "random", random), ("rot", "held_out", held_out))
        for (place, split, seed), dice in np.ndenumerate(scores)
    ]
    return Scores(pd.DataFrame(rows, columns=COLUMNS).assign(axis=""), "made", "as given")


def pilot(seeds: int = 2, classes: int = 2, splits: int = 6) -> Scores:
    rng = generator_for("pilot", seeds, classes, splits)
    shared = rng.normal(0, 0.02, (1, splits, 1))
    random = 0.8 + shared + rng.normal(0, 0.02, (classes, splits, 1)) + rng.normal(0, 0.02, (classes, splits, seeds))
    return table(random, 0.76 + rng.normal(0, 0.02, (classes, 3, seeds)))


def first(found: EnoughAnswer) -> pd.Series[Any]:
    return found.rows.iloc[0]


@pytest.mark.parametrize("limits", [{"max_sd": 0.1}, {"min_dice": 0.7}, {"max_gap": 0.1}])
def test_four_splits_decide_what_hardly_moves(limits: dict[str, float]) -> None:
    row = first(enough(Stated.of("mean=0.8,sd=0.0005,gap=0.05"), **limits))
    assert (row["random_splits"], row["stable"], row["looks_mean"], row["looks_most"]) == (4, 1, 4, 4)


def test_four_splits_decide_against_what_is_plainly_broken() -> None:
    row = first(enough(Stated.of("mean=0.5,sd=0.01"), min_dice=0.8))
    assert (row["random_splits"], row["not_stable"]) == (4, 1)


@pytest.mark.parametrize("limits", [{"min_dice": 0.8}, {"max_sd": 0.05}, {"max_gap": 0.05}])
def test_no_number_decides_at_the_limit_itself(limits: dict[str, float]) -> None:
    found = enough(Stated.of("mean=0.8,sd=0.05,seed-sd=0.02,gap=0.05"), **limits)
    assert found.rows["random_splits"].isna().all()
    assert list(found.rows["seeds"]) == [1, 2, 3]
    assert f"over {MOST_SPLITS}" in found.text()
    assert f"what stays open most often at {MOST_SPLITS} random splits is" in found.text()


def test_more_splits_or_seeds_for_a_narrower_question() -> None:
    """Seeds make a split's mean more exact: fewer splits are enough; and the nearer the limit, the more are needed."""
    numbers = [
        enough(Stated.of("mean=0.8,sd=0.05,seed-sd=0.045"), min_dice=limit).rows["random_splits"].tolist()
        for limit in (0.7, 0.77)
    ]
    assert numbers[0] == sorted(numbers[0], reverse=True)
    assert numbers[1][2] < numbers[1][0]
    assert all(wide < narrow for wide, narrow in zip(*numbers, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "number"), [(1, 8), (2, 6), (3, 12)])
def test_what_is_said_is_what_the_gate_itself_decides(seeds: int, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shares of `check`, on tables of two classes and their mean, drawn by hand from a pilot's parts."""
    monkeypatch.setattr(Estimate, "splits_needed", lambda self: math.nan)  # takes its time, and is of no use here
    monkeypatch.setattr(Estimate, "splits_of_each_needed", lambda self: math.nan)
    rng, times = np.random.default_rng(seeds), 80
    of_split, of_training = rng.normal(0, 0.012, (2, 5)), rng.normal(0, 0.006, (2, 5))
    mean, held_out = np.array([0.8, 0.78]), np.array([[0.77, 0.78, 0.76], [0.75, 0.74, 0.76]])
    with_macro = [np.vstack([part, part.mean(0)]) for part in (held_out, of_split, of_training)]
    if seeds == 1:
        known = Pilot(np.append(mean, mean.mean()), *with_macro[:2])
    else:
        known = Pilot(np.append(mean, mean.mean()), *with_macro, with_macro[2])
    limits = {"max_gap": 0.1, "max_sd": 0.12, "min_dice": 0.75}
    asked = [Limit("max-gap", 0.1, (0, 1, 2)), Limit("max-sd", 0.12), Limit("min-dice", 0.75)]
    told = decisions(known, asked, number, seeds, 4000).stable.mean()
    stable = 0
    for _ in range(times):
        own = of_split if seeds == 1 else of_training
        random = mean[:, None, None] + np.einsum("ca,asr->csr", own, rng.normal(size=(5, number, seeds)))
        random += 0 if seeds == 1 else np.einsum("ca,as->cs", of_split, rng.normal(size=(5, number)))[..., None]
        on_held_out = held_out[..., None] + np.einsum("ca,asr->csr", own, rng.normal(size=(5, 3, seeds)))
        stable += check(table(random, on_held_out), **limits).status == STABLE
    assert 0.2 < told < 0.9, f"{told}: else it shows little"
    assert abs(stable / times - told) < 3.5 * math.sqrt(told * (1 - told) / times)


def test_a_pilot_of_two_seeds_tells_of_one_two_and_three() -> None:
    found = enough(pilot(), max_gap=0.08, max_sd=0.1)
    assert list(found.rows["seeds"]) == [1, 2, 3]
    known = found.rows.dropna(subset="random_splits")
    assert len(known) >= 2
    assert set(known["random_splits"]) <= set(NUMBERS)
    assert (known["stable"] + known["not_stable"] >= POWER).all()
    assert (known["low"] <= known["random_splits"]).all()
    assert (known["random_splits"] <= known["high"]).all()
    assert list(known["trainings"]) == list((known["random_splits"] + 3) * known["seeds"])


def test_scores_are_drawn_with_the_spread_and_dependence_of_the_pilot() -> None:
    """Its split means have the pilot's covariance; one training, and the mean of more seeds, what the parts give."""
    wide = pilot(seeds=2, splits=12).table.pivot(index="class", columns=["split_kind", "split", "seed"], values="dice")
    random = wide["random"].to_numpy().reshape(2, 12, 2)
    known = Pilot.of(Scored(random, wide["held_out"].to_numpy().reshape(2, 3, 2)))
    within = random.var(-1, ddof=1).mean(-1)
    for seeds in (1, 2, 3):
        means = known.draw(1000, seeds, 20, "spread").random.mean(-1)
        expected = random.mean(-1).var(-1, ddof=1) + within * (1 / seeds - 1 / 2)
        np.testing.assert_allclose(means.var(-1).mean(-1), expected, rtol=0.05)
    correlation = np.corrcoef(random.mean(-1))[0, 1]
    one_seed = Pilot.of(Scored(random[..., :1], random[..., :3, :1]))
    drawn = one_seed.draw(1000, 1, 1, "dependence").random[:, 0, :, 0]
    assert np.corrcoef(drawn)[0, 1] == pytest.approx(np.corrcoef(random[..., 0])[0, 1], abs=0.1)
    assert correlation > 0
    fewer = one_seed.draw(10, 1, 1, "dependence").random[:, 0, :, 0]
    np.testing.assert_array_equal(fewer, drawn[:, :10])


def test_looks_stop_earlier_than_they_might_where_the_truth_is_plain() -> None:
    known = Stated.of("mean=0.8,sd=0.03").pilot(0)
    found = needed(known, [Limit("min-dice", 0.75)], 1)
    assert found.stable >= POWER
    assert 4 <= found.looks_mean < found.looks_most
    assert found.looks_most >= found.num_random


def test_a_pilot_of_one_seed_says_nothing_of_more_and_of_its_own_uncertainty() -> None:
    found = enough(load("paper"), max_gap=0.3, model="unet", loss="ce", class_="macro", averaging="ew")
    assert list(found.rows["seeds"]) == [1]
    row = first(found)
    assert row["low"] <= row["random_splits"] <= row["high"]
    said = found.text()
    assert "(8 random splits, 3 held-out splits, one seed)" in said
    assert "80 % of pilots of its size would give a number in this range" in said
    assert "train the pilot's splits with two seeds each" in said
    assert row["trainings"] == row["random_splits"] + 3


def test_splits_that_are_not_trained_everywhere_are_left_out() -> None:
    scores = pilot(seeds=1)
    rows = scores.table
    other = rows.assign(model="unet")
    partly = replace(scores, table=pd.concat([rows, other[other["split"] != "random_5"]]))
    assert "(5 random splits, one seed; " not in enough(partly, max_sd=0.2).headline
    assert "5 random splits, one seed" in enough(partly, max_sd=0.2).headline
    assert "6 random splits, one seed" in enough(partly, max_sd=0.2, model="icnet").headline


@pytest.mark.parametrize(
    ("change", "limits", "words"),
    [
        (lambda t: t[~t["split"].isin(["random_3", "random_4", "random_5"])], {"max_sd": 0.1}, "and a spread takes 4"),
        (lambda t: t[t["split_kind"] == "random"], {"max_gap": 0.1}, "no held-out splits, which --max-gap needs"),
        (
            lambda t: t.assign(dice=t["dice"].where((t["split"] != "random_1") | (t["class"] != "class0"))),
            {"max_sd": 0.1},
            "icnet ce ew class0 has no score everywhere (class0 has no score on random_1), and so stays open",
        ),
        (lambda t: t, {}, "no limit to check"),
        (lambda t: t, {"max_sd": 2.0}, "--max-sd 2 is not a limit"),
        (lambda t: t, {"max_sd": 0.1, "model": "x"}, "made has no model 'x'; it has icnet"),
    ],
)
def test_what_cannot_be_told_is_one_message(change: Any, limits: dict[str, Any], words: str) -> None:
    scores = pilot()
    with pytest.raises(AnalysisError) as refused:
        enough(replace(scores, table=change(scores.table)), **limits)
    assert words in str(refused.value)


def test_a_pilot_that_diverged_or_was_simulated_is_refused() -> None:
    scores = pilot()
    trial = "icnet-ce-random_9-s0-t00"
    diverged = replace(scores, failed={trial: "nan"}, cells={trial: ("icnet", "ce", "random_9", 0)})
    with pytest.raises(AnalysisError, match=f"{trial} diverged, and the gate fails for that however many"):
        enough(diverged, max_sd=0.1)
    with pytest.raises(AnalysisError, match="simulated scores"):
        enough(replace(scores, simulated=True), max_sd=0.1)
    assert enough(replace(scores, simulated=True), max_sd=0.1, simulated=True).text().startswith("SIMULATED")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mean=0.8", "add sd=X"),
        ("mean=0.8,sd=x", "sd=x: give a number from 0 to 0.5"),
        ("mean=0.8,sd=0", "equal scores show no spread"),
        ("mean=0.8,sd=0.05,seedsd=0.02", "did you mean seed-sd?"),
        ("mean=0.8,sd=0.05,sd=0.02", "once for each"),
        ("mean=0.8,sd=0.05,seed-sd=0.06", "seed-sd=0.06 is a part of sd=0.05"),
        ("mean=0.8,sd=0.05,gap=0.9", "is not a score"),
        ("mean=0.8,sd=0.05,held-out=2.5", "give a whole number from 1 to 1000"),
    ],
)
def test_what_cannot_be_stated_is_refused(text: str, words: str) -> None:
    with pytest.raises(AnalysisError) as refused:
        Stated.of(text)
    assert words in str(refused.value)


def test_a_gap_that_is_asked_must_be_stated() -> None:
    with pytest.raises(AnalysisError, match="add gap=X"):
        enough(Stated.of("mean=0.8,sd=0.05"), max_gap=0.1)


def test_a_pilot_whose_scores_are_all_equal_shows_no_spread() -> None:
    """An SD of 0 is no certainty: from it four splits would decide whatever is asked."""
    scores = table(np.full((1, 8, 1), 0.95), np.empty((1, 0, 1)))
    with pytest.raises(AnalysisError, match="are equal, which shows no spread to draw others with"):
        enough(scores, min_dice=0.9)


def test_as_a_user_types_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "pilot.csv"
    pilot().table.to_csv(path, index=False)
    assert main(["enough", str(path), "--max-sd", "0.1", "--class", "macro"]) == 0
    headline, columns, *rows = capsys.readouterr().out.splitlines()
    assert headline.startswith(
        "So many random splits let the gate decide (max-sd 0.1; one check) with a probability of"
    )
    assert " ".join(columns.split()) == "seeds random splits 80 % range stable not stable until decided trainings"
    assert [row.split()[0] for row in rows[:3]] == ["1", "2", "3"]
    assert main(["enough", "--assume", "mean=0.8,sd=0.05,gap=0.05", "--max-gap", "0.05", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["rows"][0]["random_splits"] is None
    assert "low" not in answer["rows"][0], "what is stated has no range"
    assert answer["shown"][0]["random splits"] == f"over {MOST_SPLITS}"
    for arguments, words in (
        (["--max-gap", "0.1"], "give RESULTS, or --assume"),
        (["paper", "--max-gap", "0.1", "--assume", "mean=0.8,sd=0.1"], "not both"),
    ):
        assert main(["enough", *arguments]) == 2
        said = capsys.readouterr()
        assert not said.out
        assert words in said.err
