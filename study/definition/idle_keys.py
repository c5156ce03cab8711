"""Keys of the recipe that would do nothing, whatever they were: refused, as who wrote them expects that they do."""

from __future__ import annotations

from collections.abc import Collection

from study.definition.space import Choices, Space
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
    return None


def _values(key: str, own: str, space: Space) -> Collection[object]:
    searched = space.get(f"training.{key}")
    return {own, *(searched.choices if isinstance(searched, Choices) else ())}
