"""Had training settled? Stopped too early, jumping losses, nothing learned, classes that are never predicted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from analysis.answer import Finding
from analysis.facts import FACTORS, Facts
from analysis.scores import Scores, count_of, listed
from trainers.data.class_names import BACKGROUNDS
from trainers.printable import in_percent

LATE_SHARE = 0.1
"""A best epoch within this last share of the epochs (at least the last one) is late: more may give a better one."""
JUMP = 0.5
"""A rise of the validation loss from one epoch to the next, as a share, within the last quarter of the epochs."""
UNSETTLED_SHARE = 0.25
"""So many of the trials, or more, were best at the end or jumped: then training had not settled."""
FEWEST_TO_TELL = 4
"""Epochs: a shorter training shows no lateness of its lowest loss."""
COOLED = 0.1
"""A learning rate that ends at this share of its highest, or below, has cooled down: the loss is then lowest at the end
however long the training is, and says nothing of its length."""
FEWEST_EPOCHS = 16
"""That are worth a try where a training was too short."""
NOTHING_LEARNED = 0.01
"""A validation Dice that never rises above it."""
TOO_SHORT, JUMPING, NOTHING = "best at the end", "jumps", "nothing learned"
BLANK, ONE_CLASS = "background only", "one class only"


def num_late(epochs: int) -> int:
    """How many of the last epochs are late."""
    return max(1, math.floor(LATE_SHARE * epochs))


def settling(facts: Facts) -> pd.DataFrame:
    """One row per selected trial that was trained and has a history: its factors, and

    epochs, best_epoch      trained, and the one of the lowest validation loss, whose weights were kept
    validation_dice         in the best epoch; highest_dice: in any epoch
    loss_change             training loss at the end against that at three quarters, as a share; below 0 it still fell
    largest_rise            of the validation loss from one epoch to the next in the last quarter, as a share
    cooled                  whether the learning rate had fallen to COOLED of its highest
    """
    columns = ["epochs", "best_epoch", "validation_dice", "highest_dice", "loss_change", "largest_rise", "cooled"]
    if facts.definition.simulate:
        return pd.DataFrame(columns=[*FACTORS, *columns])
    rows = []
    for _, run in facts.history(facts.chosen).sort_values("epoch").groupby("trial", sort=False):
        last, best = run.iloc[-1], run[run["epoch"] == run["selected_epoch"]]
        earlier = math.ceil(0.75 * len(run)) - 1
        loss, rises = run["train_loss"].iloc[earlier], run["val_loss"].pct_change().iloc[earlier + 1 :]
        row = last[FACTORS].to_dict() | {"epochs": int(last["epoch"]), "best_epoch": int(last["selected_epoch"])}
        row |= {"validation_dice": best["objective"].mean(), "highest_dice": run["objective"].max()}
        row |= {"loss_change": last["train_loss"] / loss - 1 if len(run) > 1 and loss > 0 else math.nan}
        cooled = last["learning_rate"] <= COOLED * run["learning_rate"].max()
        rows.append(row | {"largest_rise": rises.max(), "cooled": bool(cooled)})
    return pd.DataFrame(rows, columns=[*FACTORS, *columns])


def training(facts: Facts) -> pd.DataFrame:
    """The rows of `settling`, with

    object_share    of the pixels of its test predictions, those that are not background
    remark          TOO_SHORT, JUMPING, NOTHING, BLANK and ONE_CLASS, where they apply
    """
    found = settling(facts)
    predicted = {} if found.empty else {str(each.factors["trial"]): each for each in facts.test_images}
    images = [predicted[trial] for trial in found["trial"]]
    rows = zip(found.to_dict("records"), images, strict=True)
    return found.assign(
        object_share=[each.object_share for each in images],
        remark=[", ".join(_remarks(row, each.alone)) for row, each in rows],
    )


def _is_late(row: Mapping[Any, Any]) -> bool:
    return _is_best_at_the_end(row) and not row["cooled"]


def _is_best_at_the_end(row: Mapping[Any, Any]) -> bool:
    return bool(row["best_epoch"] > row["epochs"] - num_late(row["epochs"]))


def _jumps(row: Mapping[Any, Any]) -> bool:
    return bool(row["largest_rise"] >= JUMP)


def _remarks(row: Mapping[Any, Any], alone: str) -> list[str]:
    found = {
        TOO_SHORT: _is_late(row),
        JUMPING: _jumps(row),
        NOTHING: row["highest_dice"] <= NOTHING_LEARNED,
        BLANK: alone in BACKGROUNDS,
        ONE_CLASS: alone not in ("", *BACKGROUNDS),
    }
    return [remark for remark, applies in found.items() if applies]


def not_settled(found: pd.DataFrame) -> str:
    """The sentence for the headline, where the trainings of `settling` had not settled; else empty."""
    rows = found.to_dict("records")
    late, jumping = [_is_late(row) for row in rows], [_jumps(row) for row in rows]
    unsettled = (
        np.array(late, bool)
        | np.array(jumping, bool)
        | np.array([row["epochs"] < FEWEST_TO_TELL for row in rows], bool)
    )
    if not len(rows) or unsettled.mean() < UNSETTLED_SHARE:
        return ""
    mean = found.loc[unsettled, "validation_dice"].mean()
    where = "" if np.isnan(mean) else f", and the mean validation Dice of these is {mean:.2f}"
    end = "Train for more epochs before you read anything else here."
    if found["epochs"].max() < FEWEST_TO_TELL:
        return f"Training had not settled: {count_of(found['epochs'].max(), 'epochs')} a trial{where}. {end}"
    why = [f"in {sum(late)} the validation loss was lowest at the very end"] * any(late)
    why += [f"in {sum(jumping)} it still jumped"] * any(jumping)
    return f"Training had not settled in {unsettled.sum()} of {len(rows)} trials: {' and '.join(why)}{where}. {end}"


def never_found(facts: Facts) -> str:
    """The sentence that names the classes of which no selected trial finds a single test pixel; else empty."""
    if facts.definition.simulate or not facts.test_images:
        return ""
    classes = facts.test_images[0].classes
    found_K = np.any([each.found_NK.any(axis=0) for each in facts.test_images], axis=0)
    predicted_K = np.sum([each.predicted_K for each in facts.test_images], axis=0)
    shown_K = np.any([each.true_NK.any(axis=0) for each in facts.test_images], axis=0)
    never = [name for name, found, shown in zip(classes, found_K, shown_K, strict=True) if shown and not found]
    if not never:
        return ""
    unpredicted = [name for name, pixels in zip(classes, predicted_K, strict=True) if name in never and not pixels]
    found = f"{len(never)} of {len(classes)} classes {'was' if len(never) == 1 else 'were'} never found, by any trial"
    if unpredicted == never:
        return f"{found}, nor ever predicted: {listed(never)}."
    at_all = f" Never predicted at all: {listed(unpredicted)}." * bool(unpredicted)
    return f"{found}: {listed(never)}.{at_all}"


def long_enough(scores: Scores, found: pd.DataFrame) -> Finding | None:
    """What the histories say of the selected trials (`training`), with counts and remedies; None without histories."""
    if found.empty:
        return None
    marked = [found[_has(found, remark)] for remark in (TOO_SHORT, JUMPING, NOTHING, BLANK, ONE_CLASS)]
    late, jumping, nothing, blank, one_class = marked
    cooled = found[[bool(row["cooled"]) and _is_best_at_the_end(row) for row in found.to_dict("records")]]
    points = [*_lateness(found, late), *_cooling(found, cooled), *_jumpiness(found, jumping)]
    num_settled = int((~_has(found, TOO_SHORT) & ~_has(found, JUMPING)).sum())
    if found["epochs"].max() >= FEWEST_TO_TELL and cooled.empty:
        points.append(f"{num_settled} of {count_of(len(found), 'trials')} had settled.")
    if len(nothing):
        points.append(
            f"{_of(nothing, found)} learned nothing: validation Dice never rose above {NOTHING_LEARNED:g}. Look at "
            "their images with `study data`, then try a lower learning rate or more epochs."
        )
    if len(blank):
        points.append(f"{_of(blank, found)} found nothing: all test pixels are predicted as background.")
    if len(one_class):
        points.append(f"{_of(one_class, found)} told no classes apart: all test pixels are predicted as one of them.")
    if scores.failed:
        points.append(f"{len(scores.failed)} diverged and {'has' if len(scores.failed) == 1 else 'have'} no score.")
    return Finding("Was training long enough?", tuple(points))


def _lateness(found: pd.DataFrame, late: pd.DataFrame) -> list[str]:
    epochs, falling = int(found["epochs"].max()), int((late["loss_change"] < 0).sum())
    advice = f"Train for longer, say training.epochs = {max(2 * epochs, FEWEST_EPOCHS)}."
    if epochs < FEWEST_TO_TELL:
        trained = count_of(epochs, "epochs")
        return [f"No trial was trained for more than {trained}: too few to show whether the loss had settled. {advice}"]
    if late.empty:
        return []
    end = "the last" if num_late(epochs) == 1 else f"one of the last {num_late(epochs)}"
    sentence = f"In {len(late)} of {len(found)} trials the validation loss was lowest in {end} of {epochs} epochs"
    if len(late) < UNSETTLED_SHARE * len(found):
        return [f"{sentence}."]
    still = f", and in {falling} of these the training loss was still falling" * (falling > 0)
    return [f"{sentence}{still}: the scores, and their spread, are those of trainings that were cut short. {advice}"]


def _cooling(found: pd.DataFrame, cooled: pd.DataFrame) -> list[str]:
    epochs = int(found["epochs"].max())
    if cooled.empty or epochs < FEWEST_TO_TELL:
        return []
    return [
        f"In {len(cooled)} of {len(found)} trials the learning rate fell towards 0 over the epochs, and the validation "
        "loss was lowest at the end. That is so with any number of epochs: whether more would raise the scores, "
        f"these curves cannot tell. A study with training.epochs = {2 * epochs} can."
    ]


def _jumpiness(found: pd.DataFrame, jumping: pd.DataFrame) -> list[str]:
    if jumping.empty:
        return []
    return [
        f"In {len(jumping)} of {len(found)} trials the validation loss rose by {in_percent(JUMP)} or more from one "
        "epoch to the next, within the last quarter of the epochs: which weights were kept is partly chance. Try a "
        "lower learning rate."
    ]


def _has(found: pd.DataFrame, remark: str) -> pd.Series[bool]:
    return found["remark"].str.contains(remark, regex=False).astype(bool)


def _of(some: pd.DataFrame, found: pd.DataFrame) -> str:
    return f"{len(some)} of {len(found)} trials ({some['trial'].iloc[0]}, for one)"
