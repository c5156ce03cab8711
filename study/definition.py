"""The definition of a study: a TOML file, checked key by key at the door. Imports neither torch nor ray."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import tomllib
import types
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Self, get_args

import tomli_w
from pydantic import Field, ValidationError, field_validator, model_validator

from study.errors import StudyError
from study.figures import figures_of
from trainers.recipe import NUMERICS, LossName, ModelName, PositiveFloat, Section, TrainingRecipe

PRESETS = ("demo", "paper")
Angle = int | float

RANDOM_SPLIT = re.compile(r"random_(0|[1-9]\d*)")
ROTATION_SPLIT = re.compile(r"rot_(0|[1-9]\d*)")
PAPER_ROTATIONS: dict[str, dict[str, tuple[Angle, ...]]] = {
    # As in the paper's tables, where rows are numbered from 0: the angle, in degrees, that each split tests.
    "rot_0": {"*": (30,), "adapter": (60,), "drill": (60,)},
    "rot_1": {"*": (60,), "adapter": (30,), "drill": (30,)},
    "rot_2": {"*": (0,)},
}
PAPER_SPLITS = (*(f"random_{i}" for i in range(8)), *PAPER_ROTATIONS)

Share = Annotated[float, Field(gt=0, lt=1)]


class Data(Section):
    path: Annotated[str, Field(min_length=1)] = "standin"
    """A folder in VISAPP's layout, or the word `standin` for the set that ships with the project."""


class Grid(Section):
    """The cells: every combination of these. A larger grid keeps what a smaller one has computed."""

    models: Annotated[tuple[ModelName, ...], Field(min_length=1)] = ("icnet", "unet")
    losses: Annotated[tuple[LossName, ...], Field(min_length=1)] = ("ce", "ce_dice")
    splits: Annotated[tuple[str, ...], Field(min_length=1)] = PAPER_SPLITS
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = (0,)

    @model_validator(mode="before")
    @classmethod
    def _one_word_is_a_list(cls, table: Any) -> Any:
        """`--set grid.models=icnet,unet` and a single value mean a list."""
        if not isinstance(table, dict):
            return table
        words = {key: tuple(value.split(",")) for key, value in table.items() if isinstance(value, str)}
        return {**table, **words} | ({"seeds": (table["seeds"],)} if isinstance(table.get("seeds"), int) else {})

    @field_validator("*")
    @classmethod
    def _each_once(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        repeated = sorted({str(value) for value in values if values.count(value) > 1})
        if repeated:
            raise ValueError(f"named twice: {', '.join(repeated)}")
        return values


class Splits(Section):
    test_share: Share = 0.2
    """Share of each class that a random split tests; share of the background groups held out for testing."""
    validation_share: Share = 0.15
    """Share of each class's training images, and of the remaining background groups, kept for validation."""
    shared_backgrounds: bool = False
    """True: train, val and test draw from the same backgrounds, as the paper's authors did."""
    rotations: dict[str, dict[str, tuple[Angle, ...]]] = PAPER_ROTATIONS
    """Per rotation split, per class (`*`: every class not named), the angles it tests; it trains on all others."""

    @model_validator(mode="before")
    @classmethod
    def _angles_are_tuples(cls, table: Any) -> Any:
        if not isinstance(table, dict) or not isinstance(table.get("rotations"), dict):
            return table
        listed = {
            split: {name: _as_tuple(angles) for name, angles in tested.items()} if isinstance(tested, dict) else tested
            for split, tested in table["rotations"].items()
        }
        return {**table, "rotations": listed}

    @field_validator("rotations")
    @classmethod
    def _named_and_not_empty(cls, rotations: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for split, tested in rotations.items():
            if not ROTATION_SPLIT.fullmatch(split):
                raise ValueError(f"{split!r} is no name of a rotation split; they are called rot_0, rot_1, ...")
            if not any(tested.values()):
                raise ValueError(f'{split} tests no angle; give it one, such as {split} = {{ "*" = [30] }}')
        return rotations


class Search(Section):
    trials: Annotated[int, Field(ge=1, le=100_000)] = 1
    """Trials in every cell. May grow: what is there stays."""
    startup: Annotated[int, Field(ge=1, le=10_000)] = 8
    """The first trials of every cell share these many points (the default point, then quasi-random ones); then TPE."""
    width: tuple[PositiveFloat, PositiveFloat] = (0.25, 1.5)
    strength: tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0, le=1.5)]] = (0.0, 1.5)
    default_width: Annotated[float, Field(gt=0, le=4)] = 1.0
    default_strength: Annotated[float, Field(ge=0, le=1.5)] = 1.0

    @field_validator("width", "strength")
    @classmethod
    def _ascending(cls, bounds: tuple[float, float]) -> tuple[float, float]:
        if bounds[0] >= bounds[1]:
            raise ValueError(f"must be [low, high] with low < high, not [{bounds[0]:g}, {bounds[1]:g}]")
        return bounds


