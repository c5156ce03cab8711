"""One catalogue feeds text, JSON and report; and its words come from the axis of the data at hand."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from analysis.commands import report, stability
from analysis.gate import check
from analysis.load import load
from analysis.report.panels import OF_SCORES
from analysis.report.panels_study import OF_A_STUDY
from analysis.scores import Scores
from analysis.statistics import topics_of_a_study, topics_of_scores
from analysis.statistics.catalogue import TOPICS
from analysis.statistics.material import Material

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
    assert set(OF_SCORES) == {topic.id for topic in topics_of_scores.OF_SCORES} - {"variance", "worst"}
    assert set(OF_A_STUDY) == {topic.id for topic in topics_of_a_study.OF_A_STUDY} - {"worst_images"}


def assert_says_nothing_of_cameras(answer: str) -> None:
    assert re.findall(r"\b(?:angles?|rotations?|cameras?)\b", re.sub(r"</?\w[^>]*>", " ", answer), flags=re.I) == []


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
