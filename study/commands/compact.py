"""`study compact`: the many small files of a study into few large ones."""

from __future__ import annotations

from collections.abc import Callable

from study.results import Results, compaction
from study.results.claim import claimed
from study.results.kept import kept_definition


def compact(out: str, say: Callable[[str], None]) -> compaction.Compacted:
    """Put the trials of the study at OUT into packs.

    :raises StudyError: before anything is changed: there is no study, another driver is at work there, or a trial is
        damaged.
    """
    results = Results(out)
    kept_definition(results)
    with claimed(results, say):
        return compaction.compact(results)