GPU_SHARES: dict[ModelName, float] = {name: figures_of(name).gpu_share for name in get_args(ModelName)}
MEMORY_GB: dict[ModelName, float] = {name: figures_of(name).memory_gb for name in get_args(ModelName)}


class Resources(Section):
    """Where trials run. Decides no number in the tables."""

    workers: Annotated[int, Field(ge=1)] | None = None
    """Trials at once, at most; as many as the CPUs or GPUs hold if not given."""
    gpus: dict[ModelName, Annotated[float, Field(gt=0, le=1)]] = GPU_SHARES
    """Share of a GPU that a trial takes where there are GPUs."""
    attempts: Annotated[int, Field(ge=1, le=100)] = 3
    """How often a trial is tried when the machinery fails it, before its cell rests until the next run."""
    memory_gb: dict[ModelName, Annotated[float, Field(ge=0)]] = MEMORY_GB
    """GiB of a machine's memory that a trial asks for: no more trials share it than have room in it. (Measured on
    a CPU, at width 1.5, 128 x 128 pixels and 16 images a batch, after trials of many widths: 1.1, 3.4 and 0.8.)"""
    checkpoint_seconds: Annotated[float, Field(ge=0)] = 60.0
    """A trial's last epoch is kept in OUT this often, at most: what a lost worker costs. 0: every epoch."""
    hang_seconds: PositiveFloat = 3600.0
    """A trial that ends no epoch for so long is taken to hang: its worker is killed, and the trial tried again."""
    patience_seconds: Annotated[float, Field(ge=0)] = 600.0
    """How long a worker that has trained waits for OUT's server to take the results, before it gives the trial up."""
    mixed_versions: bool = False
    """Also run beside trials, and on nodes, of other versions of torch, optuna and so on: not bit for bit the same."""
    simulated_seconds: Annotated[float, Field(ge=0)] = 0.0
    """How long a simulated trial takes."""

    @field_validator("gpus", "memory_gb")
    @classmethod
    def _models_not_named_keep_their_default(cls, given: dict[ModelName, float], info: Any) -> dict[ModelName, float]:
        return {**{"gpus": GPU_SHARES, "memory_gb": MEMORY_GB}[info.field_name], **given}


class Definition(Section):
    """What is to be run. Only `recipe()` decides a trial's numbers; the rest says which trials, and where."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")] = "study"
    seed: Annotated[int, Field(ge=0)] = 0
    simulate: bool = False
    """Draw plausible results instead of training, to try out a cluster, a search or a report; never mixed with real."""
    data: Data = Data()
    grid: Grid = Grid()
    splits: Splits = Splits()
    training: TrainingRecipe = TrainingRecipe()
    search: Search = Search()
    resources: Resources = Resources()

    @model_validator(mode="after")
    def _splits_are_defined(self) -> Self:
        for split in self.grid.splits:
            if not RANDOM_SPLIT.fullmatch(split) and split not in self.splits.rotations:
                known = [*(f"random_{i}" for i in range(8)), *self.splits.rotations]
                raise ValueError(
                    f"grid.splits: {split!r} is neither random_<number> nor a rotation split defined under "
                    f"splits.rotations ({', '.join(self.splits.rotations) or 'none'}){_did_you_mean(split, known)}"
                )
        return self

    def recipe(self) -> dict[str, Any]:
        """The part that decides a trial's numbers, as flat `section.key: value`; the data and the split apart, which
        have fingerprints of their own. (`search.trials` and the grid may grow; they decide no single trial.)"""
        keep = {
            "splits": {"test_share", "validation_share", "shared_backgrounds"},
            "training": set(TrainingRecipe.model_fields),
            "search": set(Search.model_fields) - {"trials"},
        }
        plain = self.model_dump(mode="json", include={"seed", *keep})
        flat = {f"{section}.{key}": plain[section][key] for section, keys in keep.items() for key in sorted(keys)}
        simulated = {"simulate": True} if self.simulate else {}
        return {"numerics": NUMERICS, "seed": plain["seed"], **simulated, **flat}

    def recipe_digest(self) -> str:
        """Twelve hexadecimal digits that name the recipe."""
        return hashlib.sha256(json.dumps(self.recipe(), sort_keys=True).encode()).hexdigest()[:12]

    def to_toml(self) -> str:
        """The whole definition, every default written out; `load` of it gives an equal definition."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))


