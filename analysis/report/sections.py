"""The sections of a report: every topic of the catalogue with its figures and tables."""

from __future__ import annotations

import pandas as pd

from analysis.formats import to_html
from analysis.report.page import Drawn, Section, Table
from analysis.report.panels import OF_SCORES, tables_of
from analysis.report.panels_study import OF_A_STUDY
from analysis.scores import CONFIGURATION, configurations
from analysis.statistics.catalogue import topics
from analysis.statistics.material import Material
from analysis.statistics.topic import Statistic, Topic


def sections(material: Material) -> list[Section]:
    """All that these results can fill, in the order of reading."""
    return [_section(topic, material) for topic in topics(material)]


def _section(topic: Topic, material: Material) -> Section:
    draw = (OF_SCORES | OF_A_STUDY).get(topic.id)
    drawn = draw(material) if draw else Drawn()
    how = [topic.figures] * bool(drawn.panels) + [topic.how_to_read]
    title, question, how_to_read = (
        topic.worded(text, material) for text in (topic.title, topic.question, " ".join(filter(None, how)))
    )
    made = [table for statistic in topic.statistics if (table := _table(topic, statistic, material))]
    return Section(topic.id, title, question, how_to_read, drawn, made)


def _table(topic: Topic, statistic: Statistic, material: Material) -> Table | None:
    """A statistic as a table, of which the page holds the rows of what is shown, and the JSON beside it all."""
    frame = statistic.shown(material)
    if not len(frame.columns):
        return None
    html = _marked(material) if statistic.name == "scores" else ""
    rows = frame if statistic.of_all else _shown(frame, material)
    return Table(topic.worded(statistic.title, material), statistic.name, frame, statistic.unfolded, rows, html)


def _marked(material: Material) -> str:
    return to_html(tables_of(material))


def _shown(frame: pd.DataFrame, material: Material) -> pd.DataFrame:
    """The rows of the configurations that are shown, and those that are of none."""
    everything = len(material.shown) == len(configurations(material.scores.table))
    if everything or not set(CONFIGURATION) <= set(frame.columns):
        return frame
    return frame[pd.MultiIndex.from_frame(frame[CONFIGURATION]).isin(material.shown) | (frame["model"] == "")]
