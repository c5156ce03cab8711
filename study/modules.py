"""Modules that are not of this project: whether they are installed, which files they are made of, where Python finds
them.
"""

from __future__ import annotations

import ast
import contextlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import metadata
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path

from study.errors import StudyError

_INSTALLED = ("site-packages", "dist-packages")
_OURS = ("study", "trainers", "analysis")
MOST_MIB = 16
"""Of the files that travel."""


def code_of(module: str, folders: Iterable[Path]) -> tuple[dict[str, str], dict[str, bytes]]:
    """Versions of distributions, and files, of a module and of what it imports from the same folders."""
    versions, files, waiting, seen = dict[str, str](), dict[str, bytes](), [module], set[str]()
    while waiting:
        top = waiting.pop().partition(".")[0]
        first = top == module.partition(".")[0]
        if first:
            _refuse_passed_over(top, folders)
        if top in seen or top in _OURS:
            continue
        seen.add(top)
        found = _source_of(top, folders, must_be_there=first)
        if found is None:
            if first:
                versions |= _distribution_of(top)
            continue
        root, paths = found
        refuse_too_much(str(root / top), sum(path.stat().st_size for path in paths))
        for path in paths:
            content = _read(path)
            files[path.relative_to(root).as_posix()] = content
            waiting += _imported(content, path) if path.suffix == ".py" else []
    return versions, files


def _source_of(top: str, folders: Iterable[Path], *, must_be_there: bool) -> tuple[Path, list[Path]] | None:
    """The folder that a module or package lies in, and its files, caches apart; None if it is installed, or Python's
    own."""
    if top in sys.stdlib_module_names:
        return None
    for spec in _specs(top, folders):
        origins = [Path(spec.origin)] if spec.origin else [Path(each) for each in spec.submodule_search_locations or ()]
        if any(part in _INSTALLED for part in origins[0].parts):
            return None
        if spec.submodule_search_locations is None:
            return origins[0].parent, origins[:1]
        package = Path(next(iter(spec.submodule_search_locations)))
        return package.parent, sorted(path for path in package.rglob("*") if belongs(path.relative_to(package), path))
    if must_be_there:
        where = ", ".join(map(str, folders)) or "no folder is named in resources.modules"
        raise StudyError(f"there is no module {top}: it is not installed, and not in {where}")
    return None


def belongs(inside: Path, path: Path) -> bool:
    """Whether it is a file of a package: neither a cache nor hidden."""
    is_cache = "__pycache__" in inside.parts or path.suffix in (".pyc", ".pyo")
    return not is_cache and not any(part.startswith(".") for part in inside.parts) and path.is_file()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StudyError(f"{path}: cannot be read: {error.strerror}") from error


def refuse_too_much(what: str, num_bytes: int) -> None:
    if num_bytes > MOST_MIB * 2**20:
        raise StudyError(
            f"the files of {what} take {num_bytes / 2**20:,.0f} MiB, and at most {MOST_MIB} travel to the workers: "
            "keep what is large in another folder, which every machine can read, and give its absolute path as "
            "an argument (models.NAME.args); or install the package on every machine"
        )


def _refuse_passed_over(top: str, folders: Iterable[Path]) -> None:
    """Raises StudyError for a file in the folders that is not the module which Python has by its name."""
    beside = PathFinder.find_spec(top, [str(folder) for folder in folders])
    if beside is None or beside.origin is None or (taken := _known_spec(top, folders)) is None:
        return
    if taken.origin is not None and Path(taken.origin).resolve() == Path(beside.origin).resolve():
        return
    if top in sys.stdlib_module_names:
        why = f"Python has a module {top}, too"
    elif top in _OURS:
        why = f"this project has a module {top}, too"
    elif any(part in _INSTALLED for part in Path(taken.origin or "").parts):
        why = f"an installed package has a module {top}, too"
    else:
        why = f"Python finds {taken.origin or 'another package'} first"
    raise StudyError(f"{beside.origin} is passed over, as {why}: give it another name")


def _specs(top: str, folders: Iterable[Path]) -> Iterator[ModuleSpec]:
    """Where Python would find a module: among what it knows, then in the folders."""
    if spec := _known_spec(top, folders):
        yield spec
    if spec := PathFinder.find_spec(top, [str(folder) for folder in folders]):
        yield spec


def _known_spec(top: str, folders: Iterable[Path]) -> ModuleSpec | None:
    """Where Python finds a module without the folders of other definitions, which this process may have been given.

    Raises StudyError if it has imported it from one of them, and there is another one for this definition."""
    with contextlib.suppress(ValueError):  # a module that was made by hand has none
        if spec := find_spec(top):
            place = Path(spec.origin or next(iter(spec.submodule_search_locations or ()), ""))
            others = _given - {str(folder) for folder in folders}
            if not any(place.is_relative_to(other) for other in others):
                return spec
            if top in sys.modules and PathFinder.find_spec(top, [str(folder) for folder in folders]):
                raise StudyError(
                    f"this process has imported {top} from {place}, for another definition, and cannot have a second "
                    "module of that name: run this definition in a process of its own"
                )
    return None


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


def version_of(distribution: str) -> str | None:
    if distribution == "python":
        return sys.version.split()[0]
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


_given = set[str]()
"""Folders in which this process finds modules for definitions' sake."""


def search_in(folders: Iterable[str]) -> None:
    """Let this process find modules in these folders, too, before those that it was given for other definitions."""
    new = [folder for folder in dict.fromkeys(folders) if folder not in sys.path or folder in _given]
    earlier = [folder for folder in sys.path if folder in _given and folder not in new]
    # At the end: they take the place of nothing that is installed.
    sys.path[:] = [*(folder for folder in sys.path if folder not in _given), *new, *earlier]
    _given.update(new)
