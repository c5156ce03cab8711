"""The sections of a definition, each checked key by key where it is read."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from study.definition.parts import LossName, ModelName
from study.definition.space import MOST_KEYS, Space, flat, in_order
from study.definition.splits import EIGHT_RANDOM_SPLITS, RANDOM_SPLIT
from study.errors import brief, refuse_repeats
from study.planning.figures import figures_of
from trainers.data.cut_outs.catalogue import STANDIN
from trainers.data.pairs.description import Pairs
from trainers.names import NETWORKS
from trainers.printable import is_text
from trainers.recipe import Section

Seed = Annotated[int, Field(ge=0, le=2**53 - 1)]  # beyond that, spreadsheets and JSON readers would round it


YEAR = 31_536_000  # of seconds: who waits longer waits for ever, and the system's timers take no number of any size
Seconds = Annotated[float, Field(ge=0, le=YEAR)]


class Data(Section):
    """What is trained on."""

    path: Annotated[str, Field(min_length=1, max_length=4096)] = STANDIN
    """The folder of the data set: cut-outs, as CLASS/ANGLE/NAME.png, or, if there is a section data.pairs, images with
    label maps. Or the word `standin` for the cut-outs that ship with the project. A relative path in a TOML file
    starts at that file's folder; one given by --set, at the current folder."""

    @field_validator("path")
    @classmethod
    def _can_be_a_path(cls, path: str) -> str:
        if "\0" in path or not is_text(path):
            raise ValueError(f"{brief(path)} cannot be kept in a TOML file: rename the folder")
        return path

    allow_copies: bool = False
    """True: one picture may have several names, although a split may then both train and test on it."""
    pairs: Pairs | None = None
    """With this section the data set is images with label maps; without it, cut-outs."""


TrainShare = Annotated[float, Field(ge=0.01, le=1)]
ROUNDING = 1e-9  # of a decimal number of percents


