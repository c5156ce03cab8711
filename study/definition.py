"""The definition of a study: a TOML file, checked key by key at the door. Imports neither torch nor ray."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Callable
from typing import Annotated, Any, Self, get_args

import tomli_w
from pydantic import Field, ValidationError, field_validator, model_validator

from study.errors import MOST_SHOWN, brief, did_you_mean
from study.figures import figures_of
from study.point import Point
from study.space import FIXED, MOST_KEYS, Choices, Range, Space, flat, in_order
from trainers.data.cut_outs.catalogue import STANDIN
from trainers.printable import is_text
from trainers.recipe import (
    NUMERICS,
    SECTIONS,
    AugmentationRecipe,
    LossName,
    ModelName,
    ModelRecipe,
    Recipe,
    Section,
    TrainingRecipe,
)

PRESETS = ("demo", "paper")
DEFINITION_HEADER = "# The definition as it was run, every default written out. Each run writes this file anew.\n"
SIMULATED = (
    "SIMULATED: these scores were drawn at random, and no network was trained; they say nothing about any model."
)
"""Stands before every simulated score."""
AxisValue = (
    Annotated[int, Field(ge=-(2**53), le=2**53)]
    | Annotated[float, Field(ge=-(2**53), le=2**53)]
    | Annotated[str, Field(min_length=1, max_length=200)]
)

RANDOM_SPLIT = re.compile(r"random_(0|[1-9][0-9]{0,8})")
HELD_OUT_SPLIT = re.compile(r"(?!(random|fold|matched|given)(_|$))[a-z][a-z0-9_]{0,39}")
"""The names that begin with these words are for splits of other kinds."""
EIGHT_RANDOM_SPLITS = tuple(f"random_{i}" for i in range(8))

MOST_CELLS, MOST_TRIALS = 10_000, 1_000_000
"""Of a study: a plan of so many takes seconds, and some 300 MiB."""
Seed = Annotated[int, Field(ge=0, le=2**53 - 1)]  # beyond that, spreadsheets and JSON readers would round it
Share = Annotated[float, Field(gt=0, lt=1)]
YEAR = 31_536_000  # of seconds: who waits longer waits for ever, and the system's timers take no number of any size
Seconds = Annotated[float, Field(ge=0, le=YEAR)]


class Data(Section):
    """What is trained on."""

    path: Annotated[str, Field(min_length=1, max_length=4096)] = STANDIN
    """A folder in VISAPP's layout, or the word `standin` for the set that ships with the project. A relative path in a
    TOML file starts at that file's folder; one given by --set, at the current folder."""

    @field_validator("path")
    @classmethod
    def _can_be_a_path(cls, path: str) -> str:
        if "\0" in path or not is_text(path):
            raise ValueError(f"{brief(path)} cannot be kept in a TOML file: rename the folder")
        return path

    allow_copies: bool = False
    """True: one picture may have several names, though a split can then train on it and test on it."""


