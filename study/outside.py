"""Networks and losses that are not ours: where their code is, which code it is, and how it reaches the workers.

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
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from importlib import metadata
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path

from study.cells import Cell
from study.definition import Definition
from study.errors import StudyError
from trainers.costs import TrainingCost
from trainers.data.table import Samples
from trainers.names import NotFound, is_dotted_path, module_of

_INSTALLED = ("site-packages", "dist-packages")
_OURS = ("study", "trainers", "analysis")
MOST_BYTES = 20_000_000
"""Of the files that travel."""


@dataclass(frozen=True)
class Outside:
    """The code of a study's networks and losses that is not of this project."""

    identities: Mapping[str, str] = field(default_factory=dict)
    """Dotted path -> a distribution and its version, or a digest of source files."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Distribution -> version, of those that are installed."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Path from a folder of modules -> content, of those that are not."""

    def identity_of(self, cell: Cell) -> str | None:
        """Which code a cell's network and loss are, as JSON; None if they are ours."""
        found = {name: self.identities[name] for name in (cell.model, cell.loss) if is_dotted_path(name)}
        return json.dumps(found, sort_keys=True) if found else None

    def make_findable(self) -> None:
        """In this process, from these very files, wherever it runs. Raises StudyError if what must be installed is not,
        or is of another version."""
        for name, version in self.versions.items():
            here = _version(name)
            if here != version:
                raise StudyError(f"{name} {version} is needed here, and there is {here or 'none'}")
        if self.files:
            _add_to_path(_unpacked(tuple(sorted(self.files.items()))))


def outside_of(definition: Definition) -> Outside:
    """The code behind the dotted paths of a definition, found without running any of it.

    Raises StudyError for a module that is neither installed nor in one of the folders.
    """
    folders = [Path(folder) for folder in definition.resources.modules]
    names = [name for name in (*definition.grid.models, *definition.grid.losses) if is_dotted_path(name)]
    identities, versions, files = dict[str, str](), dict[str, str](), dict[str, bytes]()
    for name in names:
        own_versions, own_files = _code_of(module_of(name), folders)
        identities[name] = _identity(own_versions, own_files)
        versions, files = versions | own_versions, files | own_files
    if sum(map(len, files.values())) > MOST_BYTES:
        raise StudyError(
            f"the code of {', '.join(names)} takes more than {MOST_BYTES:,} bytes: install it on every machine"
        )
    return Outside(identities, versions, files)


def find_parts(definition: Definition) -> None:
    """Import what the dotted paths of a definition name.

    Raises StudyError with every path that leads nowhere, or else every key of the section model that no network takes,
    and every searched one that some network does not take.
    """
    if not _has_outside(definition):
        return
    for folder in definition.resources.modules:
        _add_to_path(folder)
    from trainers.losses import loss_named  # torch takes seconds to import: only for those who need more than names
    from trainers.networks import network

    problems, takes = [], dict[str, frozenset[str]]()
    for name in definition.grid.losses:
        problems += _problem_of(loss_named, name)
    for name in definition.grid.models:
        if found := _problem_of(network, name):
            problems += found
        else:
            takes[name] = frozenset(network(name).arguments(dict(definition.model)))
    if problems := problems or _problems_of_arguments(definition, takes):
        raise StudyError("\n".join(problems))


def try_parts(definition: Definition, samples: Samples) -> dict[str, TrainingCost]:
    """Try each network and loss that is not ours once; they have been found. Of ours, whether there are weights for all
    outputs, where the definition gives some. Raises StudyError with all that fail.

    :returns: what each network that is not ours costs.
    """
    if not _has_outside(definition) and not definition.training.output_weights:
        return {}
    costs: dict[str, TrainingCost] = {}
    if failures := _failures(definition, samples, costs):
        raise StudyError("\n".join(failures))
    return costs


def _has_outside(definition: Definition) -> bool:
    return any(map(is_dotted_path, (*definition.grid.models, *definition.grid.losses)))


def _problem_of(look_up: Callable[[str], object], name: str) -> list[str]:
    try:
        look_up(name)
    except NotFound as error:
        return [str(error)]
    return []


def _failures(definition: Definition, samples: Samples, costs: dict[str, TrainingCost]) -> list[str]:
    """What goes wrong when a network that is not ours predicts an image, or a loss that is not ours is computed.

    :param costs: network -> its cost, which is added.
    """
    from trainers.losses import try_loss
    from trainers.networks import network

    arguments, size = dict(definition.model), definition.training.size
    models, losses = (list(filter(is_dotted_path, names)) for names in (definition.grid.models, definition.grid.losses))
    weights, num_classes = definition.training.output_weights, len(samples.labels)

    def measure(name: str) -> None:
        costs[name] = network(name).training_cost(num_classes, arguments, size)

    attempts: list[tuple[str, Callable[[], object]]] = [
        *((name, partial(measure, name)) for name in models),
        *(
            (name, partial(network(name).check_output_weights, num_classes, arguments, size, weights))
            for name in (definition.grid.models if weights else models)
        ),
        *((name, partial(try_loss, name, num_classes, with_ignored=samples.has_ignored)) for name in losses),
    ]
    failures: dict[str, str] = {}
    for name, attempt in attempts:
        try:
            attempt()
        except (Exception, SystemExit) as error:  # whatever somebody else's code does
            failures.setdefault(name, f"{name} fails: {type(error).__name__}: {' '.join(str(error).split())}")
    return list(failures.values())


def _problems_of_arguments(definition: Definition, takes: Mapping[str, frozenset[str]]) -> list[str]:
    """:param takes: network -> the keys of the section model that it takes."""
    untaken = dict(definition.model).keys() - {"width"} - {key for keys in takes.values() for key in keys}
    searched = {key.partition(".")[2] for key in definition.search.space if key.startswith("model.")}
    return [f"model.{key}: no network of the grid takes it" for key in sorted(untaken)] + [
        f"search.space: model.{key} is searched, and {name} takes no {key}"
        for name, keys in takes.items()
        for key in sorted(searched - keys - untaken)
    ]


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
        for path in paths:
            content = path.read_bytes()
            files[path.relative_to(root).as_posix()] = content
            waiting += _imported(content, path)
    return versions, files


def _source_of(top: str, folders: Iterable[Path], *, must_be_there: bool) -> tuple[Path, list[Path]] | None:
    """The folder that a module or package lies in, and its files; None if it is installed, or Python's own."""
    if top in sys.stdlib_module_names:
        return None
    for spec in _specs(top, folders):
        origins = [Path(spec.origin)] if spec.origin else [Path(each) for each in spec.submodule_search_locations or ()]
        if any(part in _INSTALLED for part in origins[0].parts):
            return None
        if spec.submodule_search_locations is None:
            return origins[0].parent, origins[:1]
        package = Path(next(iter(spec.submodule_search_locations)))
        return package.parent, sorted(path for path in package.rglob("*.py") if path.is_file())
    if must_be_there:
        where = ", ".join(map(str, folders)) or "no folder is named in resources.modules"
        raise StudyError(f"there is no module {top}: it is not installed, and not in {where}")
    return None


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
        raise StudyError(f"{path}: no Python that can be read: {error}") from None
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


def _add_to_path(folder: str) -> None:
    if folder not in sys.path:
        sys.path.append(folder)  # at the end: it takes the place of nothing that is installed
