"""The public function behind `study keys`: every key of a definition, as the code that checks them knows it."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import tomli_w

from study.definition import Definition
from study.errors import StudyError, did_you_mean

_WIDTH = 110


@dataclass(frozen=True)
class Key:
    """One key of a definition."""

    name: str
    """With its section, e.g. `training.epochs`."""
    allowed: str
    default: Any
    """As TOML has it; None where the key is better left out."""
    about: str

    @property
    def default_in_toml(self) -> str:
        return "none" if self.default is None else as_toml(self.default)


@dataclass(frozen=True)
class SectionKeys:
    """A table of a definition, or what stands above all tables."""

    name: str
    about: str
    keys: tuple[Key, ...]


def keys(section: str | None = None) -> list[SectionKeys]:
    """All sections, one with those within it, or one key of one. Raises StudyError if there is none of that name."""
    schema = Definition.model_json_schema()
    found = list(_sections(schema))
    names = [each.name for each in found if each.name]
    if section is None:
        return found
    if section in names:
        return [each for each in found if f"{each.name}.".startswith(f"{section}.")]
    single = [replace(each, keys=(key,)) for each in found for key in each.keys if key.name == section]
    if not single:
        known = [*names, *(key.name for each in found for key in each.keys)]
        raise StudyError(
            f"{section!r} is neither a section ({', '.join(names)}) nor a key{did_you_mean(section, known)}"
        )
    return single


def _sections(schema: dict[str, Any]) -> Iterator[SectionKeys]:
    nested = {name: _resolved(each, schema) for name, each in schema["properties"].items() if "$ref" in each}
    plain = {name: each for name, each in schema["properties"].items() if name not in nested}
    yield SectionKeys("", schema["description"], _keys("", plain))
    for name, section in nested.items():
        yield from _section(name, section, schema)


def _section(name: str, section: dict[str, Any], schema: dict[str, Any]) -> Iterator[SectionKeys]:
    """A section, then those within it, which may be left out."""
    inner = {key: found for key, each in section["properties"].items() if (found := _optional_section(each, schema))}
    plain = {key: each for key, each in section["properties"].items() if key not in inner}
    yield SectionKeys(name, section["description"], _keys(f"{name}.", plain))
    for key, found in inner.items():
        about = f"{section['properties'][key]['description']} {found['description']}"
        yield from _section(f"{name}.{key}", {**found, "description": " ".join(about.split())}, schema)


def _optional_section(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any] | None:
    """What a part of a JSON Schema holds that is a section or nothing."""
    match node:
        case {"anyOf": [{"$ref": str()} as section, {"type": "null"}]}:
            return _resolved(section, schema)
    return None


def _keys(prefix: str, properties: dict[str, Any]) -> tuple[Key, ...]:
    return tuple(
        Key(f"{prefix}{name}", _allowed(each), each["default"], " ".join(each["description"].split()))
        for name, each in properties.items()
    )


def _resolved(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    resolved: dict[str, Any] = schema["$defs"][node["$ref"].rpartition("/")[2]]
    return resolved


def _allowed(node: dict[str, Any]) -> str:
    """What a part of a JSON Schema lets in, in words."""
    match node:
        case {"allowed": str(words)}:
            return words
        case {"enum": list(words)}:
            return _listed([json.dumps(word) for word in words])
        case {"const": word}:
            return json.dumps(word)
        case {"anyOf": list(kinds)}:
            known = [kind for kind in kinds if kind.get("type") != "null"]
            types = {kind.get("type") for kind in known}
            if {"integer", "number"} <= types:  # whole or not
                return "a number" + _bounds(node) + " or text" * ("string" in types)
            return " or ".join(map(_allowed, known))
        case {"oneOf": list(kinds)}:
            return ", or ".join(map(_allowed, kinds))
        case {"type": "array", "prefixItems": list(items)}:
            return "a list of " + ", ".join(_allowed(item) for item in items)
        case {"type": "array", "items": dict(item)}:
            return f"a list, each {_allowed(item)}"
        case {"type": "object", "additionalProperties": dict(value)}:
            names = f" of {_allowed(node['propertyNames'])}" if "propertyNames" in node else ""
            return f"a table: each{names} = {_allowed(value)}"
    named = {"integer": "a whole number", "number": "a number", "boolean": "true or false", "string": "text"}
    return named[node.get("type", "string")] + _bounds(node)


def _bounds(node: dict[str, Any]) -> str:
    words = {"minimum": "at least", "ge": "at least", "exclusiveMinimum": "above"}
    words |= {"maximum": "at most", "le": "at most", "exclusiveMaximum": "below"}
    bounds = ", ".join(f"{word} {node[bound]:,}" for bound, word in words.items() if bound in node)
    return f" ({bounds})" if bounds else ""


def _listed(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def as_toml(value: Any) -> str:
    """A value on one line of TOML."""
    if isinstance(value, dict):
        pairs = ", ".join(f"{_as_toml_key(key)} = {as_toml(each)}" for key, each in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(as_toml, value))}]"
    return tomli_w.dumps({"x": value}).partition("= ")[2].strip()


def _as_toml_key(key: str) -> str:
    return tomli_w.dumps({key: 0}).partition(" = ")[0]


def in_text(sections: Sequence[SectionKeys]) -> str:
    """For a terminal."""
    parts = []
    for section in sections:
        parts.append(textwrap.fill(f"[{section.name}] {section.about}" if section.name else section.about, _WIDTH))
        for key in section.keys:
            text = f"{key.about} Allowed: {key.allowed}. Default: {key.default_in_toml}"
            parts.append(f"{key.name}\n{textwrap.fill(text, _WIDTH, initial_indent='    ', subsequent_indent='    ')}")
    return "\n\n".join(parts)


def in_json(sections: Sequence[SectionKeys]) -> str:
    """For programs: a list of all keys."""
    return json.dumps([asdict(key) for section in sections for key in section.keys], indent=1)


def in_markdown(sections: Sequence[SectionKeys]) -> str:
    """For docs/reference/definition.md."""
    lines = [
        "# The keys of a definition",
        "",
        "A definition is a TOML file; a key that is left out has its default. Any key can also be given as "
        "`--set section.key=value`.",
        "",
        "`study keys` prints this page from the code that checks definitions: `study keys --markdown > "
        "docs/reference/definition.md`.",
    ]
    for section in sections:
        lines += ["", f"## {section.name or 'Above all sections'}", "", section.about, ""]
        lines += ["| key | | allowed | default |", "|---|---|---|---|"]
        lines += [
            f"| `{key.name}` | {_cell(key.about)} | {_cell(key.allowed)} | `{key.default_in_toml}` |"
            for key in section.keys
        ]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
