"""Reading a definition: a preset or a TOML file, with values put in; every problem in one message."""

from __future__ import annotations

import codecs
import contextlib
import difflib
import re
import tomllib
import types
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from study.definition import PRESETS, Definition
from study.definition.space import flat
from study.errors import LONGEST_SHOWN, MOST_SHOWN, StudyError, brief, did_you_mean
from trainers.data.cut_outs.catalogue import STANDIN
from trainers.printable import is_text, printable
from trainers.recipe import Section


def load(source: str = "demo", settings: Iterable[str] = ()) -> Definition:
    """The definition in `source` (a preset's name or a TOML file), with each `section.key=value` of `settings` put in.

    A relative path starts at the folder of the file, one of the settings at the current folder; it is absolute in what
    is returned. Raises StudyError with every problem found, one a line, each naming its key and the nearest
    valid one.
    """
    table = _read_preset(source) if source in PRESETS else _read_file(source)
    for setting in settings:
        _put(table, setting)
    _start_paths_at(Path(), table)
    _look_for_modules_in([Path()] if source in PRESETS else [Path(source).parent, Path()], table)
    return parse(table, source)


def from_settings(settings: Iterable[str]) -> Definition:
    """The definition that has nothing but these `section.key=value`. Raises StudyError as `load` does."""
    table: dict[str, Any] = {}
    for setting in settings:
        _put(table, setting)
    return parse(table, "--set")


def parse(table: dict[str, Any], source: str = "definition") -> Definition:
    """The definition in a nested dict, as read from TOML. Raises StudyError as `load` does."""
    try:
        return Definition.model_validate(table)
    except ValidationError as error:
        causes = _causes(error.errors(include_url=False))
    lines = [
        *map(_explain, causes[:MOST_SHOWN]),
        *[f"and {len(causes) - MOST_SHOWN} more"][: len(causes) > MOST_SHOWN],
    ]
    raise StudyError(f"{source}: the definition has {_count(causes)}\n" + "\n".join(f"  {line}" for line in lines))


def read_toml(content: bytes, source: str) -> dict[str, Any]:
    """The table that the bytes of a TOML file hold, whatever editor wrote it. Raises StudyError if they hold none."""
    if len(content) > _MOST_BYTES:
        raise StudyError(f"{source}: larger than {_MOST_BYTES:,} bytes, as no definition is")
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return _loads(content.decode("utf-16" if utf16 else "utf-8-sig"))
    except UnicodeDecodeError as error:
        raise StudyError(f"{source}: cannot be read, as it is not text in UTF-8 ({error})") from None
    except ValueError as error:
        raise StudyError(f"{source}: not valid TOML: {error}") from None


_MOST_BYTES = 1_000_000
_LONG_KEY = re.compile(r"""(?<![\w-])(?:(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){20}""")


def _loads(text: str) -> dict[str, Any]:
    """The table in a TOML text. Raises ValueError, also for what would take the parser long, or more than its stack."""
    if _LONG_KEY.search(text):  # the time it takes grows with the square of the number of parts
        raise ValueError("it has a key of more than 20 parts")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("its brackets are nested too deeply") from None
    except tomllib.TOMLDecodeError:
        raise
    except ValueError:  # Python's own limit
        raise ValueError("it has a number of too many digits") from None


def _read_preset(name: str) -> dict[str, Any]:
    return read_toml((resources.files("study") / "presets" / f"{name}.toml").read_bytes(), name)


def _read_file(source: str) -> dict[str, Any]:
    path = Path(source)
    try:
        if path.suffix != ".toml" and not path.exists():
            raise StudyError(
                f"{source!r} is neither a preset ({', '.join(PRESETS)}) nor a TOML file{did_you_mean(source, PRESETS)}"
            )
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise StudyError(f"{source}: cannot be read ({error})") from None
    table = read_toml(content, source)
    _start_paths_at(path.parent, table)
    return table


def _start_paths_at(folder: Path, table: dict[str, Any]) -> None:
    """Make relative paths absolute: what OUT/study.toml keeps is to mean the same from any folder."""
    match table:
        case {"data": {"path": str(path)} as data} if path not in ("", STANDIN):
            data["path"] = _absolute(path, folder)
    match table:
        case {"splits": {"given": {"file": str(path)} as given}} if path:
            given["file"] = _absolute(path, folder)
    match table:
        case {"resources": {"modules": list(modules)} as section}:
            section["modules"] = [_absolute(each, folder) if isinstance(each, str) else each for each in modules]
        case {"resources": {"modules": str(path)} as section}:
            section["modules"] = [_absolute(path, folder)]


def _absolute(path: str, folder: Path) -> str:
    with contextlib.suppress(RuntimeError, OSError, ValueError):  # ~nobody, or links in a circle: refused when used
        return str((folder / Path(path).expanduser()).resolve())
    return path