class Grid(Section):
    """The cells: every combination of these. A larger grid keeps what a smaller one has computed."""

    models: Annotated[tuple[ModelName, ...], Field(min_length=1)] = ("icnet", "unet")
    """The networks: the paper's two, and icnet_cascade, an ICNet with more of the original's elements."""
    losses: Annotated[tuple[LossName, ...], Field(min_length=1)] = ("ce", "ce_dice")
    """Cross-entropy, and the sum of cross-entropy and Dice loss."""
    splits: Annotated[tuple[str, ...], Field(min_length=1, max_length=1000)] = EIGHT_RANDOM_SPLITS
    """random_<number>, and names of held-out splits. If not given: eight random splits, and every held-out split that
    the definition describes."""
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, max_length=10_000)] = (0,)
    """Each trains everything anew, from other initial weights and in another order, on the same splits."""

    @model_validator(mode="before")
    @classmethod
    def _one_value_is_a_list(cls, table: Any) -> Any:
        if not isinstance(table, dict):
            return table
        return {key: (value,) if isinstance(value, str | int) else value for key, value in table.items()}

    @field_validator("*")
    @classmethod
    def _each_once(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        repeated = [str(value) for value, count in Counter(values).items() if count > 1]
        if repeated:
            raise ValueError(f"named twice: {', '.join(sorted(repeated)[:MOST_SHOWN])}")
        return values


class Splits(Section):
    """How the samples are divided. Splits are seeded by the study's `seed`."""

    test_share: Share = 0.2
    """Share of each class that a random split tests; share of the background groups held out for testing."""
    validation_share: Share = 0.15
    """Share of each class's training samples, and of the remaining background groups, kept for validation."""
    shared_backgrounds: bool = False
    """True: train, val and test draw from the same backgrounds, as the paper's authors did."""
    held_out: dict[str, dict[str, dict[str, tuple[AxisValue, ...]]]] = {}
    """Per axis (a column of the samples, such as angle), per split, per class (`*`: every class not named, and values
    alone mean `*`), the values that the split tests; it trains on all others. `study data FOLDER` proposes some."""

    @model_validator(mode="before")
    @classmethod
    def _values_alone_are_for_every_class(cls, table: Any) -> Any:
        if not isinstance(table, dict) or not isinstance(table.get("held_out"), dict):
            return table
        axes = {axis: _each(_by_class, splits) for axis, splits in table["held_out"].items()}
        return {**table, "held_out": axes}

    @field_validator("held_out")
    @classmethod
    def _named_and_not_empty(cls, held_out: dict[str, dict[str, dict[str, Any]]]) -> Any:
        axis_of: dict[str, str] = {}
        for axis, splits in held_out.items():
            if not axis.isprintable() or not 0 < len(axis) <= 100:
                raise ValueError(f"{brief(axis)} is no name of a column: it has 1 to 100 characters, all printable")
            for split, tested in splits.items():
                _check_held_out(axis, split, tested)
                if axis_of.setdefault(split, axis) != axis:
                    raise ValueError(
                        f"{split} holds out {axis_of[split]} and {axis}: give each split a name of its own"
                    )
        return {
            axis: {
                split: {name: tuple(dict.fromkeys(each)) for name, each in tested.items()}
                for split, tested in splits.items()
            }
            for axis, splits in held_out.items()
        }

    @property
    def held_out_names(self) -> tuple[str, ...]:
        """The held-out splits that are described, in their order."""
        return tuple(split for splits in self.held_out.values() for split in splits)

    def axis_of(self, split: str) -> str | None:
        """What a held-out split holds out; None for a split of any other kind."""
        return next((axis for axis, splits in self.held_out.items() if split in splits), None)


class Search(Section):
    """The points at which the trials of a cell are run: values for some keys of the recipe, laid over it."""

    trials: Annotated[int, Field(ge=1, le=100_000)] = 1
    """Trials in every cell. May grow: what is there stays."""
    startup: Annotated[int, Field(ge=1, le=10_000)] = 8
    """The first trials of every cell share these many points (the recipe's own, then quasi-random ones); then TPE."""
    space: Annotated[
        Space,
        Field(
            max_length=MOST_KEYS,
            json_schema_extra={
                "allowed": 'a table: "section.key" = { low, high } (and log = true, or step), or { choices = [...] }'
            },
        ),
    ] = {}
    """The keys of model, augmentation and training that are searched, and where. Trial 0 takes the recipe's values."""

    @model_validator(mode="before")
    @classmethod
    def _keys_may_be_tables(cls, table: Any) -> Any:
        if isinstance(table, dict) and isinstance(table.get("space"), dict):
            return {**table, "space": flat(table["space"])}
        return table

    @field_validator("space")
    @classmethod
    def _in_one_order(cls, space: Space) -> Space:
        return in_order(space)


GPU_SHARES: dict[ModelName, float] = {name: figures_of(name).gpu_share for name in get_args(ModelName)}
MEMORY_GB: dict[ModelName, float] = {name: figures_of(name).memory_gb for name in get_args(ModelName)}


class Resources(Section):
    """Where trials run. Decides no number in the tables."""

    workers: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Trials at once, at most; as many as the CPUs or GPUs hold if not given."""
    gpus: dict[ModelName, Annotated[float, Field(ge=0.01, le=1)]] = GPU_SHARES
    """Share of a GPU that a trial takes where there are GPUs."""
    attempts: Annotated[int, Field(ge=1, le=100)] = 3
    """How often a trial is tried when the machinery fails it, before its cell rests until the next run."""
    memory_gb: dict[ModelName, Annotated[float, Field(ge=0, le=1_000_000)]] = MEMORY_GB
    """GiB of a machine's memory that a trial asks for: no more trials share it than have room in it. (Measured on
    a CPU, at width 1.5, 128 x 128 pixels and 16 images a batch, after trials of many widths: 1.1, 3.4 and 0.8.)"""
    checkpoint_seconds: Seconds = 60.0
    """A trial's last epoch is kept in OUT this often, at most: what a lost worker costs. 0: every epoch."""
    hang_seconds: Annotated[float, Field(gt=0, le=YEAR)] = 3600.0
    """A trial that ends no epoch for so long is taken to hang: its worker is killed, and the trial tried again."""
    patience_seconds: Seconds = 600.0
    """How long a worker that has trained waits for OUT's server to take the results, before it gives the trial up."""
    mixed_versions: bool = False
    """Also run beside trials, and on nodes, of other versions of torch, optuna and so on: not bit for bit the same."""
    simulated_seconds: Seconds = 0.0
    """How long a simulated trial takes."""

    @field_validator("gpus", "memory_gb")
    @classmethod
    def _models_not_named_keep_their_default(cls, given: dict[ModelName, float], info: Any) -> dict[ModelName, float]:
        return {**{"gpus": GPU_SHARES, "memory_gb": MEMORY_GB}[info.field_name], **given}


