"""Everything the trials of a study share, made and checked once, before anything is trained."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import metadata
from pathlib import Path

import study
import trainers
from study.cells import Trial
from study.data_set import data_set_of
from study.definition import Definition
from study.errors import StudyError
from study.leaks import leak_notes, leak_problems, leaks_of
from study.outside import Outside, outside_of
from study.parts import find_parts, try_parts
from study.planning.figures import Figures
from study.splits import make_splits, split_notes
from study.splits.everything import everything
from trainers.costs import TrainingCost
from trainers.data.problems import listed
from trainers.data.source import Source
from trainers.data.split import Split
from trainers.data.table import Samples

_DECISIVE = ("torch", "optuna", "albumentations", "opencv-python-headless", "numpy", "numba")
_PACKAGES = (*_DECISIVE, "ray")
_PROJECT = "segmentation-stability"


@dataclass(frozen=True)
class Provenance:
    """Which code computed a trial."""

    git_commit: str | None  # of the checkout that the project runs from; "-dirty" behind it where files differ
    versions: str  # JSON: package -> version


@dataclass(frozen=True)
class Inputs:
    """What all trials of a study are computed from, by name: those of two never mix."""

    definition: Definition
    splits: Mapping[str, Split]
    data_fingerprint: str
    outside: Outside


@dataclass(frozen=True)
class Prepared:
    """A study ready to run: its definition, its samples, its splits, and what they are called by."""

    definition: Definition
    source: Source
    splits: dict[str, Split]
    data_fingerprint: str
    provenance: Provenance
    outside: Outside = field(default_factory=Outside)
    """What networks and losses are that are not simply built in."""
    costs: Mapping[str, TrainingCost] = field(default_factory=dict)
    """Network -> what it costs, as trying it has shown, of those that are not simply built in."""
    notes: tuple[str, ...] = ()
    """What should be known of images and splits before anything is trained, in sentences."""

    def split_of(self, trial: Trial) -> Split:
        """The samples that a trial of these splits trains on, and those it is judged by."""
        return everything(self.source.samples) if trial.is_refit else self.splits[trial.cell.split]

    @property
    def inputs(self) -> Inputs:
        return Inputs(self.definition, self.splits, self.data_fingerprint, self.outside)


def prepare(definition: Definition) -> Prepared:
    """Check and load the data, and make the splits. What can be checked without a look at the images is, before any is
    decoded. Raises StudyError with every problem found."""
    outside, data = _found_outside(definition), data_set_of(definition)
    tried = None if (samples := data.samples_by_names) is None else _tried(definition, outside, samples)
    loaded = data.load()
    study = _prepared(*(tried or _tried(definition, outside, loaded.source.samples)), loaded.source, loaded.fingerprint)
    return replace(study, notes=(*loaded.warnings, *study.notes))


def prepared(definition: Definition, source: Source, data_fingerprint: str) -> Prepared:
    """A study on the samples of a source: its splits are made. Raises StudyError with every one that cannot be.

    :param data_fingerprint: names the samples and all their pixels; trials of two never mix.
    """
    outside = _found_outside(definition)
    return _prepared(*_tried(definition, outside, source.samples), source, data_fingerprint)


def _prepared(
    definition: Definition,
    outside: Outside,
    splits: dict[str, Split],
    costs: Mapping[str, TrainingCost],
    source: Source,
    data_fingerprint: str,
) -> Prepared:
    leaks = leaks_of(source, splits.values())
    if problems := leak_problems(leaks, definition):
        raise StudyError(listed(problems, " in the splits"))
    notes = (*split_notes(splits.values(), definition, source.samples), *leak_notes(leaks, definition))
    return Prepared(definition, source, splits, data_fingerprint, provenance(), outside, costs, notes)


def _found_outside(definition: Definition) -> Outside:
    outside = outside_of(definition)
    find_parts(definition)
    return outside


def _tried(
    definition: Definition, outside: Outside, samples: Samples
) -> tuple[Definition, Outside, dict[str, Split], dict[str, TrainingCost]]:
    """The definition, in which every network that is not simply built in has memory by its measured cost, unless it had
    some; what these are, the weights that they load known; the splits; and these costs."""
    tried, resources = try_parts(definition, samples), definition.resources
    memory = {name: Figures(cost).memory_gb for name, cost in tried.costs.items()} | resources.memory_gb
    definition = definition.model_copy(update={"resources": resources.model_copy(update={"memory_gb": memory})})
    return definition, replace(outside, weights=tried.weights), make_splits(definition, samples), tried.costs


def provenance() -> Provenance:
    """The code's commit, if it runs from a checkout, and the versions of what its numbers depend on."""
    return Provenance(_git_commit(Path(__file__).parent), json.dumps(versions()))


@cache
def versions() -> dict[str, str]:
    """What is installed here, by name; this project among it, where it is: its code may have been sent here."""
    names = (*_PACKAGES, *[_PROJECT] * any(metadata.distributions(name=_PROJECT)))
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in names}


@cache
def differing_versions(theirs: str) -> str:
    """In which versions that decide numbers the JSON of another place or time differs from here; empty if in none."""
    kept, ours = json.loads(theirs), versions()
    return ", ".join(
        f"{name} {kept.get(name)}, here {ours[name]}" for name in _DECISIVE if kept.get(name) != ours[name]
    )


def source_digest() -> str:
    """Twelve hexadecimal digits that name this project's code as it lies here."""
    digest = hashlib.sha256()
    for package in (study, trainers):
        root = Path(package.__path__[0])
        for path in sorted(root.rglob("*.py")):
            digest.update(
                f"{package.__name__}/{path.relative_to(root).as_posix()}\0".encode() + path.read_bytes() + b"\0"
            )
    return digest.hexdigest()[:12]


def _git_commit(folder: Path) -> str | None:
    try:
        described = subprocess.run(
            ["git", "-C", str(folder), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=10,
        )
        tracked = subprocess.run(
            ["git", "-C", str(folder), "ls-files", "--error-unmatch", Path(__file__).name],
            capture_output=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return described.stdout.strip() if described.returncode == 0 and tracked.returncode == 0 else None