def _look_for_modules_in(folders: Sequence[Path], table: dict[str, Any]) -> None:
    """Name these folders of modules, where a network or loss is given by a dotted path and no folder is named."""
    match table:
        case {"grid": dict(grid)} if any(":" in name for name in _words_in(grid.values())):
            section = table.setdefault("resources", {})
            if isinstance(section, dict):
                section.setdefault("modules", list(dict.fromkeys(str(folder.resolve()) for folder in folders)))


def _words_in(values: Iterable[Any]) -> list[str]:
    return [
        word for value in values for word in (value if isinstance(value, list) else [value]) if isinstance(word, str)
    ]


_KEY = re.compile(r""""([^"]+)"|([^."]+)""")
_DOTTED = re.compile(rf"({_KEY.pattern})(\.({_KEY.pattern}))*")


def _put(table: dict[str, Any], setting: str) -> None:
    """Set one `section.key=value`."""
    dotted, equals, text = (part.strip() for part in setting.partition("="))
    keys = [quoted or bare for quoted, bare in _KEY.findall(dotted)]
    shown = f"--set {setting[:LONGEST_SHOWN]}"
    if not is_text(setting):
        raise StudyError(f"{shown}: is not text in UTF-8")
    if not equals or not _DOTTED.fullmatch(dotted):
        raise StudyError(f"{shown}: must be section.key=value, such as search.trials=20")
    if keys[:2] == ["search", "space"] and len(keys) > 3 and "." not in keys[2]:  # one key, such as model.width
        keys[2:4] = [f"{keys[2]}.{keys[3]}"]
    if keys[:2] == ["search", "space"]:
        _flatten_space(table)
    for key in keys[:-1]:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise StudyError(f"{shown}: {key} is a value, not a section")
    is_plain = dotted in _TEXT_KEYS and not text.startswith(("'", '"'))
    table[keys[-1]] = text if is_plain else _typed_value(text)


def _flatten_space(table: dict[str, Any]) -> None:
    """So that a setting takes the place of what the file says of the same key."""
    match table:
        case {"search": {"space": dict(space)} as search}:
            search["space"] = flat(space)


_TEXT_KEYS = ("name", "data.path", "splits.given.file")


def _typed_value(text: str) -> Any:
    """What a person types is TOML, or a list without its brackets, or plain words."""
    for written in (text, f"[{text}]"):
        with contextlib.suppress(ValueError):
            [value] = _loads(f"value = {written}").values()
            return value
    words = [word.strip() for word in text.split(",")]
    return words if len(words) > 1 else text


def _count(problems: Sequence[Any]) -> str:
    return "a problem:" if len(problems) == 1 else f"{len(problems)} problems:"


def _causes(problems: list[Any]) -> list[Any]:
    """The problems, less those of a list that is only too short because its items were refused."""
    inner = {problem["loc"][:-1] for problem in problems}
    return [problem for problem in problems if problem["type"] != "too_short" or problem["loc"] not in inner]


def _explain(problem: Any) -> str:
    """One pydantic error as `key: what is wrong; what would be right`."""
    location = [part for part in problem["loc"] if part not in ("[key]", "[range]", "[choices]")]
    key, value = _key(location), brief(problem["input"])
    message = problem["msg"].removeprefix("Value error, ")
    message = message.replace("tuple", "list").replace("Tuple", "list")
    match problem["type"]:
        case "extra_forbidden" if key in MOVED:
            return f"{key}: no longer a key; write {MOVED[key]}"
        case "extra_forbidden":
            return f"{key}: unknown key{_nearest_key(location)}"
        case "model_type":
            return f"{key}: must be a table, not {value}"
        case "literal_error":
            allowed = re.findall(r"'([^']+)'", problem["ctx"]["expected"])
            return f"{key}: {value} is not one of {', '.join(allowed)}{did_you_mean(value.strip(chr(39)), allowed)}"
        case "value_error":
            return f"{key}: {message}" if key else message
        case "missing" if isinstance(problem["input"], dict):
            return f"{_key(location[:-1])}: lacks {location[-1]}"
        case "missing":  # of a list of so many values
            return f"{_key(location[:-1])}: too few values: {value}"
    return f"{key}: {message[0].lower() + message[1:].partition(' after validation')[0]}, not {value}"


MOVED = {
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


def _key(location: Sequence[Any]) -> str:
    return printable(".".join(map(str, location)))[:LONGEST_SHOWN]


def _dotted_keys(section: type[Section], prefix: str = "") -> list[str]:
    keys = []
    for name, field in section.model_fields.items():
        keys.append(prefix + name)
        for nested in (field.annotation, *get_args(field.annotation)):  # the latter: of a section that may be left out
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
    if section[:2] == ["search", "space"]:
        siblings = ["low, high, log and step, or choices"]
    return f"; the keys here are {', '.join(siblings)}" * bool(siblings)
