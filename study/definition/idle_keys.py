"""Keys of the recipe that would do nothing, whatever they were: refused, as who wrote them expects that they do."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from study.definition.space import Choices, Space
from trainers.recipe import ModelRecipe, TrainingRecipe


def idle_arguments(model: ModelRecipe, takes: Mapping[str, Collection[str]]) -> list[str]:
    """The keys of the section model that no network takes. (A width that is left at its default is none.)

    :param takes: network of the grid -> the keys of the section model that it takes.
    """
    taken = {key for keys in takes.values() for key in keys}
    fields = ModelRecipe.model_fields
    given = [key for key, value in dict(model).items() if key not in fields or value != fields[key].default]
    return sorted(key for key in given if key not in taken)


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
