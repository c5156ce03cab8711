"""Networks and losses that are not simply built in: what they are, where their code is, and how it reaches the workers.

Code that is installed is known by its distribution's version. Other code is known by a digest of its files: the module,
the whole package that it lies in, and what of these folders it imports. They travel with the study; no worker needs the
folders.
"""

from __future__ import annotations

import ast
import atexit
import contextlib
import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from study.cells import Cell
from study.defined_names import check_defined
from study.definition import Definition
from study.definition.parts import Part, label_of
from study.errors import StudyError
from trainers.names import is_dotted_path, module_of

_INSTALLED = ("site-packages", "dist-packages")
_OURS = ("study", "trainers", "analysis")
MOST_BYTES = 20_000_000
"""Of the files that travel."""


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
            here = _version(name)
            if here != version:
                raise StudyError(f"{name} {version} is needed here, and there is {here or 'none'}")
        if self.files:
            add_to_path(_unpacked(tuple(sorted(self.files.items()))))


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
            own_versions, own_files = _code_of(module_of(part.make), folders)
            _check_defined(label, part.make, own_files)
            identities[label] = {**identities[label], "code": _identity(own_versions, own_files)}
            versions, files = versions | own_versions, files | own_files
    if sum(map(len, files.values())) > MOST_BYTES:
        raise StudyError(_too_large(", ".join(identities)))
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


def _too_large(what: str) -> str:
    return (
        f"the code of {what}, and what lies in its packages, takes more than {MOST_BYTES:,} bytes: install it on every "
        "machine, or keep large files elsewhere and name them by an argument with an absolute path"
    )


def _own_facts(part: Part) -> Facts:
    return {"make": part.make, **{f"args.{name}": value for name, value in part.args.items()}}


def _in_words(facts: Facts, key: str) -> str:
    return json.dumps(facts[key]) if key in facts else "nothing"


def _code_of(module: str, folders: Iterable[Path]) -> tuple[dict[str, str], dict[str, bytes]]:
    """Versions of distributions, and files, of a module and of what it imports from the same folders."""
    versions, files, waiting, seen = dict[str, str](), dict[str, bytes](), [module], set[str]()
    while waiting:
        top = waiting.pop().partition(".")[0]
        if top in seen or top in _OURS:
            continue
        seen.add(top)
        first = top == module.partition(".")[0]
        found = _source_of(top, folders, must_be_there=first)
        if found is None:
            if first:
                versions |= _distribution_of(top)
            continue
        root, paths = found
        if sum(path.stat().st_size for path in paths) > MOST_BYTES:
            raise StudyError(_too_large(top))
        for path in paths:
            content = path.read_bytes()
            files[path.relative_to(root).as_posix()] = content
            waiting += _imported(content, path) if path.suffix == ".py" else []
    return versions, files


def _source_of(top: str, folders: Iterable[Path], *, must_be_there: bool) -> tuple[Path, list[Path]] | None:
    """The folder that a module or package lies in, and its files; None if it is installed, or Python's own."""
    if top in sys.stdlib_module_names:
        return None
    for spec in _specs(top, folders):
        origins = [Path(spec.origin)] if spec.origin else [Path(each) for each in spec.submodule_search_locations or ()]
        if any(part in _INSTALLED for part in origins[0].parts):
            return None
        if spec.origin:
            _refuse_two(top, origins[0], folders)
        if spec.submodule_search_locations is None:
            return origins[0].parent, origins[:1]
        package = Path(next(iter(spec.submodule_search_locations)))
        return package.parent, sorted(path for path in package.rglob("*") if path.is_file() and _travels(path, package))
    if must_be_there:
        where = ", ".join(map(str, folders)) or "no folder is named in resources.modules"
        raise StudyError(f"there is no module {top}: it is not installed, and not in {where}")
    return None


def _travels(path: Path, package: Path) -> bool:
    """All files of a package do, whatever it reads beside its code, but for caches and hidden ones."""
    return not any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(package).parts)


def _refuse_two(top: str, known: Path, folders: Iterable[Path]) -> None:
    """Raises StudyError if a folder has another module of this name than the one that Python knows: it would not be
    the one that is imported. (In a process that ran another study, that study's may be known.)"""
    beside = PathFinder.find_spec(top, [str(folder) for folder in folders])
    origin = Path(beside.origin) if beside and beside.origin else known
    if origin.resolve() != known.resolve() and origin.read_bytes() != known.read_bytes():
        raise StudyError(
            f"there are two modules called {top}: {origin}, and {known}, which Python takes first here. Rename one, or "
            "start a new process"
        )


def _specs(top: str, folders: Iterable[Path]) -> Iterator[ModuleSpec]:
    """Where Python would find a module: among what it knows, then in the folders."""
    with contextlib.suppress(ValueError):  # a module that was made by hand has none
        if spec := find_spec(top):
            yield spec
    if spec := PathFinder.find_spec(top, [str(folder) for folder in folders]):
        yield spec


def _imported(content: bytes, path: Path) -> list[str]:
    """The modules that a file imports by their full names. Raises StudyError if it is no Python."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError) as error:
        line, what = getattr(error, "lineno", None), getattr(error, "msg", None) or error
        raise StudyError(f"{path}{f', line {line}' if line else ''}: no Python that can be read: {what}") from None
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found.append(node.module)
    return found


def _distribution_of(top: str) -> dict[str, str]:
    names = _distributions().get(top, [])
    return {name: metadata.version(name) for name in sorted(set(names))} or {"python": sys.version.split()[0]}


@cache
def _distributions() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()


def _version(distribution: str) -> str | None:
    if distribution == "python":
        return sys.version.split()[0]
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _identity(versions: Mapping[str, str], files: Mapping[str, bytes]) -> str:
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


def add_to_path(folder: str) -> None:
    """Let this process find modules in a folder, too."""
    if folder not in sys.path:
        sys.path.append(folder)  # at the end: it takes the place of nothing that is installed
