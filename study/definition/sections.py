"""The sections of a definition, each checked key by key where it is read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, field_validator, model_validator

from study.definition.space import MOST_KEYS, Space, flat, in_order
from study.errors import brief, did_you_mean, refuse_repeats
from study.planning.figures import figures_of
from trainers.data.cut_outs.catalogue import STANDIN
from trainers.data.pairs.description import Pairs
from trainers.names import LONGEST_NAME, LOSSES, NETWORKS, is_dotted_path
from trainers.printable import is_text
from trainers.recipe import Section

AxisValue = (
    Annotated[int, Field(ge=-(2**53), le=2**53)]
    | Annotated[float, Field(ge=-(2**53), le=2**53)]
    | Annotated[str, Field(min_length=1, max_length=200)]
)

RANDOM_SPLIT = re.compile(r"random_(0|[1-9][0-9]{0,8})")
HELD_OUT_SPLIT = re.compile(r"(?!(random|fold|matched|given)(_|$))[a-z][a-z0-9_]{0,39}")
"""The names that begin with these words are for splits of other kinds."""
EIGHT_RANDOM_SPLITS = tuple(f"random_{i}" for i in range(8))

Seed = Annotated[int, Field(ge=0, le=2**53 - 1)]  # beyond that, spreadsheets and JSON readers would round it
Share = Annotated[float, Field(gt=0, lt=1)]


def _one_of(built_in: Mapping[str, str]) -> Callable[[str], str]:
    def named(name: str) -> str:
        if name in built_in or is_dotted_path(name):
            return name
        raise ValueError(
            f"{brief(name)} is neither one of {', '.join(built_in)} nor a dotted path such as mypkg.parts:Mine "
            f"(at most {LONGEST_NAME} characters){did_you_mean(name, built_in)}"
        )

    return named


def _words_for(built_in: Mapping[str, str]) -> Any:
    return Field(json_schema_extra={"allowed": f"{', '.join(map(json.dumps, built_in))} or a dotted path"})


ModelName = Annotated[str, AfterValidator(_one_of(NETWORKS)), _words_for(NETWORKS)]
LossName = Annotated[str, AfterValidator(_one_of(LOSSES)), _words_for(LOSSES)]


YEAR = 31_536_000  # of seconds: who waits longer waits for ever, and the system's timers take no number of any size
Seconds = Annotated[float, Field(ge=0, le=YEAR)]


class Data(Section):
    """What is trained on."""

    path: Annotated[str, Field(min_length=1, max_length=4096)] = STANDIN
    """A folder: of cut-outs in VISAPP's layout, or, where there is a section data.pairs, of photographs with label maps.
    Or the word `standin` for the cut-outs that ship with the project. A relative path in a TOML file starts at that
    file's folder; one given by --set, at the current folder."""

    @field_validator("path")
    @classmethod
    def _can_be_a_path(cls, path: str) -> str:
        if "\0" in path or not is_text(path):
            raise ValueError(f"{brief(path)} cannot be kept in a TOML file: rename the folder")
        return path

    allow_copies: bool = False
    """True: one picture may have several names, though a split can then train on it and test on it."""
    pairs: Pairs | None = None
    """If there is such a section, the data set is photographs with label maps."""


class Grid(Section):
    """The cells: every combination of these. A larger grid keeps what a smaller one has computed."""

    models: Annotated[tuple[ModelName, ...], Field(min_length=1)] = ("icnet", "unet")
    """The networks: the paper's two; icnet_cascade, an ICNet with more of the original's elements; and any that a
    function or class of yours, or of a library, makes of a number of classes, by its dotted path."""
    losses: Annotated[tuple[LossName, ...], Field(min_length=1)] = ("ce", "ce_dice")
    """Cross-entropy, the sum of cross-entropy and Dice loss, and any function of logits and labels, by its dotted
    path."""
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
        refuse_repeats(values)
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


GPU_SHARES: dict[ModelName, float] = {name: figures_of(name).gpu_share for name in NETWORKS}
MEMORY_GB: dict[ModelName, float] = {name: figures_of(name).memory_gb for name in NETWORKS}


class Resources(Section):
    """Where trials run. Decides no number in the tables."""

    workers: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Trials at once, at most; as many as the CPUs or GPUs hold if not given."""
    gpus: dict[ModelName, Annotated[float, Field(ge=0.01, le=1)]] = GPU_SHARES
    """Share of a GPU that a trial takes where there are GPUs; of a network that is not named, half of one."""
    attempts: Annotated[int, Field(ge=1, le=100)] = 3
    """How often a trial is tried when the machinery fails it, before its cell waits for the next run."""
    memory_gb: dict[ModelName, Annotated[float, Field(ge=0, le=1_000_000)]] = MEMORY_GB
    """GiB of a machine's memory that a trial asks for: no more trials share it than have room in it. (Measured on
    a CPU, at width 1.5, 128 x 128 pixels and 16 images a batch, after trials of many widths: 1.1, 3.4 and 0.8. A
    network that is not named gets 4.)"""
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

    modules: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=4096)], ...], Field(max_length=16)] = ()
    """Folders in which modules of networks and losses are looked for, after what is installed. If not given: the
    definition file's folder, and the current one."""

    def gpu_share_of(self, model: str) -> float:
        """Of a network that is not named: as much as the largest that is known takes."""
        return self.gpus.get(model, figures_of(model).gpu_share)

    def memory_of(self, model: str) -> float:
        """GiB."""
        return self.memory_gb.get(model, figures_of(model).memory_gb)

    @field_validator("gpus", "memory_gb")
    @classmethod
    def _models_not_named_keep_their_default(cls, given: dict[ModelName, float], info: Any) -> dict[ModelName, float]:
        return {**{"gpus": GPU_SHARES, "memory_gb": MEMORY_GB}[info.field_name], **given}


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