class Definition(Section):
    """What is to be run: a name, a seed, and the sections below."""

    name: str = "study"
    """What the study is called, and the folder of its results. Letters, digits, _, . and -; at most 64 of them."""
    seed: Seed = 0
    """Of the splits, the search, and all that is drawn. (`grid.seeds` are repetitions on the same splits.)"""
    simulate: bool = False
    """Draw plausible results instead of training, to try out a cluster, a search or a report; never mixed with real."""
    data: Data = Data()
    grid: Grid = Grid()
    splits: Splits = Splits()
    model: ModelRecipe = ModelRecipe()
    augmentation: AugmentationRecipe = AugmentationRecipe()
    training: TrainingRecipe = TrainingRecipe()
    search: Search = Search()
    resources: Resources = Resources()

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
        num_cells = math.prod(map(len, (grid.models, grid.losses, grid.splits, grid.seeds)))
        num_trials = num_cells * self.search.trials
        several = "take fewer, or make several studies, each with a part of the grid"
        if num_cells > MOST_CELLS:
            raise ValueError(f"grid: {num_cells:,} cells, and a study has at most {MOST_CELLS:,}; {several}")
        if num_trials > MOST_TRIALS:
            raise ValueError(
                f"search.trials: {num_cells:,} cells of {self.search.trials:,} trials are {num_trials:,}, "
                f"and a study has at most {MOST_TRIALS:,}; {several}"
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
        described = self.splits.held_out_names
        for split in self.grid.splits:
            if not RANDOM_SPLIT.fullmatch(split) and split not in described:
                raise ValueError(
                    f"grid.splits: {brief(split)} is neither random_<number> (at most 9 digits) nor described in "
                    f"splits.held_out ({', '.join(described) or 'which is empty'})"
                    f"{did_you_mean(split, [*EIGHT_RANDOM_SPLITS, *described])}"
                )
        return self

    @model_validator(mode="after")
    def _the_search_varies_the_recipe(self) -> Self:
        for key, dimension in self.search.space.items():
            if problem := _not_to_be_searched(self.recipe, key, dimension):
                raise ValueError(f'search.space."{brief(key)[1:-1]}": {problem}')
        if self.search.trials > 1 and not self.search.space:
            raise ValueError(
                f"search.trials: {self.search.trials:,} trials of a cell need points to try, and search.space names "
                'none; add, for instance, search.space."model.width" = { low = 0.25, high = 1.5, log = true }'
            )
        return self

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

    def recipe_keys(self) -> dict[str, Any]:
        """All that decides a trial's numbers, as flat `section.key: value`; the data and the split apart, which have
        fingerprints of their own. (`search.trials` and the grid may grow; they decide no single trial.)"""
        keep = {
            "splits": {"test_share", "validation_share", "shared_backgrounds"},
            **{section: set(type(getattr(self, section)).model_fields) for section in SECTIONS},
            "search": {"startup"},
        }
        plain = self.model_dump(mode="json", include={"seed", *keep})
        flat = {f"{section}.{key}": plain[section][key] for section, keys in keep.items() for key in sorted(keys)}
        space = {f"search.space.{key}": _plain(dimension) for key, dimension in self.search.space.items()}
        simulated = {"simulate": True} if self.simulate else {}
        return {"numerics": NUMERICS, "seed": plain["seed"], **simulated, **flat, **space}

    def recipe_digest(self) -> str:
        """Twelve hexadecimal digits that name the recipe."""
        return hashlib.sha256(json.dumps(self.recipe_keys(), sort_keys=True).encode()).hexdigest()[:12]

    def to_toml(self) -> str:
        """The whole definition, every default written out; `load` of it gives an equal definition."""
        return DEFINITION_HEADER + tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))


