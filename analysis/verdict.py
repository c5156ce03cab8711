"""The verdict in plain words: what the scores say to the questions of one who must decide whether to trust a model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from analysis.answer import Finding
from analysis.axes import HeldOut, by_axis, in_words, kinds_of, of_kind_and_axis
from analysis.classes import MACRO, is_object
from analysis.scores import (
    CONFIGURATION,
    HELD_OUT,
    KINDS,
    Floats,
    Scores,
    by_split,
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
    random_against_held_out,
    relabelling_refusal,
    sign_flip_refusal,
)
from analysis.statistics.false_classes import false_classes
from analysis.statistics.material import ROPE
from analysis.statistics.other_splits import other_splits_in_words
from analysis.statistics.ranks import WorstOfColumns, extreme_classes, worst_of_columns
from analysis.statistics.spread import LEVEL, sd_refusal, spread, without_score
from analysis.statistics.training import long_enough, too_short, training
from trainers.dice import AVERAGINGS

MOST_NAMED = 8  # classes, in a sentence


def verdict(scores: Scores, rope: float = ROPE) -> list[Finding]:
    """Findings, each a question and its answer in words. They speak of one averaging, that of `main_averaging`."""
    averaging = main_averaging(scores.table)
    others = tuple(other_splits_in_words(scores.table[scores.table["averaging"] == averaging]))
    measured = _what_was_measured(scores, averaging, rule(scores.table))
    scores = replace(scores, table=random_and_held_out(scores.table))
    table = scores.table[scores.table["averaging"] == averaging]
    parts = list(by_axis(table).values())
    macros = [_macro(part) for part in parts]
    shown = shown_of(scores.table)
    listed = [macro[[(row.model, row.loss) in shown for row in macro.itertuples()]] for macro in macros]
    trained = training(scores.facts) if scores.facts else pd.DataFrame()
    findings = [
        _in_short(table, parts, macros, too_short(trained) if len(trained) else ""),
        measured,
        long_enough(scores, trained),
        _spread(listed[0]),
        *map(_held_out, parts, listed),
        Finding("How good is it on folds, given and matched splits?", others) if others else None,
        _weakest(table),
        _false(scores),
        _best(scores, table, macros[0], rope),
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


def _in_short(table: pd.DataFrame, parts: list[pd.DataFrame], macros: list[pd.DataFrame], too_short: str) -> Finding:
    """`parts` are those of `by_axis`, `macros` the rows of each for the mean of classes."""
    points = [too_short] if too_short else []
    macro = macros[0]
    known = macro.dropna(subset="sd")
    if known.empty:
        refusal = sd_refusal(int(macro["num_splits"].max()), "random splits")
        reason = refusal.reason if refusal else _unscored(table)
        points.append(f"These data cannot say how steady the models are: {reason}.")
    else:
        halves = [expected_half_width(row.sd, row.num_splits) for row in known.itertuples()]
        points.append(
            f"A single mean Dice here is exact to within {_range(np.array(halves), '±')} only: another random split "
            "alone may move it that far (95 %)."
        )
    for part, of_axis in zip(parts, macros, strict=True):
        gaps, held_out = of_axis["gap"].dropna(), HeldOut.of(part)
        if len(gaps):
            points.append(_in_short_of_held_out(gaps, held_out))
        elif set(KINDS) <= set(part["split_kind"]):
            points.append(f"What is lost on {held_out.samples} is not known for all classes: {_unscored(part)}.")
    objects = table[is_object(table["class"])].dropna(subset="dice")
    if len(objects):
        low = objects.loc[objects["dice"].idxmin()]
        points.append(
            f"The lowest Dice here is {low['dice']:.2f}: {low['class']}, {configuration_name(low)}, {low['split']}."
        )
    return Finding("In short", tuple(points))


def _unscored(table: pd.DataFrame) -> str:
    """Which classes have no score, and where: the first configuration that lacks one."""
    wide = by_split(table)
    sentences = zip(wide.index, without_score(wide), strict=True)
    (model, loss, _, _), sentence = next((key, each) for key, each in sentences if key[-1] == MACRO and each)
    return f"{sentence} ({model} {loss})"


def _in_short_of_held_out(gaps: pd.Series[float], held_out: HeldOut) -> str:
    loses = int((gaps > 0).sum())
    if len(gaps) == 1:
        sentence = f"the mean Dice is {_range(gaps.abs())} {'lower' if loses else 'higher'}"
    else:
        every = "all" if loses == len(gaps) else f"{loses} of"
        sentence = f"{every} {len(gaps)} configurations lose; random less held-out is {_range(gaps)}"
    return f"On {held_out.samples}, {sentence}."


def _undefined(rows: pd.DataFrame) -> list[str]:
    """A sentence, if a class has no score: no test image of the split shows it."""
    undefined = rows[is_object(rows["class"]) & rows["dice"].isna()]
    found = {str(name): part["split"].unique() for name, part in undefined.groupby("class", sort=False)}
    if not found:
        return []
    told = "; ".join(f"{name} on {', '.join(splits)}" for name, splits in list(found.items())[:MOST_NAMED])
    more = f"; and {len(found) - MOST_NAMED} more classes" if len(found) > MOST_NAMED else ""
    return [f"Without a score: {told}{more}. There the mean of classes is undefined too, and left out of what follows."]


def _what_was_measured(scores: Scores, averaging: str, rule: str) -> Finding:
    table = scores.table
    configurations = len(table[CONFIGURATION].drop_duplicates())
    num_seeds = table.groupby([*CONFIGURATION, "split"])["seed"].nunique()
    fewest, most = int(num_seeds.min()), int(num_seeds.max())
    seeds = f"{fewest} to {most} seeds" if fewest < most else count_of(most, "seeds")
    selection = {"default": "the default point of every cell", "tuned": "the best trial of every cell by validation"}
    lacking = [f"{len(scores.missing)} missing"] * bool(scores.missing)
    lacking += [f"{len(scores.failed)} failed"] * bool(scores.failed)
    undefined = _undefined(table[table["averaging"] == averaging])
    return Finding(
        "What was measured?",
        (
            f"{count_of(configurations, 'configurations')} on {_counted(table)}, {seeds} each; "
            f"{selection.get(scores.selection, 'scores as given')}.",
            f"Incomplete: {' and '.join(lacking)}, by name below; no mean is taken without them."
            if lacking
            else f"{'No trial' if undefined else 'Nothing'} is missing.",
            *undefined,
            f"These words speak of the {AVERAGINGS.get(averaging, averaging)} Dice on test images, mean of the "
            "classes; the tables have every class and averaging.",
            *[rule] * bool(rule),
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


def _held_out(table: pd.DataFrame, macro: pd.DataFrame) -> Finding | None:
    if not set(KINDS) <= set(table["split_kind"]):
        return None
    held_out = HeldOut.of(table)
    points = [
        f"{configuration_name(row)}: {row.mean:.3f} on random, {row.held_out_mean:.3f} on {held_out.split}s"
        + ("." if np.isnan(row.retained_share) else f"; it keeps {row.retained_share:.0%}.")
        for row in macro.dropna(subset="gap").itertuples()
    ]
    tests = random_against_held_out(table)
    overall = tests[tests["model"] == ""].iloc[0]
    over = "over all configurations and classes"
    if overall["num_left_out"]:
        over += f" that have a score on every split; {count_of(int(overall['num_left_out']), 'columns')} left out"
    difference = [] if np.isnan(overall["difference"]) else [f"{overall['difference']:+.3f}"]
    parts = [*difference, overall["note"] or f"exact one-sided p = {overall['p']:.4f}, {over}"]
    points.append(f"Random less held-out, over all: {'; '.join(parts)}.")
    points.append(_worst_columns(worst_of_columns(table), held_out))
    return Finding(f"Does it hold on {held_out.samples}?", tuple(points))


def _worst_columns(worst: WorstOfColumns, held_out: HeldOut) -> str:
    shares = worst.columns["held_out_share"]
    whole, shared = int((shares == 1).sum()), int(shares.between(0, 1, inclusive="neither").sum())
    sentence = (
        f"{whole} of {worst.num_columns} columns (configuration x class) have their worst value on a {held_out.split}"
    )
    if shared:
        ties = f"{shared} more has" if shared == 1 else f"{shared} more have"
        sentence += f", and {ties} it on a held-out and a random split alike, which counts in part"
    return f"{sentence}: {worst.column_share:.0%}, where chance gives {worst.chance:.0%}."


def _weakest(table: pd.DataFrame) -> Finding | None:
    shares = extreme_classes(table).sort_values("hardest", ascending=False, kind="stable")
    shares = shares[(shares["num_runs"] > 0) & (shares["hardest"] > 0)]
    if shares.empty:
        return None
    names = [f"{share:.0%} {name}" for name, share in zip(shares["class"], shares["hardest"], strict=True)]
    more = f", and {len(names) - MOST_NAMED} more classes" * (len(names) > MOST_NAMED)
    runs = count_of(int(shares["num_runs"].iloc[0]), "runs")
    return Finding(
        "Which class can be trusted least?",
        (f"The hardest class, by share of the {runs} (configuration x split): {', '.join(names[:MOST_NAMED])}{more}.",),
    )


def _false(scores: Scores) -> Finding | None:
    """The class that is most often predicted where it is not."""
    if scores.facts is None:
        return None
    found = false_classes(scores.facts).dropna(subset="rate").sort_values("rate", ascending=False, kind="stable")
    points = [
        f"On {in_words(str(kind), str(axis))}s: {row['class']} by {configuration_name(row)}, in {row['rate']:.0%} of "
        "the test images without it."
        for (kind, axis), part in found.groupby(["split_kind", "axis"], sort=True)
        for row in [part.iloc[0]]
        if row["rate"] > 0
    ]
    return Finding("What is predicted most often that is not there?", tuple(points)) if points else None


def _best(scores: Scores, table: pd.DataFrame, macro: pd.DataFrame, rope: float) -> Finding | None:
    """The highest mean against the next, by the interval that allows for shared training images."""
    ranked = macro.dropna(subset="mean").sort_values("mean", ascending=False, kind="stable")
    if len(ranked) < 2:
        return None
    (_, first), (_, second) = list(ranked.iterrows())[:2]
    lead = f"{configuration_name(first)} leads {configuration_name(second)} by {first['mean'] - second['mean']:.3f}"
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
