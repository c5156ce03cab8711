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
    """A folder: of cut-outs, as CLASS/ANGLE/NAME.png, or, where there is a section data.pairs, of images with label
    maps. Or the word `standin` for the cut-outs that ship with the project. A relative path in a TOML file starts at
    that file's folder; one given by --set, at the current folder."""

    @field_validator("path")
    @classmethod
    def _can_be_a_path(cls, path: str) -> str:
        if "\0" in path or not is_text(path):
            raise ValueError(f"{brief(path)} cannot be kept in a TOML file: rename the folder")
        return path

    allow_copies: bool = False
    """True: one picture may have several names, though a split can then train on it and test on it."""
    pairs: Pairs | None = None
    """With this section the data set is images with label maps, without it cut-outs."""


TrainShare = Annotated[float, Field(ge=0.01, le=1)]
ROUNDING = 1e-9  # of a decimal number of percents


class Grid(Section):
    """The cells: every combination of these. A larger grid keeps what a smaller one has computed."""

    models: Annotated[tuple[ModelName, ...], Field(min_length=1)] = ("icnet", "unet")
    """The networks: the paper's two; icnet_cascade, an ICNet with more of the original's elements; seven of the paper's
    related work, at the scale of this study; and any that a function or class of yours, or of a library, makes of a
    number of classes, by its dotted path, or by a name that the section models describes."""
    losses: Annotated[tuple[LossName, ...], Field(min_length=1)] = ("ce", "ce_dice")
    """Cross-entropy, also with the Dice loss added (ce_dice), class weights (ce_weighted, which needs them) or smoothed
    labels (ce_smoothed); the focal, Tversky and Lovasz-Softmax losses; and any function of logits and labels, by its
    dotted path, or by a name that the section losses describes."""
    splits: Annotated[tuple[str, ...], Field(min_length=1, max_length=1000)] = EIGHT_RANDOM_SPLITS
    """random_<number>; names of held-out splits; fold_<number> (splits.folds); given_<number> or given (splits.given);
    matched_<split>, a random split with as many samples of each class in train, val and test as that split. If not
    given: eight random splits, and every held-out split that the definition describes."""
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, max_length=10_000)] = (0,)
    """Each trains everything anew, from other initial weights and in another order, on the same splits."""
    train_shares: Annotated[tuple[TrainShare, ...], Field(min_length=1, max_length=20)] = (1.0,)
    """Shares of the training samples, such as [0.25, 0.5, 1.0], to see how many images would be enough. Each below 1
    makes of every random and every held-out split another, such as random_0_25pc: it validates and tests on the same
    samples, and trains on so many percent of each class, which lie within those of a larger share."""

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
    """Epochs after which a cell's trials are compared, from few to many; the last ones are training.epochs."""
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
    """The points at which the trials of a cell are run: values for some keys of the recipe, laid over it."""

    trials: Annotated[int, Field(ge=1, le=100_000)] = 1
    """Trials in every cell. May grow: what is there stays."""
    startup: Annotated[int, Field(ge=1, le=10_000)] = 8
    """The first trials of every cell share these many points (the recipe's own, then quasi-random ones); then TPE."""
    objectives: Annotated[tuple[Objective, ...], Field(min_length=1, max_length=2)] = ("dice",)
    """What the search goes by: the validation Dice, and beside it, if named, a cost to be low: gflops, parameters or
    latency. (Latency is measured, and differs from run to run: so do then the points that the search takes.)"""
    within: Annotated[float, Field(ge=0, le=1)] = 0.0
    """With a cost: tuned is the cheapest of a cell's trials whose validation Dice is at most this much below the
    highest."""
    halving: Halving | None = None
    """If there is such a table: all trials are trained for the epochs of the first of `rungs`, of these the share
    `keep`, those with the best validation Dice, to the second, and so on. The search learns from the first rung."""
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
    """Where trials run. Decides no number in the tables."""

    workers: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Trials at once, at most; as many as the CPUs or GPUs hold if not given."""
    gpus: dict[ModelName, Annotated[float, Field(ge=0.01, le=1)]] = {}
    """Share of a GPU that a trial takes where there are GPUs. Of a network that is not named: an eighth, if a batch has
    as many pixels as 16 images of 128 x 128; a quarter, a half or all of it for up to twice, four times or more."""
    attempts: Annotated[int, Field(ge=1, le=100)] = 3
    """How often a trial is tried when the machinery fails it, before its cell waits for the next run."""
    memory_gb: dict[ModelName, Annotated[float, Field(ge=0, le=1_000_000)]] = MEMORY_GB
    """GiB of a machine's memory that a trial asks for: no more trials share it than have room in it. Of a network that
    is not named, by its weights and what it keeps of 16 images for the backward pass, which a run measures."""
    checkpoint_seconds: Seconds = 60.0
    """A trial's last epoch is kept in OUT this often, at most: what a lost worker costs. 0: every epoch."""
    hang_seconds: Annotated[float, Field(gt=0, le=YEAR)] = 3600.0
    """A trial that ends no epoch for so long is taken to hang: its worker is killed, and the trial tried again."""
    patience_seconds: Seconds = 600.0
    """How long a worker that has trained waits for OUT's server to take the results, before it gives the trial up."""
    mixed_versions: bool = False
    """Also run beside trials, and on nodes, of other versions of torch, optuna and so on: not bit for bit the same."""
    keep_weights: Literal["best", "all", "none"] = "best"
    """Which trained networks stay in OUT/weights: of each model and loss the one with the highest validation Dice on a
    random split, that of every trial, or none. One that is not there can be made again, bit for bit. Those that
    `study export --refit` trains stay in any case."""
    simulated_seconds: Seconds = 0.0
    """How long a simulated trial takes."""

    modules: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=4096)], ...], Field(max_length=16)] = ()
    """Folders in which modules of networks and losses are looked for, after what is installed. If not given: the
    definition file's folder, and the current one."""

    def memory_of(self, model: str) -> float:
        """GiB. Of a network that is not named, and not measured yet: as much as the costliest that is known."""
        return self.memory_gb.get(model, figures_of(model).memory_gb)

    @field_validator("memory_gb")
    @classmethod
    def _models_not_named_keep_their_default(cls, given: dict[ModelName, float]) -> dict[ModelName, float]:
        return MEMORY_GB | given
