"""The verdict in plain words: what the scores say to the questions of one who must decide whether to trust a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from analysis.answer import Finding
from analysis.axes import HeldOut, by_axis, in_words, kinds_in_words, kinds_of, of_kind_and_axis
from analysis.classes import MACRO
from analysis.scores import (
    CONFIGURATION,
    HELD_OUT,
    KINDS,
    OTHER_KINDS,
    SELECTED,
    Scores,
    by_split,
    capitalised,
    count_of,
    in_seeds,
    main_averaging,
    of_kind,
    random_and_held_out,
    seeds_of,
    without_shares,
)
from analysis.shown import rule, shown_of
from analysis.statistics.comparison import columns_against_held_out, relabelling_refusal, sign_flip_refusal
from analysis.statistics.material import ROPE
from analysis.statistics.other_splits import other_splits_in_words
from analysis.statistics.spread import sd_refusal, spread
from analysis.statistics.training import long_enough, never_found, not_settled, training
from analysis.verdict.held_out import does_it_hold, gaps_in_short, own_chance
from analysis.verdict.of_causes import spread_and_luck
from analysis.verdict.of_classes import falsely_predicted, lowest, weakest, without_any_score
from analysis.verdict.of_cost import what_the_rule_chooses
from analysis.verdict.of_images import images_in_words
from analysis.verdict.of_pairs import best
from analysis.verdict.of_search import was_tuning_worth_it
from analysis.verdict.of_splits import looked_at, same_test_images
from analysis.verdict.of_spread import how_far, steadiness, unscored
from trainers.dice import AVERAGINGS


def verdict(scores: Scores, rope: float = ROPE) -> list[Finding]:
    """Findings, each a question and its answer in words. They speak of one averaging, that of `main_averaging`."""
    averaging = main_averaging(scores.table)
    of_images = images_in_words(scores, averaging, rope)
    of_all_splits = without_shares(scores.table[scores.table["averaging"] == averaging])
    others = tuple(other_splits_in_words(of_all_splits))
    measured = _what_was_measured(scores, averaging, rule(scores.table))
    scores = replace(scores, table=random_and_held_out(scores.table))
    table = scores.table[scores.table["averaging"] == averaging]
    parts = list(by_axis(table).values())
    macros = [_macro(part) for part in parts]
    shown = shown_of(scores.table)
    listed = [macro[[(row.model, row.loss) in shown for row in macro.itertuples()]] for macro in macros]
    trained = training(scores.facts) if scores.facts else pd.DataFrame()
    findings = [
        _in_short(scores, of_all_splits, macros, trained),
        measured,
        long_enough(scores, trained),
        how_far(scores, listed[0]),
        *(does_it_hold(scores, part, rows) for part, rows in zip(parts, listed, strict=True)),
        Finding(f"How good is it on {kinds_in_words(of_all_splits, OTHER_KINDS)}?", others) if others else None,
        *of_images,
        weakest(table, scores.metric.in_words),
        falsely_predicted(scores),
        best(scores, table, rope),
        was_tuning_worth_it(scores, averaging),
        what_the_rule_chooses(scores, averaging),
        *spread_and_luck(scores, averaging),
    ]
    return [finding for finding in findings if finding]


def _macro(table: pd.DataFrame) -> pd.DataFrame:
    found = spread(table)
    return found[found["class"] == MACRO]


def lacking(scores: Scores) -> list[str]:
    """What is missing or failed, a line each: no number makes up for it."""
    missing = [f"missing: {name}" for name in scores.missing]
    return [*missing, *(f"failed: {trial}: {reason}" for trial, reason in scores.failed.items())]


def _in_short(
    scores: Scores, of_all_splits: pd.DataFrame, macros: Sequence[pd.DataFrame], trained: pd.DataFrame
) -> Finding:
    """`macros` are the rows for the mean of classes of each part of `by_axis`, `trained` is what `training` gives."""
    table = random_and_held_out(of_all_splits)
    points = [not_settled(trained), never_found(scores.facts) if scores.facts else ""]
    points.append(steadiness(scores, table, macros[0]))
    points += same_test_images(scores)
    for part, of_axis in zip(by_axis(table).values(), macros, strict=True):
        if of_axis["gap"].notna().any():
            points.append(gaps_in_short(of_axis, part, scores.metric.in_words))
        elif set(KINDS) <= set(part["split_kind"]):
            points.append(f"What is lost on {HeldOut.of(part).samples} is not known for all classes: {unscored(part)}.")
    points += [*own_chance(scores, of_all_splits), lowest(table, scores.metric.with_article)]
    return Finding("In short", tuple(filter(None, points)))


def _what_was_measured(scores: Scores, averaging: str, rule: str) -> Finding:
    table = scores.table
    configurations = len(table[CONFIGURATION].drop_duplicates())
    seeds = in_seeds(*seeds_of(table))
    lacking = [f"{len(scores.missing)} missing"] * bool(scores.missing)
    lacking += [f"{len(scores.failed)} failed"] * bool(scores.failed)
    undefined = without_any_score(table[table["averaging"] == averaging])
    return Finding(
        "What was measured?",
        (
            f"{capitalised(count_of(configurations, 'configurations'))} on {_counted(table)}, {seeds} each; "
            f"{SELECTED.get(scores.selection, 'scores as given')}.",
            f"Incomplete: {' and '.join(lacking)}, by name below. Means are over the splits that have scores."
            if lacking
            else f"{'No trial' if undefined else 'Nothing'} is missing.",
            *undefined,
            *looked_at(scores),
            f"These sentences are about the {AVERAGINGS.get(averaging, averaging)} {scores.metric.in_full} on test "
            "images, mean of the classes; the tables have every class and averaging. All intervals are two-sided.",
            *[rule] * bool(rule),
            *["Trained with operations that are not deterministic: the same trials, trained again, have other scores."]
            * (scores.facts is not None and not scores.facts.definition.training.deterministic),
        ),
    )


def _counted(table: pd.DataFrame) -> str:
    """e.g. `8 random splits and one held-out angle split`; where there are none of these, the kinds that there are."""
    kinds = kinds_of(table)
    if dict(kinds).keys() <= set(KINDS):
        kinds += [(kind, "") for kind in KINDS if kind not in dict(kinds)]
    *listed, last = [
        count_of(of_kind_and_axis(table, *kind)["split"].nunique(), f"{in_words(*kind)}s") for kind in kinds
    ]
    return " and ".join([*[", ".join(listed)] * bool(listed), last])


def cannot_say(scores: Scores) -> Finding:
    """What these data cannot answer, each with the reason."""
    wide = by_split(random_and_held_out(scores.table))
    num_random, num_held_out = (of_kind(wide, kind).shape[1] for kind in KINDS)
    points = []
    if refusal := sd_refusal(num_random, "random splits"):
        points.append(f"How steady scores are over random splits: {refusal.in_full}.")
    if not num_held_out:
        points.append("How the scores change on samples unlike those of training: there are no held-out splits.")
    rows = random_and_held_out(scores.table)
    for part in by_axis(rows).values() if num_held_out else ():
        num_of_axis = part.loc[part["split_kind"] == HELD_OUT, "split"].nunique()
        points += _of_held_out(num_random, num_of_axis, splits := f"{HeldOut.of(part).split}s")
        unattainable = [note for note in columns_against_held_out(part)["note"] if note.startswith("no column can")]
        points += [
            f"Which single columns (a class of a configuration) drop on {splits}: {note}." for note in unattainable[:1]
        ]
    if not scores.one_division and seeds_of(scores.table)[1] < 2:
        points.append(
            "What is due to the split and what to the training's own chance: one seed per split cannot tell them apart."
        )
    if scores.one_division:
        points.append(
            "How far another division of the images would move a score: all random splits divide them in the same way."
        )
    points.append(_of_other_images(scores.one_division))
    return Finding("What these data cannot say", tuple(points))


def _of_other_images(one_division: bool) -> str:
    if one_division:
        return (
            "Whether other images would give the same picture: every interval speaks of these images, divided in this "
            "way."
        )
    return (
        "Whether other images would give the same picture: all splits re-use these, and intervals of means, SDs and "
        "drops speak of new random splits of them. Only the interval of a difference between two configurations is "
        "made wider, by Nadeau and Bengio's rule, to speak of new images of the same kind."
    )


def _of_held_out(num_random: int, num_held_out: int, splits: str) -> list[str]:
    reasons = {
        f"How steady scores are over {splits}": sd_refusal(num_held_out, splits),
        f"Whether one configuration beats another on {splits}": sign_flip_refusal(num_held_out, splits),
        f"Whether {splits} are harder at all": relabelling_refusal(num_random, num_held_out),
    }
    return [f"{question}: {refusal.in_full}." for question, refusal in reasons.items() if refusal]
