"""Networks and losses that are not simply built in: what they are, where their code is, and how it reaches the workers.

Code that is installed is known by its distribution's version. Other code is known by a digest of its files: the module,
the whole package that it lies in, and what of these folders it imports. They travel with the study; no worker needs the
folders.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from study.cells import Cell
from study.defined_names import check_defined
from study.definition import Definition
from study.definition.parts import Part, label_of
from study.errors import StudyError
from study.modules import code_of, refuse_too_much, search_in, version_of
from trainers.names import is_dotted_path, module_of

Facts = Mapping[str, Any]
"""What identifies a network or loss: its `code` (a distribution and its version, or a digest of source files), and of
one under a name of the user's own `make` and `args.NAME` of each argument, too."""


@dataclass(frozen=True)
class Outside:
    """Which networks and losses of a study are not simply built in, and the code of those that are not of this
    project."""

    identities: Mapping[str, Facts] = field(default_factory=dict)
    """By label (see `label_of`)."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Distribution -> version, of those that are installed."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Path from a folder of modules -> content, of those that are not."""
    weights: Mapping[str, str] | None = None
    """Label -> the digest of the weights that the network loads, of those that load some. None: none was built."""

    def facts(self, label: str) -> Facts | None:
        """What identifies a network or loss; None if it is built in, or none of this study."""
        if label not in self.identities:
            return None
        loaded = (self.weights or {}).get(label)
        return {**self.identities[label], **({"weights": loaded} if loaded else {})}

    def identity_of(self, cell: Cell) -> str | None:
        """Which network and loss a cell has, as JSON; None if they are built in."""
        found = {label: facts for label in labels_of(cell) if (facts := self.facts(label)) is not None}
        short = {label: facts["code"] if facts.keys() == {"code"} else facts for label, facts in found.items()}
        return json.dumps(short, sort_keys=True) if short else None

    def differences(self, cell: Cell, identity: str | None) -> list[str]:
        """In what a cell's network and loss differ here from those that `identity_of` once gave, a line each. Those
        that are none of this study are not compared, nor are weights where no network was built."""
        labels = [label for label in labels_of(cell) if label in self.identities]
        there = json.loads(identity or "{}") if labels else {}
        return [line for label in labels for line in self._differences_of(label, there.get(label, {}))]

    def _differences_of(self, label: str, there: str | Facts) -> list[str]:
        theirs, ours = dict({"code": there} if isinstance(there, str) else there), self.facts(label) or {}
        if self.weights is None:
            theirs.pop("weights", None)
        return [
            f"{label}: {key} is {_in_words(theirs, key)} there, {_in_words(ours, key)} here"
            for key in sorted(theirs.keys() | ours.keys())
            if theirs.get(key) != ours.get(key)
        ]

    def make_findable(self) -> None:
        """In this process, from these very files, wherever it runs. Raises StudyError if what must be installed is not,
        or is of another version."""
        for name, version in self.versions.items():
            here = version_of(name)
            if here != version:
                raise StudyError(f"{name} {version} is needed here, and there is {here or 'none'}")
        if self.files:
            search_in([_unpacked(tuple(sorted(self.files.items())))])


def labels_of(cell: Cell) -> tuple[str, str]:
    """Of its network and its loss."""
    return label_of("models", cell.model), label_of("losses", cell.loss)


def outside_of(definition: Definition) -> Outside:
    """What a definition's networks and losses are, found without running any of their code.

    Raises StudyError for a module that is neither installed nor in one of the folders, and for a name that a module in
    one of these does not define.
    """
    folders = [Path(folder) for folder in definition.resources.modules]
    identities, versions, files = dict[str, Facts](), dict[str, str](), dict[str, bytes]()
    for label, part in definition.parts().items():
        identities[label] = {} if label == part.make else _own_facts(part)
        if is_dotted_path(part.make):
            own_versions, own_files = code_of(module_of(part.make), folders)
            _check_defined(label, part.make, own_files)
            identities[label] = {**identities[label], "code": identity_of_code(own_versions, own_files)}
            versions, files = versions | own_versions, files | own_files
    refuse_too_much(", ".join(identities), sum(map(len, files.values())))
    return Outside(identities, versions, files)


def _check_defined(label: str, path: str, files: Mapping[str, bytes]) -> None:
    """Raises StudyError if a module that is not installed has no such name."""
    top = module_of(path).partition(".")[0]
    if not any(file.partition("/")[0].removesuffix(".py") == top for file in files):
        return
    try:
        check_defined(path, files)
    except StudyError as error:
        raise StudyError(str(error) if label == path else f"{label}: {error}") from None


def _own_facts(part: Part) -> Facts:
    return {"make": part.make, **{f"args.{name}": value for name, value in part.args.items()}}


def _in_words(facts: Facts, key: str) -> str:
    return json.dumps(facts[key]) if key in facts else "nothing"


def identity_of_code(versions: Mapping[str, str], files: Mapping[str, bytes]) -> str:
    """What rows call code: a digest of its files, or where there are none its distributions and their versions.

    :param files: path from a folder of modules -> content.
    """
    if not files:
        return ", ".join(f"{name} {version}" for name, version in versions.items())
    digest = hashlib.sha256()
    for path, content in sorted(files.items()):
        digest.update(f"{path}\0{len(content)}\0".encode() + content)
    return f"source {digest.hexdigest()[:12]}"


@cache
def _unpacked(files: tuple[tuple[str, bytes], ...]) -> str:
    """A folder of this process alone, with these files; gone when it ends."""
    folder = Path(tempfile.mkdtemp(prefix="study-modules-"))  # for its owner only
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name, content in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return str(folder)
