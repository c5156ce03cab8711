"""Curves and scores of every trial as TensorBoard's logs: `tensorboard --logdir FOLDER`."""

from __future__ import annotations

from pathlib import Path

from tensorboardX import SummaryWriter  # type: ignore[import-untyped]

from analysis.errors import AnalysisError
from analysis.export.kept import Kept, KeptTrial

CURVES = {
    "train_loss": "loss/training",
    "val_loss": "loss/validation",
    "objective": "dice/validation",
    "learning_rate": "learning_rate",
}
"""Column of `history` -> name of the curve."""


def write(kept: Kept, place: str) -> int:
    """A folder for each trial, called as the trial; one that is there is left as it is."""
    folder = Path(place)
    try:
        there = frozenset(path.name for path in folder.iterdir()) if folder.is_dir() else frozenset()
        new = list(kept.trials(without=there))
        for trial in new:
            _write(trial, folder / trial.id)
    except OSError as error:
        raise AnalysisError(f"{folder} cannot be written: {error.strerror or error}") from None
    return len(new)


def _write(trial: KeptTrial, folder: Path) -> None:
    """Under a hidden name until it is whole, so that an interrupted export is made again."""
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    with SummaryWriter(str(unfinished)) as log:
        for line in trial.history.to_dict("records"):
            for column, name in CURVES.items():
                if line[column] is not None and line[column] == line[column]:
                    log.add_scalar(name, line[column], line["epoch"])
        last = int(trial.history["epoch"].max()) if len(trial.history) else 0
        for row in trial.test.to_dict("records"):
            for averaging in ("ew", "pw", "pooled"):
                value = row[f"dice_{averaging}"]
                if value is not None and value == value:
                    log.add_scalar(f"test_dice_{averaging}/{row['class']}", value, last)
        log.add_text("trial", "\n".join(f"* {key}: {value}" for key, value in _facts(trial).items()), 0)
    unfinished.rename(folder)


_FACTORS = ("model", "loss", "split", "seed", "index")
_FACTS = (*_FACTORS, "status", "error", "selected_epoch", "device", "recipe_digest", "simulated")


def _facts(trial: KeptTrial) -> dict[str, object]:
    return {**{name: trial.row[name] for name in _FACTS if trial.row.get(name) is not None}, **trial.point}
