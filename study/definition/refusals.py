"""What is wrong with a definition, in plain sentences: pydantic's problems -> a line for each value."""

from __future__ import annotations

import difflib
import re
import types
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from study.definition import Definition
from study.definition.parts import NamedNetwork
from study.errors import LONGEST_SHOWN, brief, did_you_mean
from trainers.printable import printable
from trainers.recipe import Section

SPACE_ENTRY = "{ low = 0.25, high = 1.5 } (and log = true, or step = 0.25), or { choices = [8, 16] }"
"""What an entry of search.space looks like."""
_MUST_BE = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
}
"""pydantic's name of a problem -> what the value must be."""
_KIND = re.compile(r"(constrained-)?(bool|int|float|str)")
"""What pydantic puts behind the place of a value that may be of several kinds."""
_NO_KEYS = ("[key]", "[range]", "[choices]", "[side]", "[sides]", "[names]", "[values]")
"""Of a place: which of several forms a value has."""
_Place = tuple[Any, ...]


def refusals(problems: Iterable[Any]) -> list[str]:
    """A line for every value that is refused: its key, what is wrong with it, and what would be right."""
    lines: dict[_Place, str] = {}
    for place, found in _by_place(list(problems)).items():
        entry, inside = place[:3], place[3:]
        if entry[:2] != ("search", "space") or len(entry) < 3 or found[0]["type"] == "value_error":
            lines[place] = _explain(place, found)
        else:
            before = lines[entry].partition("; an entry looks")[0] + "; " if entry in lines else f"{_key(entry)}: "
            lines[entry] = f"{before}{_of_an_entry(inside, found)}; an entry looks like {SPACE_ENTRY}"
    return list(lines.values())


def _by_place(problems: list[Any]) -> dict[_Place, list[Any]]:
    """The problems of each value; none of a list that is only too short because its items were refused."""
    places = [_place_of(each) for each in problems]
    kinds = Counter(place[:-1] for place in places if _KIND.fullmatch(str(place[-1:] and place[-1])))
    found: dict[_Place, list[Any]] = {}
    for place, problem in zip(places, problems, strict=True):
        is_one_of_several_kinds = kinds[place[:-1]] > 1 and _KIND.fullmatch(str(place[-1]))
        found.setdefault(place[:-1] if is_one_of_several_kinds else place, []).append(problem)
    inner = {place[:-1] for place in found}
    return {place: each for place, each in found.items() if each[0]["type"] != "too_short" or place not in inner}


def _place_of(problem: Any) -> _Place:
    """Where it is; an unknown key is named whatever it is called."""
    parts = problem["loc"]
    unknown_key = parts[-1:] if problem["type"] == "extra_forbidden" else ()
    known = parts[: len(parts) - len(unknown_key)]
    return (*(part for part in known if part not in _NO_KEYS), *unknown_key)


def _of_an_entry(inside: _Place, problems: Sequence[Any]) -> str:
    """What is wrong with an entry of search.space; `inside` is empty if it is no table."""
    match problems[0]["type"]:
        case "missing":
            return f"lacks {_key(inside)}"
        case "extra_forbidden":
            return f"has {_key(inside)}, which it cannot have"
    return f"{_key(inside)} {_in_words(problems)}".lstrip()


def _in_words(problems: Sequence[Any]) -> str:
    """What one value must be, and what it is; it may be allowed to be of several kinds."""
    value = brief(problems[0]["input"])
    for problem in problems:
        if problem["type"] not in _MUST_BE:  # of the right kind, and too large, for one
            message = re.sub(r"^\w+ should ", "must ", problem["msg"]).partition(" after validation")[0]
            message = re.sub(r"\d{20,}", lambda digits: f"{float(digits[0]):g}", message)
            return f"{message[0].lower() + message[1:]}, not {value}"
    words = list(dict.fromkeys(_MUST_BE[problem["type"]] for problem in problems))
    if "a number" in words and "a whole number" in words:
        words.remove("a whole number")
    return f"must be {' or '.join([', '.join(words[:-1]), words[-1]][len(words) == 1 :])}, not {value}"


def _explain(place: _Place, problems: Sequence[Any]) -> str:
    """`key: what is wrong; what would be right`."""
    problem, key = problems[0], _key(place)
    value, message = brief(problem["input"]), problem["msg"].removeprefix("Value error, ")
    match problem["type"]:
        case "extra_forbidden" if key in MOVED:
            return f"{key}: no longer a key; write {MOVED[key]}"
        case "extra_forbidden":
            return f"{key}: unknown key{_nearest_key(place)}"
        case "literal_error":
            allowed = re.findall(r"'([^']+)'", problem["ctx"]["expected"])
            return f"{key}: {value} is not one of {', '.join(allowed)}{did_you_mean(value.strip(chr(39)), allowed)}"
        case "value_error":
            return f"{key}: {message}" if key else message
        case "of_the_whole":  # names its keys itself
            return str(message)
        case "missing" if isinstance(place[-1], str):
            return f"{_key(place[:-1])}: lacks {place[-1]}".removeprefix(": ")
        case "missing":  # of a list of so many values
            return f"{_key(place[:-1])}: too few values: {value}"
    return f"{key}: {_in_words(problems)}"


MOVED = {
    "training.cascade_weights": "training.output_weights = ..., or nothing: icnet_cascade has weights of its own",
    "splits.rotations": "splits.held_out.angle = ..., which holds the same",
    "search.width": 'search.space."model.width" = { low = ..., high = ..., log = true }',
    "search.strength": 'search.space."augmentation.strength" = { low = ..., high = ... }',
    "search.default_width": "model.width = ...",
    "search.default_strength": "augmentation.strength = ...",
}
"""Keys of earlier versions, and what is written in their place."""


def is_of_an_earlier_version(table: Mapping[str, Any]) -> bool:
    """Whether it has a key that was one before."""
    sections = {name: each for name, each in table.items() if isinstance(each, dict)}
    return any(f"{name}.{key}" in MOVED for name, section in sections.items() for key in section)


def _key(place: Sequence[Any]) -> str:
    return printable(".".join(map(str, place)))[:LONGEST_SHOWN]


def _dotted_keys(section: type[Section], prefix: str = "") -> list[str]:
    keys = []
    for name, field in section.model_fields.items():
        keys.append(prefix + name)
        for nested in (field.annotation, *get_args(field.annotation)):  # the latter: of a section that may be left out
            if isinstance(nested, type) and not isinstance(nested, types.GenericAlias) and issubclass(nested, Section):
                keys += _dotted_keys(nested, f"{prefix}{name}.")
    return keys


def _keys_of_own(section: Sequence[str]) -> list[str]:
    """Of a network or loss under a name of the user's."""
    return [*NamedNetwork.model_fields] if len(section) == 2 and section[0] in ("models", "losses") else []


def _nearest_key(place: Sequence[Any]) -> str:
    """A key like the unknown one: misspelt in its own section, or rightly spelt in another; else what there is."""
    *section, word = map(str, place)
    known = [*_dotted_keys(Definition), *(f"{'.'.join(section)}.{key}" for key in _keys_of_own(section))]
    siblings = [key for key in known if key.split(".")[:-1] == section]
    elsewhere = [key for key in known if key.split(".")[-1] == word]
    near = difflib.get_close_matches(word, [key.split(".")[-1] for key in siblings], n=1, cutoff=0.6)
    if near or elsewhere:
        return f"; did you mean {'.'.join([*section, near[0]]) if near else elsewhere[0]}?"
    return f"; the keys here are {', '.join(siblings)}" * bool(siblings)
