"""Every statistic once: its title, the question that it answers, how to read it, and the function that computes it.

`analysis stability`, its JSON and the report all draw from TOPICS, in this order. What has nothing to say of the scores
at hand says so itself (`lacks`), and is left out of all three.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from analysis.answer import is_empty
from analysis.statistics.material import Material
from analysis.statistics.topic import Statistic, Topic
from analysis.statistics.topics_of_a_study import OF_A_STUDY
from analysis.statistics.topics_of_scores import OF_SCORES

_REASONS_TOLD = 2
TOPICS = (*OF_SCORES, *OF_A_STUDY)


def topics(material: Material) -> list[Topic]:
    """Those that have something to say, each with those of its statistics that have."""
    return [
        replace(topic, statistics=tuple(each for each in topic.statistics if not _lacks(each, material)))
        for topic in _answerable(material)
        if not topic.lacks(material)
    ]


def left_out(material: Material) -> dict[str, str]:
    """Title of a topic or statistic that has nothing to say -> why."""
    return dict(_lacking(material))


def left_out_in_words(material: Material) -> str:
    """One sentence; empty where nothing is left out."""
    of_reason: dict[str, list[str]] = {}
    for title, reason in left_out(material).items():
        of_reason.setdefault(reason, []).append(title)
    told = "; ".join(f"{', '.join(titles)} ({reason})" for reason, titles in of_reason.items())
    return f"Left out, as there is nothing to say: {told}." if told else ""


def _lacking(material: Material) -> Iterator[tuple[str, str]]:
    for topic in _answerable(material):
        if reason := topic.lacks(material):
            yield topic.worded(topic.title, material), reason
            continue
        for statistic in topic.statistics:
            if reason := _lacks(statistic, material):
                yield topic.worded(statistic.title, material), reason


def _lacks(statistic: Statistic, material: Material) -> str:
    """Why a statistic has nothing to say: known beforehand, or as all its rows are notes in place of numbers."""
    if (reason := statistic.lacks(material)) or statistic.report_only:
        return reason
    frame = statistic.table(material)
    return "; ".join(frame["note"].unique()[:_REASONS_TOLD]) if len(frame) and is_empty(frame).all() else ""


def _answerable(material: Material) -> list[Topic]:
    """Those that scores alone can answer, or all where there is a study behind them."""
    return list(TOPICS if material.scores.facts else OF_SCORES)
