"""The verdict in plain words: what the scores say to the questions of one who must decide whether to trust a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from analysis.answer import Finding, difference_in_words
from analysis.axes import HeldOut, by_axis, in_words, kinds_in_words, kinds_of, of_kind_and_axis
from analysis.classes import MACRO
from analysis.scores import (
    CONFIGURATION,
    HELD_OUT,
    KINDS,
    OTHER_KINDS,
    ROUNDING,
    SELECTED,
    Floats,
    Scores,
    by_split,
    capitalised,
    configuration_name,
    count_of,
    main_averaging,
    of_kind,
    random_and_held_out,
)
from analysis.shown import rule, shown_of
from analysis.statistics.comparison import (
    columns_against_held_out,
    compare,
    relabelling_refusal,
    sign_flip_refusal,
)
from analysis.statistics.material import ROPE
from analysis.statistics.other_splits import other_splits_in_words
from analysis.statistics.spread import LEVEL, sd_refusal, spread, without_score
from analysis.statistics.training import long_enough, never_found, not_settled, training
from analysis.verdict.held_out import does_it_hold, gaps_in_short, own_chance
from analysis.verdict.of_classes import falsely_predicted, lowest, weakest, without_any_score
from analysis.verdict.of_cost import what_the_rule_chooses
from analysis.verdict.of_search import was_tuning_worth_it
from analysis.verdict.of_splits import same_test_images
from trainers.dice import AVERAGINGS


def verdict(scores: Scores, rope: float = ROPE) -> list[Finding]:
    """Findings, each a question and its answer in words. They speak of one averaging, that of `main_averaging`."""
    averaging = main_averaging(scores.table)
    of_all_splits = scores.table[scores.table["averaging"] == averaging]
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
        _spread(listed[0]),
        *(does_it_hold(part, rows) for part, rows in zip(parts, listed, strict=True)),
        Finding(f"How good is it on {kinds_in_words(of_all_splits, OTHER_KINDS)}?", others) if others else None,
        weakest(table),
        falsely_predicted(scores),
        _best(scores, table, macros[0], rope),
        was_tuning_worth_it(scores, averaging),
        what_the_rule_chooses(scores, averaging),
    ]
    return [finding for finding in findings if finding]


def _macro(table: pd.DataFrame) -> pd.DataFrame:
    found = spread(table)
    return found[found["class"] == MACRO]


def lacking(scores: Scores) -> list[str]:
    """What is missing or failed, a line each: no number makes up for it."""
    missing = [f"missing: {name}" for name in scores.missing]
    return [*missing, *(f"failed: {trial}: {reason}" for trial, reason in scores.failed.items())]


def expected_half_width(sd: float, num_splits: int) -> float:
    """How far a training on one more random split may come out from the mean of so many: t s sqrt(1 + 1 / n)."""
    return float(stats.t.ppf((1 + LEVEL) / 2, num_splits - 1) * sd * np.sqrt(1 + 1 / num_splits))


def _in_short(
    scores: Scores, of_all_splits: pd.DataFrame, macros: Sequence[pd.DataFrame], trained: pd.DataFrame
) -> Finding:
    """`macros` are the rows for the mean of classes of each part of `by_axis`, `trained` is what `training` gives."""
    table = random_and_held_out(of_all_splits)
    points = [not_settled(trained), never_found(scores.facts) if scores.facts else ""]
    points.append(_steadiness(table, macros[0]))
    points += same_test_images(scores)
    for part, of_axis in zip(by_axis(table).values(), macros, strict=True):
        if of_axis["gap"].notna().any():
            points.append(gaps_in_short(of_axis, HeldOut.of(part)))
        elif set(KINDS) <= set(part["split_kind"]):
            points.append(
                f"What is lost on {HeldOut.of(part).samples} is not known for all classes: {_unscored(part)}."
            )
    points += [*own_chance(scores, of_all_splits), lowest(table)]
    return Finding("In short", tuple(filter(None, points)))


def _steadiness(table: pd.DataFrame, macro: pd.DataFrame) -> str:
    """How far another random split alone moves the mean of classes, or why that is not known."""
    known = macro[macro["sd"] >= ROUNDING]
    if len(known):
        halves = [expected_half_width(row.sd, row.num_splits) for row in known.itertuples()]
        return (
            "Do not read much into one number: train the same model on another random split of these data, and its "
            f"mean Dice may well be {_range(np.array(halves))} higher or lower (95 %)."
        )
    refusal = sd_refusal(int(macro["num_splits"].max()), "random splits")
    equal = [note for note in macro["note"] if "no interval" in note]
    reason = refusal.reason if refusal else equal[0].split("; ")[0] if equal else _unscored(table)
    return f"These data cannot say how steady the models are: {reason}."


def _unscored(table: pd.DataFrame) -> str:
    """Which classes have no score, and where: the first configuration that lacks one."""
    wide = by_split(table)
    sentences = zip(wide.index, without_score(wide), strict=True)
    (model, loss, _, _), sentence = next((key, each) for key, each in sentences if key[-1] == MACRO and each)
    return f"{sentence} ({model} {loss})"


def _what_was_measured(scores: Scores, averaging: str, rule: str) -> Finding:
    table = scores.table
    configurations = len(table[CONFIGURATION].drop_duplicates())
    num_seeds = table.groupby([*CONFIGURATION, "split"])["seed"].nunique()
    fewest, most = int(num_seeds.min()), int(num_seeds.max())
    seeds = f"{fewest} to {most} seeds" if fewest < most else count_of(most, "seeds")
    lacking = [f"{len(scores.missing)} missing"] * bool(scores.missing)
    lacking += [f"{len(scores.failed)} failed"] * bool(scores.failed)
    undefined = without_any_score(table[table["averaging"] == averaging])
    return Finding(
        "What was measured?",
        (
            f"{capitalised(count_of(configurations, 'configurations'))} on {_counted(table)}, {seeds} each; "
            f"{SELECTED.get(scores.selection, 'scores as given')}.",
            f"Incomplete: {' and '.join(lacking)}, by name below; no mean is taken without them."
            if lacking
            else f"{'No trial' if undefined else 'Nothing'} is missing.",
            *undefined,
            f"These words speak of the {AVERAGINGS.get(averaging, averaging)} Dice on test images, mean of the "
            "classes; the tables have every class and averaging.",
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


def _spread(macro: pd.DataFrame) -> Finding | None:
    """The mean, its spread, and where a training on a new random split is to be expected."""
    if not macro["num_splits"].any() and not macro["num_held_out"].any() and not macro["num_undefined"].any():
        return None
    points, refusals = [], list[str]()
    for row in macro.itertuples():
        refusal = sd_refusal(row.num_splits, "random splits")
        if np.isnan(row.mean):
            points.append(
                f"{configuration_name(row)}: no mean over the classes, as not all have a score; see its table."
            )
        elif row.sd < ROUNDING:
            points.append(f"{configuration_name(row)}: {row.mean:.3f} on each of {row.num_splits} random splits.")
            refusals.append("No interval is given where all splits gave the same: that is no certainty.")
        elif refusal:
            points.append(f"{configuration_name(row)}: {row.mean:.3f}.")
            refusals.append(f"No spread is given: {refusal.reason}.")
        else:
            half = expected_half_width(row.sd, row.num_splits)
            points.append(
                f"{configuration_name(row)}: {row.mean:.3f}, SD {row.sd:.3f} [{row.sd_low:.3f}, "
                f"{row.sd_high:.3f}]; expect {max(0.0, row.mean - half):.2f} to {min(1.0, row.mean + half):.2f} "
                "on one more random split (95 %)."
            )
    return Finding("How good is it, and how far would another split move it?", (*points, *dict.fromkeys(refusals)))


def _best(scores: Scores, table: pd.DataFrame, macro: pd.DataFrame, rope: float) -> Finding | None:
    """The highest mean against the next, by the interval that allows for shared training images."""
    ranked = macro.dropna(subset="mean").sort_values("mean", ascending=False, kind="stable")
    if len(ranked) < 2:
        return None
    (_, first), (_, second) = list(ranked.iterrows())[:2]
    ahead = difference_in_words(first["mean"] - second["mean"])
    lead = f"{configuration_name(first)} leads {configuration_name(second)} by {ahead}"
    question = "Which configuration is best on random splits?"
    if scores.test_to_train is None:
        return Finding(question, (f"{lead}; without the sizes of the splits there is no interval to judge that by.",))
    names = [(each["model"], each["loss"]) for each in (first, second)]
    paired = compare(table, *names, test_to_train=scores.test_to_train, rope=rope)
    row = paired[paired["class"] == MACRO].iloc[0]
    if np.isnan(row["p_better"]):
        return Finding(question, (f"{lead}; {row['note'].split('; ')[0]}.",))
    sure = "The data tell them apart." if row["low"] > 0 else "The data do not tell them apart."
    return Finding(
        question,
        (
            f"{lead} [{row['low']:.3f}, {row['high']:.3f}], an interval that allows for shared training images. {sure}",
            f"Better / equal within {rope:g} / worse, by probability: {row['p_better']:.2f} / {row['p_equal']:.2f} / "
            f"{row['p_worse']:.2f}. The leader was chosen because it leads, so its lead is overestimated.",
        ),
    )


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
        points += [f"Which single columns fall on {splits}: {note}." for note in unattainable[:1]]
    if scores.table.groupby([*CONFIGURATION, "split"])["seed"].nunique().max() < 2:
        points.append(
            "What is due to the split and what to the training's own chance: one seed per split cannot tell them apart."
        )
    points.append(
        "Whether another data set would give the same picture: all splits re-use these images, so every interval "
        "speaks of re-splits of this data set only."
    )
    return Finding("What these data cannot say", tuple(points))


def _of_held_out(num_random: int, num_held_out: int, splits: str) -> list[str]:
    reasons = {
        f"How steady scores are over {splits}": sd_refusal(num_held_out, splits),
        f"Whether one configuration beats another on {splits}": sign_flip_refusal(num_held_out, splits),
        f"Whether {splits} are harder at all": relabelling_refusal(num_random, num_held_out),
    }
    return [f"{question}: {refusal.in_full}." for question, refusal in reasons.items() if refusal]


def _range(values: pd.Series[float] | Floats, sign: str = "") -> str:
    low, high = min(values), max(values)
    return f"{sign}{low:.2f}" if f"{low:.2f}" == f"{high:.2f}" else f"{sign}{low:.2f} to {sign}{high:.2f}"
