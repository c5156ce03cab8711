"""Curves and scores of every trial as TensorBoard's logs: `tensorboard --logdir FOLDER`."""

from __future__ import annotations

import shutil
from pathlib import Path

from tensorboardX import SummaryWriter  # type: ignore[import-untyped]

from analysis.errors import AnalysisError
from analysis.export.kept import CURVES, NAMING, Kept, KeptTrial

NAMES = {"train_loss": "loss/training", "val_loss": "loss/validation", "objective": "dice/validation"}
"""Of curves that are not called as their column of `history` is."""
_FACTS = (*NAMING, "status", "error", "selected_epoch", "device", "recipe_digest", "simulated")


def write(kept: Kept, place: str) -> int:
    """A folder for each trial, called as the trial; one that is there is left as it is."""
    folder = Path(place)
    try:
        there = {path.name: _training_in(path) for path in folder.iterdir()} if folder.is_dir() else {}
        kept.refuse_others(place, there)
        new = list(kept.trials(without=there))
        for trial in new:
            _write(trial, folder / trial.id)
    except OSError as error:
        raise AnalysisError(f"{folder} cannot be written: {error.strerror or error}") from None
    return len(new)


def _training_in(folder: Path) -> str | None:
    """Which training a log is of: the end of its file's name."""
    return next((path.suffix[1:] for path in folder.glob("events.*")), None)


def _write(trial: KeptTrial, folder: Path) -> None:
    """Under a hidden name until it is whole, so that an interrupted export is made again."""
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)  # else what an interrupted export wrote would be shown twice
    times = trial.ended()
    with SummaryWriter(str(unfinished), filename_suffix=f".{trial.training}") as log:
        for column in CURVES:
            for epoch, value in trial.curve(column).items():
                log.add_scalar(NAMES.get(column, column), value, epoch, walltime=times.get(epoch))
        for averaging, name, dice in trial.test_scores():
            log.add_scalar(
                f"test_dice_{averaging}/{name}", dice, trial.num_epochs, walltime=times.get(trial.num_epochs)
            )
        facts = {**trial.facts(_FACTS), **trial.point}
        log.add_text("trial", "\n".join(f"* {key}: {value}" for key, value in facts.items()), 0)
    unfinished.rename(folder)
