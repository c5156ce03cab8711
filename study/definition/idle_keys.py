"""Keys of the recipe that would do nothing, whatever they were: refused, as who wrote them expects that they do."""

from __future__ import annotations

from collections.abc import Collection

from study.definition.space import Choices, Range, Space
from trainers.recipe import TrainingRecipe


def idle_key(training: TrainingRecipe, space: Space) -> str | None:
    """`key: why`, of the first key that is given another value than its default, or searched, and that no trial
    heeds."""
    optimizers, schedules = (_values(key, getattr(training, key), space) for key in ("optimizer", "schedule"))
    heeded = {
        "momentum": ("sgd" in optimizers, "no trial has optimizer sgd"),
        "adam_epsilon": (optimizers != {"sgd"}, "every trial has optimizer sgd"),
        "warmup_epochs": (schedules != {"one_cycle"}, "schedule one_cycle has a warm-up of its own"),
    }
    for key, (is_heeded, why) in heeded.items():
        is_default = getattr(training, key) == TrainingRecipe.model_fields[key].default
        if not is_heeded and (not is_default or f"training.{key}" in space):
            return f"training.{key}: does nothing here, as {why}: leave it out"
    return _too_long(training, space)


def _too_long(training: TrainingRecipe, space: Space) -> str | None:
    """Of keys that count epochs, one that outlasts every training."""
    searched = space.get("training.epochs")
    epochs = max(map(float, (training.epochs, *(searched.ends if searched else ()))))
    warm_up, patience = (_least(key, getattr(training, key), space) for key in ("warmup_epochs", "early_stopping"))
    if warm_up is not None and warm_up >= epochs:
        return (
            f"training.warmup_epochs: {warm_up:g}, and a training has {epochs:g} epochs: the learning rate "
            "would rise to the end, and the schedule never begin; take fewer"
        )
    if patience is not None and patience >= epochs - 1:
        return (
            f"training.early_stopping: does nothing here, as no training of {epochs:g} epochs can go on for "
            f"{patience:g} after its lowest validation loss and end early: take fewer, or leave it out"
        )
    return None


def _least(key: str, own: float, space: Space) -> float | None:
    """The least number of epochs that it may be in a trial that has it: 0 is to be without. None if all are."""
    searched = space.get(f"training.{key}")
    if isinstance(searched, Range):
        return float(min(own or searched.low, searched.low))
    values = [own, *map(float, searched.choices)] if searched else [own]
    return min(filter(None, values), default=None)


def _values(key: str, own: str, space: Space) -> Collection[object]:
    searched = space.get(f"training.{key}")
    return {own, *(searched.choices if isinstance(searched, Choices) else ())}
