"""Was each training long enough? Stopped too early, nothing learned, nothing but one class predicted."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from analysis.answer import Finding
from analysis.facts import FACTORS, Facts
from analysis.scores import Scores
from trainers.dice import BACKGROUND

LATE_SHARE = 0.1
"""A best epoch within this last share of the epochs (at least the last one) is late: more may give a better one."""
FEWEST_EPOCHS = 16
"""That are worth a try where a training was too short."""
NOTHING_LEARNED = 0.01
"""A validation Dice that never rises above it."""
TOO_SHORT, NOTHING = "best at the end", "nothing learned"
BLANK, ONE_CLASS = "background only", "one class only"


def num_late(epochs: int) -> int:
    """How many of the last epochs are late."""
    return max(1, math.floor(LATE_SHARE * epochs))


def training(facts: Facts) -> pd.DataFrame:
    """One row per selected trial that was trained and has a history: its factors, and

    epochs, best_epoch      trained, and the one of the lowest validation loss, whose weights were kept
    validation_dice         in the best epoch; highest_dice: in any epoch
    loss_change             training loss at the end against that at three quarters, as a share; below 0 it still fell
    object_share            of the pixels of its test predictions, those that are not background
    remark                  TOO_SHORT, NOTHING, BLANK and ONE_CLASS, where they apply
    """
    columns = ["epochs", "best_epoch", "validation_dice", "highest_dice", "loss_change", "object_share", "remark"]
    if facts.definition.simulate:
        return pd.DataFrame(columns=[*FACTORS, *columns])
    predicted = {str(each.factors["trial"]): each for each in facts.test_images}
    rows = []
    for trial, run in facts.history(facts.chosen).sort_values("epoch").groupby("trial", sort=False):
        last, best = run.iloc[-1], run[run["epoch"] == run["selected_epoch"]]
        earlier = run["train_loss"].iloc[math.ceil(0.75 * len(run)) - 1]
        row = last[FACTORS].to_dict() | {"epochs": int(last["epoch"]), "best_epoch": int(last["selected_epoch"])}
        row |= {"validation_dice": best["objective"].mean(), "highest_dice": run["objective"].max()}
        row |= {"loss_change": last["train_loss"] / earlier - 1 if len(run) > 1 and earlier > 0 else math.nan}
        row |= {"object_share": predicted[str(trial)].object_share}
        rows.append(row | {"remark": ", ".join(_remarks(row, predicted[str(trial)].alone))})
    return pd.DataFrame(rows, columns=[*FACTORS, *columns])


def _remarks(row: dict[str, Any], alone: str) -> list[str]:
    found = {
        TOO_SHORT: row["best_epoch"] > row["epochs"] - num_late(row["epochs"]),
        NOTHING: row["highest_dice"] <= NOTHING_LEARNED,
        BLANK: alone == BACKGROUND,
        ONE_CLASS: alone not in ("", BACKGROUND),
    }
    return [remark for remark, applies in found.items() if applies]


def too_short(found: pd.DataFrame) -> str:
    """The sentence for the headline, where most of the trials were too short; else empty."""
    late = found[_has(found, TOO_SHORT)]
    if 2 * len(late) <= len(found):
        return ""
    mean = late["validation_dice"].mean()
    where = "" if np.isnan(mean) else f", where the validation Dice was {mean:.2f} on average"
    if "epochs" in found and found["epochs"].max() == 1:
        return f"Training was too short: one epoch a trial{where}. Train for more before you read anything else here."
    return (
        f"Training was too short: in {len(late)} of {len(found)} trials the validation loss was lowest at the very "
        f"end{where}. Train for more epochs before you read anything else here."
    )


def long_enough(scores: Scores, found: pd.DataFrame) -> Finding | None:
    """What the histories say of the selected trials (`training`), with counts and remedies; None without histories."""
    if found.empty:
        return None
    late, nothing, blank, one_class = (found[_has(found, remark)] for remark in (TOO_SHORT, NOTHING, BLANK, ONE_CLASS))
    points = [_lateness(found, late)]
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


def _lateness(found: pd.DataFrame, late: pd.DataFrame) -> str:
    epochs, falling = int(found["epochs"].max()), int((late["loss_change"] < 0).sum())
    advice = f"Train for longer, say training.epochs = {max(2 * epochs, FEWEST_EPOCHS)}."
    if epochs == 1:
        return f"Every trial was trained for one epoch, which cannot show whether the loss had settled. {advice}"
    end = "the last" if num_late(epochs) == 1 else f"one of the last {num_late(epochs)}"
    sentence = f"In {len(late)} of {len(found)} trials the validation loss was lowest in {end} of {epochs} epochs"
    if 2 * len(late) <= len(found):
        return f"{sentence}: most had settled."
    still = f", and in {falling} of these the training loss was still falling" * (falling > 0)
    return f"{sentence}{still}: the scores, and their spread, are those of trainings that were cut short. {advice}"


def _has(found: pd.DataFrame, remark: str) -> pd.Series[bool]:
    return found["remark"].str.contains(remark, regex=False).astype(bool)


def _of(some: pd.DataFrame, found: pd.DataFrame) -> str:
    return f"{len(some)} of {len(found)} trials ({some['trial'].iloc[0]}, for one)"
