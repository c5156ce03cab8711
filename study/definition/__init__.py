"""The definition of a study: a TOML file, checked as a whole. Imports neither torch nor ray."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, Self

import tomli_w
from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from study.definition.idle_keys import idle_arguments, idle_key
from study.definition.parts import NamedLoss, NamedNetwork, label_of, problem_of_keys, problem_of_names
from study.definition.point import Point
from study.definition.sections import Data, Grid, Resources, Search, Seed
from study.definition.space import FIXED, Choices, Range
from study.definition.splits import EIGHT_RANDOM_SPLITS, SHARED, Splits, share_name
from study.errors import brief, did_you_mean
from trainers.names import LOSSES, NETWORKS, arguments_of, is_dotted_path
from trainers.printable import counted
from trainers.recipe import (
    NUMERICS,
    SECTIONS,
    AugmentationRecipe,
    ModelRecipe,
    Recipe,
    Section,
    TrainingRecipe,
)

PRESETS = ("demo", "paper", "related")
DEFINITION_HEADER = "# The definition as it was run, every default written out. Each run writes this file anew.\n"
SIMULATED = (
    "SIMULATED: these scores were drawn at random, and no network was trained; they say nothing about any model."
)
"""Stands before every simulated score."""
MOST_CELLS, MOST_TRIALS = 10_000, 1_000_000
"""Of a study: a plan of so many takes seconds, and some 300 MiB."""

_NAMES_TOLD = 5


def _words_for_own(make: str, args: str) -> Any:
    return Field(json_schema_extra={"allowed": f'a table: NAME = {{ make = "{make}", args = {{ {args} }} }}'})


class Definition(Section):
    """What is to be run: a name, a seed, and the sections below."""

    name: str = "study"
    """What the study is called, and the folder of its results. Letters, digits, _, . and -; at most 64 of them."""
    seed: Seed = 0
    """The seed of splits, search and all else that is drawn. (`grid.seeds` are repetitions on the same splits.)"""
    simulate: bool = False
    """Draw plausible results instead of training, to try out a cluster, a search or a report; never mixed with real
    ones."""
    data: Data = Data()
    grid: Grid = Grid()
    models: Annotated[dict[str, NamedNetwork], _words_for_own("mypkg.nets:MyNet", "depth = 3")] = {}
    """Networks of grid.models under names of your own: what makes each (a built-in name or a dotted path), and its own
    arguments, which override the keys of the section model."""
    losses: Annotated[dict[str, NamedLoss], _words_for_own("focal", "gamma = 1.0")] = Field({}, validate_default=True)
    """Losses of grid.losses under names of your own, likewise."""
    splits: Splits = Splits()
    model: ModelRecipe = ModelRecipe()
    augmentation: AugmentationRecipe = AugmentationRecipe()
    training: TrainingRecipe = TrainingRecipe()
    search: Search = Search()
    resources: Resources = Resources()

    @field_validator("losses")  # the last of the three: grid and models are checked, and the rest need not be sound
    @classmethod
    def _networks_and_losses_are_known(cls, losses: dict[str, NamedLoss], info: ValidationInfo) -> dict[str, NamedLoss]:
        grid, models = info.data.get("grid"), info.data.get("models")
        if grid is not None and models is not None:
            found = problem_of_names("models", grid.models, models), problem_of_names("losses", grid.losses, losses)
            if problems := list(filter(None, found)):
                raise PydanticCustomError("of_the_whole", "{problems}", {"problems": "; ".join(problems)})
        return losses

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", name):
            return name
        allowed = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-._")[:64]
        raise ValueError(
            "a name is made of the letters A to Z and a to z, digits, _, . and -, begins with a letter or a digit, "
            f"and has at most 64 characters; {brief(name)} is none" + f" (but {allowed} would be)" * bool(allowed)
        )

    @model_validator(mode="after")
    def _not_too_large(self) -> Self:
        grid = self.grid
        num_cells = math.prod(map(len, (grid.models, grid.losses, self.all_splits, grid.seeds)))
        num_trials = num_cells * self.search.trials
        several = "take fewer, or make several studies, each with a part of the grid"
        if num_cells > MOST_CELLS:
            raise ValueError(f"grid: {counted(num_cells, 'cell')}, and a study has at most {MOST_CELLS:,}; {several}")
        if num_trials > MOST_TRIALS:
            raise ValueError(
                f"search.trials: {counted(num_trials, 'trial')} ({counted(num_cells, 'cell')} of "
                f"{self.search.trials:,}), and a study has at most {MOST_TRIALS:,}; {several}"
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _held_out_splits_are_run_unless_splits_are_named(cls, table: Any) -> Any:
        match table:
            case {"splits": {"held_out": dict(axes)}} if isinstance(table.get("grid", {}), dict):
                described = [split for splits in axes.values() if isinstance(splits, dict) for split in splits]
                return {**table, "grid": {"splits": (*EIGHT_RANDOM_SPLITS, *described), **table.get("grid", {})}}
        return table

    @model_validator(mode="after")
    def _splits_are_defined(self) -> Self:
        unknown = [split for split in self.grid.splits if self.splits.kind_of(split) is None]
        if unknown:
            told = [self.splits.why_there_is_no(split) for split in unknown[:_NAMES_TOLD]]
            more = [f"and {len(unknown) - _NAMES_TOLD} more names"] * (len(unknown) > _NAMES_TOLD)
            raise ValueError(f"grid.splits: {'; '.join([*told, *more])}")
        return self

    @model_validator(mode="after")
    def _resources_are_of_known_networks(self) -> Self:
        for key in ("gpus", "memory_gb"):
            if problem := problem_of_keys(getattr(self.resources, key), self.models):
                raise ValueError(f"resources.{key}: {problem}")
        return self

    @model_validator(mode="after")
    def _names_differ_in_more_than_case(self) -> Self:
        for key, names in (("grid.models", self.grid.models), ("grid.losses", self.grid.losses)):
            if len({name.casefold() for name in names}) < len(names):
                raise ValueError(f"{key}: two names differ in capitals only, which files' names cannot do everywhere")
        return self

    @model_validator(mode="after")
    def _built_in_networks_take_a_width_alone(self) -> Self:
        networks = {name: self.network(name) for name in self.grid.models}
        if any(is_dotted_path(own.make) for own in networks.values()):  # what these take is known to their code alone
            return self
        takes = {name: arguments_of(own.make) - own.args.keys() for name, own in networks.items()}
        if idle := idle_arguments(self.model, takes):
            if idle[0] in ModelRecipe.model_fields:
                raise ValueError(
                    f"model.{idle[0]}: does nothing here, as every network of the grid has its own in args"
                )
            near = did_you_mean(idle[0], [*ModelRecipe.model_fields])
            raise ValueError(f"model.{idle[0]}: unknown key, as no network of the grid takes it{near}")
        return self

    @model_validator(mode="after")
    def _the_search_varies_the_recipe(self) -> Self:
        for key, dimension in self.search.space.items():
            if problem := _not_to_be_searched(self.recipe, key, dimension) or _fixed(key, self.models):
                raise ValueError(f'search.space."{brief(key)[1:-1]}": {problem}')
        if self.search.trials > 1 and not self.search.space:
            raise ValueError(
                f"search.trials: {self.search.trials:,} trials of a cell need points to try, and search.space names "
                'none; add, for instance, search.space."model.width" = { low = 0.25, high = 1.5, log = true }'
            )
        return self

    @model_validator(mode="after")
    def _halving_ends_with_the_training(self) -> Self:
        halving, epochs = self.search.halving, self.training.epochs
        if halving and halving.rungs[-1] != epochs:
            raise ValueError(
                f"search.halving.rungs: the last must be training.epochs, {epochs}, and is {halving.rungs[-1]}"
            )
        if halving and "training.epochs" in self.search.space:
            raise ValueError("search.halving: its rungs are epochs, so training.epochs cannot be searched, too")
        if halving and self.search.trials < 2:
            raise ValueError("search.halving: there is nothing to choose from among 1 trial: raise search.trials")
        if halving and halving.sizes(self.search.trials)[-1] == self.search.trials:
            raise ValueError(
                f"search.halving: of {self.search.trials} trials none would end early, as the default point goes on "
                f"beside the share {halving.keep:g} of the others: raise search.trials, or lower search.halving.keep"
            )
        return self

    @model_validator(mode="after")
    def _every_key_does_something(self) -> Self:
        if problem := idle_key(self.training, self.search.space):
            raise ValueError(problem)
        return self

    @model_validator(mode="after")
    def _shares_have_names_of_their_own(self) -> Self:
        if same := sorted(set(self._shares()) & set(self.splits.held_out_names)):
            raise ValueError(
                f"grid.train_shares: a share would be called {same[0]}, as a split of splits.held_out is: rename that"
            )
        return self

    @property
    def all_splits(self) -> tuple[str, ...]:
        """Those of the grid, and the shares of its random and held-out ones."""
        return tuple(dict.fromkeys((*self.grid.splits, *self._shares())))

    def _shares(self) -> list[str]:
        shares = self.grid.train_shares[:-1]
        wholes = [split for split in self.grid.splits if shares and self.splits.kind_of(split) in SHARED]
        return [share_name(split, share) for share in shares for split in wholes]

    def network(self, name: str) -> NamedNetwork:
        """What makes a network of the grid, and its own arguments."""
        return self.models.get(name) or NamedNetwork.model_construct(make=name)

    def loss(self, name: str) -> NamedLoss:
        """What makes a loss of the grid, and its own arguments."""
        return self.losses.get(name) or NamedLoss.model_construct(make=name)

    def parts(self) -> dict[str, NamedNetwork | NamedLoss]:
        """By label (see `label_of`), every network and loss of the grid that is not simply a built-in one."""
        networks = {label_of("models", name): self.network(name) for name in self.grid.models if name not in NETWORKS}
        losses = {label_of("losses", name): self.loss(name) for name in self.grid.losses if name not in LOSSES}
        return {**networks, **losses}

    @property
    def recipe(self) -> Recipe:
        """Of every trial, before its point is laid over it."""
        return Recipe(model=self.model, augmentation=self.augmentation, training=self.training)

    @property
    def default_point(self) -> Point:
        """The recipe's own values of the searched keys: every cell's trial 0."""
        recipe = self.recipe
        return Point({key: recipe.value(key) for key in self.search.space})

    @property
    def largest_batch_size(self) -> int:
        """Of all batch sizes that a trial may have."""
        searched = self.search.space.get("training.batch_size")
        return max([self.training.batch_size, *map(int, searched.ends if searched else ())])

    def keys_that_decide_a_trial(self) -> dict[str, Any]:
        """All that decides a trial's numbers, as flat `section.key: value`; the data and the split apart, which have
        fingerprints of their own. (`search.trials` and the grid may grow; they decide no single trial.)"""
        keep = {
            "splits": {"test_share", "validation_share", "shared_backgrounds"},
            **{section: set(dict(getattr(self, section))) for section in SECTIONS},
            "search": {"startup"},
        }
        plain = self.model_dump(mode="json", include={"seed", *keep})
        flat = {f"{section}.{key}": plain[section][key] for section, keys in keep.items() for key in sorted(keys)}
        space = {f"search.space.{key}": _plain(dimension) for key, dimension in self.search.space.items()}
        simulated = {"simulate": True} if self.simulate else {}
        objectives = self.search.objectives
        several = {"search.objectives": list(objectives)} if len(objectives) > 1 else {}
        return {"numerics": NUMERICS, "seed": plain["seed"], **simulated, **flat, **space, **several, **self._halving()}

    def _halving(self) -> dict[str, Any]:
        """With it, who goes on depends on how many there are, so that a study cannot grow by trials."""
        halving = self.search.halving
        if halving is None:
            return {}
        kept = {"rungs": list(halving.rungs), "keep": halving.keep}
        return {**{f"search.halving.{key}": value for key, value in kept.items()}, "search.trials": self.search.trials}

    def recipe_digest(self) -> str:
        """Twelve hexadecimal digits that name the recipe."""
        return hashlib.sha256(json.dumps(self.keys_that_decide_a_trial(), sort_keys=True).encode()).hexdigest()[:12]

    def to_toml(self) -> str:
        """The whole definition, every default written out; `load` of it gives an equal definition."""
        return DEFINITION_HEADER + tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))


def _not_to_be_searched(recipe: Recipe, key: str, dimension: Range | Choices) -> str:
    """Why a key cannot be searched so, or nothing."""
    try:
        value = recipe.value(key)
    except KeyError:
        return f"no key of the recipe, from which trial 0 takes its value{did_you_mean(key, recipe.keys())}"
    if key in FIXED:
        return f"cannot be searched, as {FIXED[key]}"
    if not isinstance(value, bool | int | float | str):
        return f"cannot be searched, as it is not a single value: {value}"
    for end in dimension.ends:
        try:
            recipe.at({key: end})
        except ValidationError as error:
            return f"{key} cannot be {brief(end)}: {error.errors()[0]['msg'].removeprefix('Value error, ')}"
    if isinstance(dimension, Choices):
        return "" if value in dimension.choices else f"trial 0 takes the recipe's value, {value!r}: it must be a choice"
    if isinstance(value, bool | str):
        return f"{value!r} is not a number, and has no range: give choices"
    if isinstance(value, int) and not all(isinstance(n, int) for n in (*dimension.ends, dimension.step or 1)):
        return f"the recipe's value, {value}, is a whole number: so must low, high and step be"
    return ""


def _fixed(key: str, models: Mapping[str, NamedNetwork]) -> str:
    """Which network has an argument of its own in place of a searched key, or nothing."""
    section, _, argument = key.partition(".")
    fixed = [name for name, own in models.items() if section == "model" and argument in own.args]
    return f"models.{fixed[0]}.args fixes {argument}: leave it out of the one or of the other" if fixed else ""


def _plain(dimension: Range | Choices) -> Any:
    """As the recipe's digest takes it: 1 is 1.0."""
    if isinstance(dimension, Choices):
        return [float(c) if isinstance(c, int) and not isinstance(c, bool) else c for c in dimension.choices]
    return {name: float(value) for name, value in dimension if value is not None}
