"""Reading a definition: a preset or a TOML file, with values put in; every problem in one message."""

from __future__ import annotations

import codecs
import contextlib
import re
import tomllib
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from study.definition import PRESETS, Definition
from study.definition.refusals import refusals
from study.definition.space import flat
from study.errors import LONGEST_SHOWN, MOST_SHOWN, StudyError, did_you_mean
from trainers.data.cut_outs.catalogue import STANDIN
from trainers.printable import counted, is_text


def load(source: str = "demo", settings: Iterable[str] = ()) -> Definition:
    """The definition in `source` (a preset's name or a TOML file), with each `section.key=value` of `settings` put in.

    A relative path starts at the folder of the file, one of the settings at the current folder; it is absolute in what
    is returned. Raises StudyError with every problem found, one a line, each naming its key and the nearest
    valid one.
    """
    table = _read_preset(source) if source in PRESETS else _read_file(source)
    _put_all(table, settings)
    _start_paths_at(Path(), table)
    _look_for_modules_in([Path()] if source in PRESETS else [Path(source).parent, Path()], table)
    return parse(table, source)


def from_settings(settings: Iterable[str]) -> Definition:
    """The definition that has nothing but these `section.key=value`. Raises StudyError as `load` does."""
    table: dict[str, Any] = {}
    _put_all(table, settings)
    return parse(table, "--set")


def parse(table: dict[str, Any], source: str = "definition") -> Definition:
    """The definition in a nested dict, as read from TOML. Raises StudyError as `load` does."""
    try:
        return Definition.model_validate(table)
    except ValidationError as error:
        lines = refusals(error.errors(include_url=False))
    shown = [*lines[:MOST_SHOWN], *[f"and {len(lines) - MOST_SHOWN} more"][: len(lines) > MOST_SHOWN]]
    raise StudyError(
        f"{source}: the definition has {counted(len(lines), 'problem')}:\n" + "\n".join(f"  {line}" for line in shown)
    )


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
    except FileNotFoundError:
        raise StudyError(
            f"{source}: there is no such file; give a TOML file that is there, or a preset ({', '.join(PRESETS)})"
        ) from None
    except (OSError, ValueError) as error:
        raise StudyError(f"{source}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
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
            given["file"] = _beside_or_in_the_data_set(path, folder, table)
    match table:
        case {"resources": {"modules": list(modules)} as section}:
            section["modules"] = [_absolute(each, folder) if isinstance(each, str) else each for each in modules]
        case {"resources": {"modules": str(path)} as section}:
            section["modules"] = [_absolute(path, folder)]


def _beside_or_in_the_data_set(path: str, folder: Path, table: dict[str, Any]) -> str:
    """Where a file lies: in the folder, else, if it is there, in that of the data set."""
    beside = _absolute(path, folder)
    match table:
        case {"data": {"path": str(data)}} if data not in ("", STANDIN) and not Path(beside).exists():
            within = _absolute(path, Path(data))
            return within if Path(within).exists() else beside
    return beside


def _absolute(path: str, folder: Path) -> str:
    with contextlib.suppress(RuntimeError, OSError, ValueError):  # ~nobody, or links in a circle: refused when used
        return str((folder / Path(path).expanduser()).resolve())
    return path


def _look_for_modules_in(folders: Sequence[Path], table: dict[str, Any]) -> None:
    """Name these folders of modules, where a network or loss is given by a dotted path and no folder is named."""
    named = [part for section in ("models", "losses") for part in _as_table(table.get(section)).values()]
    words = _words_in([*_as_table(table.get("grid")).values(), *(_as_table(part).get("make") for part in named)])
    if any(":" in word for word in words):
        section = table.setdefault("resources", {})
        if isinstance(section, dict):
            section.setdefault("modules", list(dict.fromkeys(str(folder.resolve()) for folder in folders)))


def _as_table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _words_in(values: Iterable[Any]) -> list[str]:
    return [
        word for value in values for word in (value if isinstance(value, list) else [value]) if isinstance(word, str)
    ]


_KEY = re.compile(r""""([^"]+)"|([^."]+)""")
_DOTTED = re.compile(rf"({_KEY.pattern})(\.({_KEY.pattern}))*")


def _put_all(table: dict[str, Any], settings: Iterable[str]) -> None:
    """Set every `section.key=value`, whatever the table says of these keys. Raises StudyError for a key set twice."""
    set_by: dict[str, str] = {}
    for setting in settings:
        keys, value = _parted(setting)
        dotted = ".".join(keys)
        for known, earlier in set_by.items():
            if f"{known}.".startswith(f"{dotted}.") or f"{dotted}.".startswith(f"{known}."):
                raise StudyError(f"{known} is set twice, by {_shown(earlier)} and by {_shown(setting)}: keep one")
        set_by |= dict.fromkeys(_leaves(dotted, value), setting)
        if keys[:2] == ["search", "space"]:
            _flatten_space(table)
        for place, each in _assignments(keys, value):
            _put(table, place, each, setting)


def _assignments(keys: list[str], value: Any) -> list[tuple[list[str], Any]]:
    """What a setting puts where: a searched key, such as model.width, is one key of the table, however it is given."""
    match keys:
        case ["search", "space", section, name, *inner] if "." not in section:
            return [(["search", "space", f"{section}.{name}", *inner], value)]
        case ["search", "space", section] if "." not in section and isinstance(value, dict):
            return [(["search", "space", f"{section}.{name}"], each) for name, each in value.items()]
    return [(keys, value)]


def _put(table: dict[str, Any], keys: list[str], value: Any, setting: str) -> None:
    for key in keys[:-1]:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise StudyError(f"{_shown(setting)}: {key} is a value, not a section")
    table[keys[-1]] = value


def _shown(setting: str) -> str:
    return f"--set {setting[:LONGEST_SHOWN]}"


def _parted(setting: str) -> tuple[list[str], Any]:
    """The keys and the value of a setting. Raises StudyError if it is none."""
    dotted, equals, text = (part.strip() for part in setting.partition("="))
    if not is_text(setting):
        raise StudyError(f"{_shown(setting)}: is not text in UTF-8")
    if not equals or not _DOTTED.fullmatch(dotted):
        raise StudyError(f"{_shown(setting)}: must be section.key=value, such as search.trials=20")
    is_plain = dotted in _TEXT_KEYS and not text.startswith(("'", '"'))
    return [quoted or bare for quoted, bare in _KEY.findall(dotted)], text if is_plain else _typed_value(text)


def _leaves(dotted: str, value: Any) -> list[str]:
    """The dotted keys of all single values that a value has."""
    if not isinstance(value, dict):
        return [dotted]
    return [leaf for key, each in value.items() for leaf in _leaves(f"{dotted}.{key}", each)]


def _flatten_space(table: dict[str, Any]) -> None:
    """So that a setting takes the place of what the file says of the same key. Raises StudyError for a key that is
    there in two ways."""
    match table:
        case {"search": {"space": dict(space)} as search}:
            try:
                search["space"] = flat(space)
            except ValueError as error:
                raise StudyError(f"search.space: {error}") from None


_TEXT_KEYS = ("name", "data.path", "splits.given.file")


def _typed_value(text: str) -> Any:
    """What a person types is TOML, or a list without its brackets, or plain words."""
    for written in (text, f"[{text}]"):
        with contextlib.suppress(ValueError):
            [value] = _loads(f"value = {written}").values()
            return value
    words = [word.strip() for word in text.split(",")]
    return words if len(words) > 1 else text