class Grid(Section):
    """The cells: every combination of these. A larger grid keeps what a smaller one has computed."""

    models: Annotated[tuple[ModelName, ...], Field(min_length=1)] = ("icnet", "unet")
    """The networks: the paper's two; icnet_cascade, an ICNet with more of the original's elements; seven of the paper's
    related work, at the scale of this study. Or any network that a function or class of yours, or of a library, makes
    for a number of classes: by its dotted path, or by a name that the section models describes."""
    losses: Annotated[tuple[LossName, ...], Field(min_length=1)] = ("ce", "ce_dice")
    """Cross-entropy, alone or with the Dice loss added (ce_dice), class weights (ce_weighted, which needs them) or
    smoothed labels (ce_smoothed); the focal, Tversky and Lovasz-Softmax losses. Or any function of logits and labels:
    by its dotted path, or by a name that the section losses describes."""
    splits: Annotated[tuple[str, ...], Field(min_length=1, max_length=1000)] = EIGHT_RANDOM_SPLITS
    """random_<number>; names of held-out splits; fold_<number> (splits.folds); given_<number> or given (splits.given);
    matched_<split>, a random split with as many samples of each class in train, val and test as that split. If not
    given: eight random splits, and every held-out split that the definition describes."""
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, max_length=10_000)] = (0,)
    """With each, all cells are trained again on the same splits, from other initial weights and in another order."""
    train_shares: Annotated[tuple[TrainShare, ...], Field(min_length=1, max_length=20)] = (1.0,)
    """Shares of the training samples, such as [0.25, 0.5, 1.0], to see how many images would be enough. Each share
    below 1 adds a split for every random and every held-out one, such as random_0_25pc: it validates and tests on the
    same samples, and trains on that percentage of each class. A smaller share lies within a larger one."""

    @model_validator(mode="before")
    @classmethod
    def _one_value_is_a_list(cls, table: Any) -> Any:
        if not isinstance(table, dict):
            return table
        return {key: (value,) if isinstance(value, str | int) else value for key, value in table.items()}

    @field_validator("*")
    @classmethod
    def _each_once(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        refuse_repeats(values)
        return values

    @field_validator("train_shares")
    @classmethod
    def _rise_to_the_whole(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        if list(shares) != sorted(shares) or shares[-1] != 1:
            raise ValueError("must rise, and end with 1.0, as the whole splits are always run")
        if odd := [share for share in shares if abs(100 * share - round(100 * share)) > ROUNDING]:
            raise ValueError(f"must be whole percents, such as 0.25, and {odd[0]:g} is none")
        return shares

    @model_validator(mode="after")
    def _shares_are_of_random_splits(self) -> Self:
        if len(self.train_shares) > 1 and not any(map(RANDOM_SPLIT.fullmatch, self.splits)):
            raise ValueError(
                "train_shares: shares are of random splits (and of held-out ones beside them), and splits names no "
                "random one; add some, such as random_0"
            )
        return self


Rung = Annotated[int, Field(ge=1, le=100_000)]


class Halving(Section):
    """Successive halving: most trials of a cell end early, and the best go on."""

    rungs: Annotated[tuple[Rung, ...], Field(min_length=2, max_length=16)] = (4, 8, 16, 32)
    """Epochs after which a cell's trials are compared, from few to many; the last number is training.epochs."""
    keep: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Share of a rung's trials that goes on to the next; the default point goes on beside them."""

    @field_validator("rungs")
    @classmethod
    def _rise(cls, rungs: tuple[int, ...]) -> tuple[int, ...]:
        if list(rungs) != sorted(set(rungs)):
            raise ValueError("must rise from rung to rung")
        return rungs

    def sizes(self, trials: int) -> list[int]:
        """Of so many trials of a cell, how many reach every rung: the default point's, and a share of the others."""
        others = trials - 1
        return [1 + max(1, math.ceil(others * self.keep**rung - 1e-9)) for rung in range(len(self.rungs))]


Objective = Literal["dice", "gflops", "parameters", "latency"]


class Search(Section):
    """The points at which the trials of a cell are run: values for some keys of the recipe."""

    trials: Annotated[int, Field(ge=1, le=100_000)] = 1
    """Trials in every cell. May grow: what is there stays."""
    startup: Annotated[int, Field(ge=1, le=10_000)] = 8
    """So many first trials have the same points in every cell (the recipe's own, then quasi-random ones); then TPE."""
    objectives: Annotated[tuple[Objective, ...], Field(min_length=1, max_length=2)] = ("dice",)
    """What the search goes by: the validation Dice and, if named, a cost that should be low: gflops, parameters or
    latency. (Latency is measured and differs from run to run; so then do the points that the search tries.)"""
    within: Annotated[float, Field(ge=0, le=1)] = 0.0
    """With a cost: the tuned trial of a cell is the cheapest whose validation Dice is at most this much below the
    highest."""
    halving: Halving | None = None
    """If there is such a table, all trials are trained for the epochs of the first of `rungs`. The share `keep` of them
    with the best validation Dice goes on to the second, and so on. The search learns from the first rung."""
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

    @field_validator("objectives")
    @classmethod
    def _dice_and_a_cost(cls, objectives: tuple[Objective, ...]) -> tuple[Objective, ...]:
        if objectives[0] != "dice" or objectives[1:] == ("dice",):
            raise ValueError('must be "dice", or "dice" and then a cost: gflops, parameters or latency')
        return objectives

    @model_validator(mode="after")
    def _within_is_of_a_cost(self) -> Self:
        if self.within and len(self.objectives) == 1:
            raise ValueError('within: does nothing without a cost; add one, as in objectives = ["dice", "gflops"]')
        return self

    @field_validator("space", mode="before")
    @classmethod
    def _keys_may_be_tables(cls, space: Any) -> Any:
        return flat(space) if isinstance(space, dict) else space

    @field_validator("space")
    @classmethod
    def _in_one_order(cls, space: Space) -> Space:
        return in_order(space)


MEMORY_GB: dict[ModelName, float] = {name: figures_of(name).memory_gb for name in NETWORKS}


class Resources(Section):
    """Where and how trials run. Changes no score in the tables."""

    workers: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Most trials at once. If not given: as many as the CPUs or GPUs hold."""
    gpus: dict[ModelName, Annotated[float, Field(ge=0.01, le=1)]] = {}
    """Share of a GPU that a trial takes, if there are GPUs. For a network that is not named: an eighth, if a batch has
    at most as many pixels as 16 images of 128 x 128; a quarter or a half for up to twice or four times as many; all of
    it for more."""
    attempts: Annotated[int, Field(ge=1, le=100)] = 3
    """How often a trial is tried if the machinery fails (not the training), before its cell waits for the next run."""
    memory_gb: dict[ModelName, Annotated[float, Field(ge=0, le=1_000_000)]] = MEMORY_GB
    """GiB of memory that a trial asks for; a machine runs no more trials at once than have room. For a network that is
    not named, a run measures it: its weights, and what it keeps of 16 images for the backward pass."""
    checkpoint_seconds: Seconds = 60.0
    """A trial's last epoch is kept in OUT at most this often; a lost worker costs no more than that. 0: every epoch."""
    hang_seconds: Annotated[float, Field(gt=0, le=YEAR)] = 3600.0
    """A trial that ends no epoch for this long is taken to hang: its worker is killed, and the trial is tried again."""
    patience_seconds: Seconds = 600.0
    """How long a worker that has trained waits for OUT's server to take the results, before it gives the trial up."""
    mixed_versions: bool = False
    """True: trials and nodes may have different versions of torch, optuna and so on. Results then differ in bits."""
    keep_weights: Literal["best", "all", "none"] = "best"
    """Which trained networks stay in OUT/weights: for each model and loss the one with the highest validation Dice on a
    random split, those of all trials, or none. One that is not there can be made again, bit for bit. Those that
    `study export --refit` trains always stay."""
    compact_above: Annotated[int, Field(ge=0, le=10**9)] = 1000
    """A run that ends with more trials than this in files of their own puts them into packs of some hundred: the same
    tables in fewer files. 0: never; `study compact` does it at any time."""
    simulated_seconds: Seconds = 0.0
    """How long a simulated trial takes."""

    modules: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=4096)], ...], Field(max_length=16)] = ()
    """Folders in which modules of networks and losses are looked for, after installed ones. If not given: the
    definition file's folder, and the current one."""

    def memory_of(self, model: str) -> float:
        """GiB. Of a network that is not named, and not measured yet: as much as the costliest that is known."""
        return self.memory_gb.get(model, figures_of(model).memory_gb)

    @field_validator("memory_gb")
    @classmethod
    def _models_not_named_keep_their_default(cls, given: dict[ModelName, float]) -> dict[ModelName, float]:
        return MEMORY_GB | given