def load(source: str = "demo", settings: Iterable[str] = ()) -> Definition:
    """The definition in `source` (a preset's name or a TOML file), with each `section.key=value` of `settings` put in.

    Raises StudyError with every problem found, one a line, each naming its key and the nearest valid one.
    """
    table = _read_toml(source)
    for setting in settings:
        _put(table, setting)
    return parse(table, source)


def parse(table: dict[str, Any], source: str = "definition") -> Definition:
    """The definition in a nested dict, as read from TOML. Raises StudyError as `load` does."""
    try:
        return Definition.model_validate(table)
    except ValidationError as error:
        problems = [_explain(problem) for problem in _causes(error.errors(include_url=False))]
    raise StudyError(f"{source}: the definition has {_count(problems)}\n" + "\n".join(f"  {p}" for p in problems))


def _read_toml(source: str) -> dict[str, Any]:
    path = Path(source)
    if source in PRESETS:
        text = (resources.files("study") / "presets" / f"{source}.toml").read_text(encoding="utf-8")
    elif path.suffix != ".toml" and not path.exists():
        raise StudyError(
            f"{source!r} is neither a preset ({', '.join(PRESETS)}) nor a TOML file{_did_you_mean(source, PRESETS)}"
        )
    else:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise StudyError(f"{source}: cannot be read ({error})") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"{source}: not valid TOML: {error}") from None


def _put(table: dict[str, Any], setting: str) -> None:
    """Set one `section.key=value`; the value is TOML, or else a plain word."""
    dotted, equals, text = setting.partition("=")
    keys = dotted.strip().split(".")
    if not equals or not all(keys):
        raise StudyError(f"--set {setting}: must be section.key=value, such as search.trials=20")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    for key in keys[:-1]:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise StudyError(f"--set {setting}: {key} is a value, not a section")
    table[keys[-1]] = value


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _count(problems: Sequence[str]) -> str:
    return "a problem:" if len(problems) == 1 else f"{len(problems)} problems:"


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {nearest[0]}?" if nearest else ""


def _causes(problems: list[Any]) -> list[Any]:
    """The problems, less those of a list that is only too short because its items were refused."""
    inner = {problem["loc"][:-1] for problem in problems}
    return [problem for problem in problems if problem["type"] != "too_short" or problem["loc"] not in inner]


def _explain(problem: Any) -> str:
    """One pydantic error as `key: what is wrong; what would be right`."""
    location = [part for part in problem["loc"] if part != "[key]"]
    key = ".".join(str(part) for part in location)
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown key{_nearest_key(location)}"
    if problem["type"] == "literal_error":
        allowed = re.findall(r"'([^']+)'", problem["ctx"]["expected"])
        value = problem["input"]
        return f"{key}: {value!r} is not one of {', '.join(allowed)}{_did_you_mean(str(value), allowed)}"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "value_error":
        return f"{key}: {message}" if key else message
    return f"{key}: {message[0].lower() + message[1:]}, not {problem['input']!r}"


def _dotted_keys(section: type[Section], prefix: str = "") -> list[str]:
    keys = []
    for name, field in section.model_fields.items():
        nested = field.annotation
        keys.append(prefix + name)
        if isinstance(nested, type) and not isinstance(nested, types.GenericAlias) and issubclass(nested, Section):
            keys += _dotted_keys(nested, f"{prefix}{name}.")
    return keys


def _nearest_key(location: Sequence[Any]) -> str:
    """A key like the unknown one: misspelt in its own section, or rightly spelt in another; else what there is."""
    *section, word = map(str, location)
    known = _dotted_keys(Definition)
    siblings = [key for key in known if key.split(".")[:-1] == section]
    elsewhere = [key for key in known if key.split(".")[-1] == word]
    near = difflib.get_close_matches(word, [key.split(".")[-1] for key in siblings], n=1, cutoff=0.6)
    if near or elsewhere:
        return f"; did you mean {'.'.join([*section, near[0]]) if near else elsewhere[0]}?"
    return f"; the keys here are {', '.join(siblings)}"
