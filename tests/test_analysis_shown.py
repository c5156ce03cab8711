"""Of very many configurations the page shows some, says which, and grows no further; the JSON beside it has all."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pandas as pd
import pytest

from analysis.report.write import report
from analysis.scores import Scores
from analysis.shown import MOST_PAIRS, NUM_BEST, NUM_WORST, pairs_of, ranked, rule, shown_of
from analysis.verdict import verdict


def many(num_models: int, num_losses: int) -> Scores:
    """Every configuration a little better than the one before."""
    configurations = [(f"net{i}", f"loss{j}") for i, j in itertools.product(range(num_models), range(num_losses))]
    splits = [(f"random_{i}", "random", i / 1000) for i in range(4)] + [("rot_0", "held_out", -0.1)]
    rows = [
        (*configuration, split, kind, 0, averaging, name, 0.2 + place / 1000 + more)
        for (place, configuration), (split, kind, more), averaging, name in itertools.product(
            enumerate(configurations), splits, ("pw", "ew"), ("bg", "mug")
        )
    ]
    columns = ["model", "loss", "split", "split_kind", "seed", "averaging", "class", "dice"]
    return Scores(pd.DataFrame(rows, columns=columns).assign(axis=""), "made", "as given")


def test_up_to_a_few_dozen_all_are_shown() -> None:
    table = many(6, 4).table
    assert len(shown_of(table)) == 24
    assert rule(table) == ""


def test_beyond_that_the_best_and_the_worst_are_shown_and_the_rule_is_said() -> None:
    table = many(10, 6).table
    shown, in_order = shown_of(table), ranked(table)
    assert len(shown) == NUM_BEST + NUM_WORST
    assert set(shown) == {*in_order[:NUM_BEST], *in_order[-NUM_WORST:]}
    assert in_order[0] == ("net9", "loss5")
    assert in_order[-1] == ("net0", "loss0")
    assert rule(table).startswith("Of 60 configurations 24 are listed one by one: the 20 with the highest mean score")


def test_the_verdict_lists_those_and_counts_all() -> None:
    found = {each.question: each.points for each in verdict(many(10, 6))}
    assert len(found["How good is it, and how far would another split move it?"]) == 24
    assert "drops in all 60 configurations" in " ".join(found["In short"])
    assert "Of 60 configurations 24 are listed" in " ".join(found["What was measured?"])


def test_pairs_grow_no_further_than_their_bound() -> None:
    few = pairs_of(many(2, 2).table)
    assert len(few) == 4
    best = ("net9", "loss5")
    pairs = pairs_of(many(10, 6).table)
    assert 0 < len(pairs) <= MOST_PAIRS
    assert all(a == best and (a[0] == b[0]) != (a[1] == b[1]) for a, b in pairs)


@pytest.mark.slow
@pytest.mark.long
def test_a_page_of_many_draws_no_more_than_a_page_of_some(tmp_path: Path) -> None:
    pages = [report(many(*size), tmp_path / f"{size[0]}.html") for size in ((5, 5), (10, 10))]
    texts = [page.read_text() for page in pages]
    assert all(text.count("<figure>") <= 24 * 6 + 4 + 2 * MOST_PAIRS + 2 for text in texts)
    assert len(texts[1]) < 1.2 * len(texts[0])
    assert "10.json has every table in full" in texts[1]
    sections = json.loads(pages[1].with_suffix(".json").read_text())["sections"]
    assert len(sections["scores"]["scores"]) == 100 * 5 * 2 * 2
    assert len({(row["model"], row["loss"]) for row in sections["spread"]["spread"]}) == 100