def _not_to_be_searched(recipe: Recipe, key: str, dimension: Range | Choices) -> str:
    """Why a key cannot be searched so, or nothing."""
    try:
        value = recipe.value(key)
    except KeyError:
        return f"no key of the recipe{did_you_mean(key, recipe.keys())}"
    if key in FIXED:
        return f"cannot be searched, as {FIXED[key]}"
    if not isinstance(value, bool | int | float | str):
        return f"cannot be searched, as it is no single value: {value}"
    for end in dimension.ends:
        try:
            recipe.at({key: end})
        except ValidationError as error:
            return f"{key} cannot be {brief(end)}: {error.errors()[0]['msg'].removeprefix('Value error, ')}"
    if isinstance(dimension, Choices):
        return "" if value in dimension.choices else f"trial 0 takes the recipe's value, {value!r}: it must be a choice"
    if isinstance(value, bool | str):
        return f"{value!r} is no number, and has no range: give choices"
    if isinstance(value, int) and not all(isinstance(n, int) for n in (*dimension.ends, dimension.step or 1)):
        return f"the recipe's value, {value}, is a whole number: so must low, high and step be"
    return ""


def _plain(dimension: Range | Choices) -> Any:
    """As the recipe's digest takes it: 1 is 1.0."""
    if isinstance(dimension, Choices):
        return list(dimension.choices)
    return {name: float(value) for name, value in dimension if value is not None}


def _check_held_out(axis: str, split: str, tested: dict[str, Any]) -> None:
    """Raises ValueError for a name that no held-out split may have, and for one that tests nothing."""
    if not HELD_OUT_SPLIT.fullmatch(split):
        raise ValueError(
            f"{brief(split)} is no name of a held-out split: it is made of the letters a to z, digits and _, begins "
            "with a letter, not with random_, fold_, matched_ or given, and has at most 40 characters, such as rot_0"
        )
    if not any(tested.values()):
        raise ValueError(f"{split} tests no {axis}; name some, such as {split} = [30]")


def _each(change: Callable[[Any], Any], table: Any) -> Any:
    """The table with every value changed; what is no table as it is."""
    return {key: change(value) for key, value in table.items()} if isinstance(table, dict) else table


def _by_class(tested: Any) -> Any:
    """What a held-out split tests, class by class."""
    return _each(_values, tested if isinstance(tested, dict) else {"*": tested})


def _values(given: Any) -> Any:
    """A list as a tuple, as strict reading has it; one value as a list of one."""
    return tuple(given) if isinstance(given, list) else (given,) if isinstance(given, int | float | str) else given
