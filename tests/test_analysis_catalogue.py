"""One catalogue feeds text, JSON and report; and its words come from the axis of the data at hand."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pandas as pd
import pytest
from test_analysis_load import CELLS, DEFINITION, commit

from analysis.commands import report, stability
from analysis.gate import check
from analysis.load import load
from analysis.report.panels import OF_SCORES
from analysis.report.panels_study import OF_A_STUDY
from analysis.scores import Scores
from analysis.statistics import topics_of_a_study, topics_of_scores
from analysis.statistics.catalogue import TOPICS, left_out, topics
from analysis.statistics.material import Material
from analysis.verdict import verdict
from study.results import Results

STATISTICS = [statistic for topic in TOPICS for statistic in topic.statistics]


def of_another_axis(folder: Path, axis: str | None) -> Scores:
    """The paper's ICNet scores as if its held-out splits had held out another axis, under other names."""
    table = load("paper").table.query("model == 'icnet' and averaging == 'ew'")
    table = table.assign(
        split=table["split"].str.replace("rot_", "clinic_"), axis=table["axis"].replace("angle", axis or "")
    )
    path = folder / "scores.csv"
    (table if axis else table.drop(columns="axis")).to_csv(path, index=False)
    return load(path)


def test_every_title_and_name_is_given_once() -> None:
    for names in ([s.title for s in STATISTICS], [s.name for s in STATISTICS], [topic.id for topic in TOPICS]):
        assert len(names) == len(set(names))


def test_all_that_is_drawn_is_drawn_for_a_topic() -> None:
    assert set(OF_SCORES | OF_A_STUDY) <= {topic.id for topic in TOPICS}
    assert set(OF_SCORES) == {topic.id for topic in topics_of_scores.OF_SCORES} - {"variance", "causes", "worst"}
    assert set(OF_A_STUDY) == {topic.id for topic in topics_of_a_study.OF_A_STUDY} - {"worst_images"}


def assert_says_nothing_of_cameras(answer: str) -> None:
    assert re.findall(r"\b(?:angles?|rotations?|cameras?)\b", re.sub(r"</?\w[^>]*>", " ", answer), flags=re.I) == []


@pytest.mark.slow
def test_text_json_and_report_have_the_same_numbers_and_the_words_of_the_axis(tmp_path: Path) -> None:
    scores = of_another_axis(tmp_path, "patient of {0} <b>")
    answer = stability(scores)
    page = report(scores, tmp_path / "page.html")
    sections = json.loads(page.with_suffix(".json").read_text())["sections"]
    in_report = {name: rows for tables in sections.values() for name, rows in tables.items()}
    for statistic in STATISTICS:
        if statistic.title in answer.frames:
            assert answer.records()["tables"][statistic.title] == in_report[statistic.name], statistic.name
            assert statistic.title in answer.text()
    shown = re.sub(r"base64,[A-Za-z0-9+/=]*|<style>.*?</style>", "", page.read_text(), flags=re.DOTALL)
    assert "held-out patient of {0} &lt;b&gt; split" in shown
    assert "<b>" not in shown
    assert_says_nothing_of_cameras(shown)


@pytest.mark.parametrize(("axis", "said"), [("patient", "held-out patient split"), (None, "held-out split")])
def test_words_come_from_the_axis(tmp_path: Path, axis: str | None, said: str) -> None:
    scores = of_another_axis(tmp_path, axis)
    text = stability(scores).text()
    assert said in text
    assert_says_nothing_of_cameras(text)
    assert_says_nothing_of_cameras(check(scores, max_gap=0.1, max_sd=0.1, min_dice=0.5).text())


def test_a_topic_has_words_for_these_scores() -> None:
    material = Material(load("paper"))
    words = [
        topic.worded(text, material) for topic in TOPICS for text in (topic.title, topic.figures, topic.how_to_read)
    ]
    assert not [text for text in words if "{" in text]
    assert any("held-out angle split" in text for text in words)


def one_configuration(folder: Path, classes: int, held_out: bool) -> Scores:
    """Of the paper's scores those of ICNet with CE, under one averaging."""
    table = load("paper").table.query("model == 'icnet' and loss == 'ce' and averaging == 'ew'")
    names = ["bx", "cl", "dr"][:classes]
    table = table[table["class"].isin(names) & ((table["split_kind"] == "random") | held_out)]
    table.to_csv(folder / "scores.csv", index=False)
    return load(folder / "scores.csv")


@pytest.mark.parametrize(
    ("classes", "held_out", "there", "gone"),
    [
        (3, True, {"held_out", "ranks"}, {"pairs", "variance"}),
        (3, False, {"ranks"}, {"pairs", "variance", "held_out"}),
        (1, True, {"held_out"}, {"pairs", "variance", "ranks"}),
    ],
)
def test_what_has_nothing_to_say_is_left_out_of_text_json_and_report_and_named(
    tmp_path: Path, classes: int, held_out: bool, there: set[str], gone: set[str]
) -> None:
    scores = one_configuration(tmp_path, classes, held_out)
    page = report(scores, tmp_path / "page.html")
    plain = json.loads(page.with_suffix(".json").read_text())
    assert there <= set(plain["sections"])
    assert not gone & set(plain["sections"])
    titles = {topic.title for topic in TOPICS if topic.id in gone}
    assert titles <= set(plain["left_out"])
    answer = stability(scores)
    assert not {s.title for topic in TOPICS if topic.id in gone for s in topic.statistics} & set(answer.frames)
    assert "Ranks of the configurations" not in answer.frames
    for told in (answer.text(), answer.records()["left_out"], page.read_text()):
        in_one_line = " ".join(told.split())
        assert "Left out, as there is nothing to say: " in in_one_line
        assert all(title in in_one_line for title in titles)
        assert "(one configuration" in in_one_line


def test_a_study_of_one_trial_a_cell_and_one_class_has_no_search_and_no_matrix(tmp_path: Path) -> None:
    Results(tmp_path).write_text("study.toml", DEFINITION.to_toml())
    for cell in CELLS[:2]:
        commit(tmp_path, f"{cell}-t00")
    scores = load(tmp_path)
    bx = dataclasses.replace(scores, table=scores.table[scores.table["class"] == "bx"])
    material = Material(bx)
    assert not {"search", "cost"} & {topic.id for topic in topics(material)}
    reasons = left_out(material)
    assert reasons["The search for hyperparameters"] == "no search"
    assert reasons["Accuracy against cost"] == "one configuration, no search"
    matrix = next(s.title for s in STATISTICS if s.name == "false_class_matrices")
    assert reasons[matrix] == "one class"
    assert not any("hardest class" in point for finding in verdict(bx) for point in finding.points)


def test_only_the_kinds_of_splits_that_are_there_are_named(tmp_path: Path) -> None:
    table = load("paper").table.query("averaging == 'ew' and model == 'icnet'")
    folds = table[table["split_kind"] == "held_out"].assign(split_kind="fold", axis="")
    folds = folds.assign(split=folds["split"].str.replace("rot", "fold"))
    scores = dataclasses.replace(load("paper"), table=pd.concat([table, folds]))
    assert "Scores on folds" in stability(scores).frames
    assert "How good is it on folds?" in [finding.question for finding in verdict(scores)]
