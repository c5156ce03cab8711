"""The section of splits: how the samples are divided, and what a split may be called."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from study.errors import brief, did_you_mean
from trainers.data.split import SplitKind
from trainers.printable import is_text
from trainers.recipe import Section

AxisValue = (
    Annotated[int, Field(ge=-(2**53), le=2**53)]
    | Annotated[float, Field(ge=-(2**53), le=2**53)]
    | Annotated[str, Field(min_length=1, max_length=200)]
)

RANDOM_SPLIT = re.compile(r"random_(0|[1-9][0-9]{0,8})")
FOLD_SPLIT = re.compile(r"fold_(0|[1-9][0-9]{0,3})")
GIVEN_SPLIT = re.compile(r"given(_(0|[1-9][0-9]{0,3}))?")
SHARE = re.compile(r"(.+)_([1-9][0-9]?)pc")
"""A random or held-out split, and how many percent of its training samples are trained on."""
SHARED = ("random", "held_out")
"""The kinds of splits that have shares."""
MATCHED = "matched_"
"""Begins the name of a matched split; the name of the split that it matches follows."""
HELD_OUT_SPLIT = re.compile(r"(?!(random|fold|matched|given)(_|$))[a-z][a-z0-9_]{0,39}")
"""The names that begin with these words are for splits of other kinds."""
EIGHT_RANDOM_SPLITS = tuple(f"random_{i}" for i in range(8))

Share = Annotated[float, Field(gt=0, lt=1)]
Column = Annotated[str, Field(min_length=1, max_length=100)]


class Given(Section):
    """Give one of the two keys."""

    file: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    """A JSON file such as nnU-Net's splits_final.json: a list of { "train": [...], "val": [...] } of ids or file names.
    They are the splits given_0, given_1 and so on. What nnU-Net calls val is tested, and validation samples are
    taken from train; if an entry has "test", val and test are used as they are called. A relative path is looked for
    beside the definition (one given by --set, in the current folder), then in data.path."""
    column: Column | None = None
    """A column of the samples with the values train, val and test (training, valid, validation and testing work, too,
    in capitals or not): the split given. Without test values, val is tested."""

    @field_validator("file")
    @classmethod
    def _can_be_a_path(cls, path: str | None) -> str | None:
        if path is not None and ("\0" in path or not is_text(path)):
            raise ValueError(f"{brief(path)} cannot be kept in a TOML file: rename it")
        return path

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.file is None) == (self.column is None):
            raise ValueError('needs either file = "splits_final.json" or column = "part"')
        return self

    @property
    def origin(self) -> str:
        """The key that says where the splits come from."""
        return "splits.given.file" if self.column is None else "splits.given.column"


class Splits(Section):
    """How the samples are divided. Splits are seeded by the study's `seed`."""

    test_share: Share = 0.2
    """Share of each class that a random split tests; also the share of background groups held out for testing."""
    validation_share: Share = 0.15
    """Share of each class's training samples, and of the remaining background groups, kept for validation."""
    shared_backgrounds: bool = False
    """True: train, val and test draw from the same backgrounds, as the paper's authors did."""
    unit: Column | None = None
    """A column of the samples, such as patient: samples that share a value are never divided between train, val and
    test, whatever the split. Shares are then met as nearly as units allow."""
    folds: Annotated[int, Field(ge=2, le=1000)] = 5
    """How many folds there are: fold_0, fold_1 and so on. Their test sets are disjoint, and together all samples."""
    allow_absent_classes: bool = False
    """True: a class may have no sample in a split's train or test. Its scores are undefined there."""
    given: Given | None = None
    """Splits that were made elsewhere, so that grid.splits can name them."""
    held_out: Annotated[
        dict[str, dict[str, dict[str, tuple[AxisValue, ...]]]],
        Field(
            json_schema_extra={
                "allowed": "a table: column = { split = [values], ... }, such as clinic = { north = ["
                '"A", "B"], south = ["C"] }; or, class by class, angle = { rot_0 = { "*" = [45], mug = [30] } }'
            }
        ),
    ] = {}
    """The held-out splits by name, under the column (the axis) by which they are made. Each tests the samples with its
    values in that column, and trains on all others. Classes may be tested at values of their own: `*` then stands for
    every class that is not named. `study init FOLDER` proposes some."""

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
                raise ValueError(
                    f"{brief(axis)} cannot be the name of a column: it has 1 to 100 characters, all printable"
                )
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

    def kind_of(self, split: str) -> SplitKind | None:
        """What kind of split has this name; None if there is no such split."""
        if RANDOM_SPLIT.fullmatch(split):
            return "random"
        if FOLD_SPLIT.fullmatch(split):
            return "fold" if int(split.removeprefix("fold_")) < self.folds else None
        if GIVEN_SPLIT.fullmatch(split):
            return "given" if self.given and (split == "given") == (self.given.column is not None) else None
        if split.startswith(MATCHED):
            return "matched" if self.kind_of(split.removeprefix(MATCHED)) in ("held_out", "fold", "given") else None
        if split in self.held_out_names:
            return "held_out"
        share = SHARE.fullmatch(split)
        return "share" if share and self.kind_of(share[1]) in SHARED else None

    def why_there_is_no(self, split: str) -> str:
        """Of a name that no split has."""
        if split.startswith(MATCHED):
            matched = split.removeprefix(MATCHED)
            if self.kind_of(matched):
                return f"{brief(split)}: only a held-out, fold or given split is matched, and {matched} is none"
            return f"{brief(split)} matches no split: {self.why_there_is_no(matched)}"
        if FOLD_SPLIT.fullmatch(split):
            return f"{brief(split)}: splits.folds is {self.folds}, so folds are fold_0 to fold_{self.folds - 1}"
        if GIVEN_SPLIT.fullmatch(split):
            return f"{brief(split)}: {self._which_are_given()}"
        return (
            f"{brief(split)} is neither random_<number> (at most 9 digits), random_<number>_<percent>pc (or that of a "
            "held-out split), fold_<number>, given_<number>, matched_<split>, nor described in splits.held_out "
            f"({', '.join(self.held_out_names) or 'which is empty'})"
            f"{did_you_mean(split, self._known_names())}"
        )

    def _which_are_given(self) -> str:
        if self.given is None:
            return 'no split is given; add, for instance, [splits.given] file = "splits_final.json"'
        if self.given.column is None:
            return "splits of splits.given.file are called given_0, given_1 and so on"
        return "the split of splits.given.column is called given"

    def _known_names(self) -> list[str]:
        others = [*(f"fold_{i}" for i in range(self.folds)), *self.held_out_names, "given", "given_0"]
        return [*EIGHT_RANDOM_SPLITS, *others, *(f"{MATCHED}{name}" for name in others)]


def share_name(split: str, share: float) -> str:
    """What a share of a split is called: `random_0`, 0.25 -> `random_0_25pc`."""
    return f"{split}_{round(100 * share)}pc"


def whole_of_share(name: str) -> tuple[str, int]:
    """The split that a share is one of, and its percent of the training samples."""
    found = SHARE.fullmatch(name)
    assert found is not None, f"{name}: no name of a share"
    return found[1], int(found[2])


def _check_held_out(axis: str, split: str, tested: dict[str, Any]) -> None:
    """Raises ValueError for a name that no held-out split may have, and for one that tests nothing."""
    if not HELD_OUT_SPLIT.fullmatch(split):
        raise ValueError(
            f"{brief(split)} cannot be the name of a held-out split: it is made of the letters a to z, digits and _, "
            "begins with a letter, not with random_, fold_, matched_ or given, and has at most 40 characters, such as "
            "rot_0"
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
