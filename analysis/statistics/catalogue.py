"""Every statistic once: its title, the question that it answers, how to read it, and the function that computes it.

`analysis stability`, its JSON and the report all draw from TOPICS, in this order.
"""

from __future__ import annotations

from analysis.statistics.material import Material
from analysis.statistics.topic import Topic
from analysis.statistics.topics_of_a_study import OF_A_STUDY
from analysis.statistics.topics_of_scores import OF_SCORES

TOPICS = (*OF_SCORES, *OF_A_STUDY)


def topics(material: Material) -> list[Topic]:
    """Those that these scores can answer."""
    return list(TOPICS if material.scores.facts else OF_SCORES)
