"""What the verdict says of how the splits came about: which are the same, and whether looks chose their number."""

from __future__ import annotations

from analysis.scores import KINDS, Scores, listed
from analysis.verdict.held_out import alike


def looked_at(scores: Scores) -> list[str]:
    """The sentence on a study that was looked at while it grew; nothing of another one."""
    if scores.looks is None:
        return []
    return [
        f"The study was looked at while it grew, at {scores.looks.taken_in_words}, and what was seen could end it: "
        "`analysis check` allows for that, intervals and p-values here do not."
    ]


def same_test_images(scores: Scores) -> list[str]:
    """The sentence on splits that test the same images and train on as many others: which they are, and what cannot be
    read from them. Nothing where there are none."""
    groups = list(dict.fromkeys(tuple(names) for _, _, names in alike(scores)))
    if not groups:
        return []
    said = f"Some splits test the same images and train on equally many others: {listed(map(' = '.join, groups))}."
    kinds = scores.table.drop_duplicates("split").set_index("split")["split_kind"]
    if any(set(KINDS) <= set(kinds.reindex(names)) for names in groups):
        said += (
            " So some random splits are held-out ones, too: the difference between the two kinds, and its p, say "
            "nothing about samples of a kind that was not trained on."
        )
    return [said]
