"""Networks and losses of the grid: built-in names, dotted paths, and names of one's own."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, Field, field_validator

from study.errors import brief, did_you_mean
from trainers.names import LONGEST_NAME, LOSSES, NEEDED, NETWORKS, arguments_of, is_dotted_path, untaken
from trainers.printable import counted, is_text
from trainers.recipe import ModelRecipe, Recipe, Section

_MOST_ARGUMENTS, _LARGEST = 64, 2**53


def is_plain_name(name: str) -> bool:
    """Whether a network or loss could have this name, and files, too, that is no dotted path."""
    return re.fullmatch(r"[a-z][a-z0-9_]*", name) is not None and len(name) <= LONGEST_NAME


def _built_in_or_dotted(built_in: Mapping[str, str]) -> Callable[[str], str]:
    def checked(name: str) -> str:
        if name in built_in or is_dotted_path(name):
            return name
        raise ValueError(_is_none_of(name, built_in))

    return checked


def _name_among(built_in: Mapping[str, str]) -> Callable[[str], str]:
    """Names of one's own are known to the whole definition only (see `problem_of_names`)."""

    def checked(name: str) -> str:
        if is_plain_name(name) or is_dotted_path(name):
            return name
        raise ValueError(_is_none_of(name, built_in))

    return checked


def _words_for(built_in: Mapping[str, str], others: str) -> Any:
    return Field(json_schema_extra={"allowed": f"{', '.join(map(json.dumps, built_in))}{others}"})


def _is_none_of(name: str, built_in: Iterable[str], own: Iterable[str] = ()) -> str:
    known = [*built_in, *own]
    return (
        f"{brief(name)} is neither one of {', '.join(known)} nor a dotted path such as mypkg.parts:Mine "
        f"(at most {LONGEST_NAME} characters){did_you_mean(name, known)}"
    )


_OR_YOURS, _OR_DOTTED = ", a name of your own or a dotted path", " or a dotted path"
ModelName = Annotated[str, AfterValidator(_name_among(NETWORKS)), _words_for(NETWORKS, _OR_YOURS)]
LossName = Annotated[str, AfterValidator(_name_among(LOSSES)), _words_for(LOSSES, _OR_YOURS)]
_Network = Annotated[str, AfterValidator(_built_in_or_dotted(NETWORKS)), _words_for(NETWORKS, _OR_DOTTED)]
_Loss = Annotated[str, AfterValidator(_built_in_or_dotted(LOSSES)), _words_for(LOSSES, _OR_DOTTED)]


class _Part(Section):
    args: dict[str, Any] = {}
    """Arguments of this one alone, over what others are given."""

    @field_validator("args")
    @classmethod
    def _are_arguments(cls, args: dict[str, Any]) -> dict[str, Any]:
        if len(args) > _MOST_ARGUMENTS:
            raise ValueError(f"{counted(len(args), 'argument')}, and there can be {_MOST_ARGUMENTS}")
        for name, value in args.items():
            if not (name.isascii() and name.isidentifier() and len(name) <= 64):
                raise ValueError(f"{brief(name)} is not a name for an argument")
            if not _is_plain(value):
                raise ValueError(
                    f"{name} must be true or false, text, a number (finite, a whole one of at most 2^53), or lists and "
                    f"tables of these, not {brief(value)}"
                )
        return args


class NamedNetwork(_Part):
    """A network under a name of one's own."""

    make: _Network
    """A built-in name or a dotted path."""

    def width_in(self, recipe: Recipe) -> float:
        """As plans take it: its own, or the recipe's."""
        own = self.args.get("width")
        return float(own) if self.make in NETWORKS and isinstance(own, int | float) else recipe.model.width


class NamedLoss(_Part):
    """A loss under a name of one's own."""

    make: _Loss
    """A built-in name or a dotted path."""


Part = NamedNetwork | NamedLoss


def label_of(section: str, name: str) -> str:
    """What messages and tables call a network (`models`) or loss (`losses`): a dotted path by itself, any other by the
    key that describes it, such as models.mine."""
    return name if is_dotted_path(name) else f"{section}.{name}"


def problem_of_names(section: str, used: Iterable[str], own: Mapping[str, Part]) -> str | None:
    """What is wrong with the names of networks (`models`) or losses (`losses`), or None.

    :param used: those in the grid.
    :param own: those that the definition describes.
    """
    built_in = {"models": NETWORKS, "losses": LOSSES}[section]
    for name in own:
        if not is_plain_name(name):
            return (
                f"{section}: {brief(name)} is not a name: it needs a to z first, then a to z, digits or _, at most "
                f"{LONGEST_NAME} of them"
            )
        if name in built_in:
            return f"{section}.{name}: {name} is a built-in one: give yours another name"
    for name in used:
        if name not in own and name not in built_in and not is_dotted_path(name):
            return f"grid.{section}: {_is_none_of(name, built_in, own)}"
        make, args = (own[name].make, own[name].args) if name in own else (name, {})
        if (needed := NEEDED.get(make)) and needed not in args:
            place = f"{section}.{name}" if name in own else f"grid.{section}"
            own_name = f'{section}.NAME = {{ make = "{make}", args = {{ {needed} = [...] }} }}'
            return f"{place}: {make} needs {needed}: write {own_name}, and NAME in grid.{section}"
        if problem := _problem_of_arguments(f"{section}.{name}", make, args):
            return problem
    for name in own:
        if name not in used:
            return f"{section}.{name}: nothing in grid.{section} is called {name}: add it there, or leave the table out"
    return None


def _problem_of_arguments(label: str, make: str, args: Mapping[str, Any]) -> str | None:
    """What is wrong with the arguments of a built-in network or loss, or None. Those of anybody's are known to their
    code alone."""
    if is_dotted_path(make):
        return None
    if problem := untaken(make, arguments_of(make), args):
        return f"{label}: {problem}"
    for name, value in args.items():
        if not (must_be := _WIDTH if name == "width" else _NUMBERS if name == "weights" else _NUMBER).allows(value):
            return f"{label}.args.{name}: {must_be.words}, not {brief(value)}"
    return None


class _MustBe(NamedTuple):
    words: str
    allows: Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _as_of_model(key: str) -> _MustBe:
    """An argument that is a key of [model], too, has the rules of that key."""
    bounds = ModelRecipe.model_fields[key].metadata
    low, high = (next(getattr(each, end) for each in bounds if hasattr(each, end)) for end in ("ge", "le"))
    words = f"must be a number, at least {low:g}, at most {high:g}"
    return _MustBe(words, lambda value: _is_number(value) and low <= value <= high)


_WIDTH = _as_of_model("width")
_NUMBER = _MustBe("must be a number", _is_number)
_NUMBERS = _MustBe(
    "must be a list of numbers", lambda value: isinstance(value, list | tuple) and all(map(_is_number, value))
)


def problem_of_keys(names: Iterable[str], own: Mapping[str, NamedNetwork]) -> str | None:
    """What is wrong with the networks for which a table gives values, or None."""
    unknown = [name for name in names if name not in NETWORKS and name not in own and not is_dotted_path(name)]
    return _is_none_of(unknown[0], NETWORKS, own) if unknown else None


def _is_plain(value: Any) -> bool:
    match value:
        case bool():
            return True
        case str():
            return is_text(value)
        case int() | float():
            return math.isfinite(value) and (isinstance(value, float) or abs(value) <= _LARGEST)
        case list():
            return all(map(_is_plain, value))
        case dict():
            return all(isinstance(key, str) and is_text(key) and _is_plain(each) for key, each in value.items())
    return False
