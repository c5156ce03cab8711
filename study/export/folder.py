"""The folder MODEL: a trained network, or several, with all that it takes to load and to judge them."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from study.cells import Trial
from study.definition import Definition
from study.definition.point import Point
from study.definition.refusals import refusals
from study.errors import StudyError
from study.export.fetched import Weights
from study.modules import belongs, code_of, search_in
from study.outside import identity_of_code
from study.results.digests import Row
from trainers.data.palette import label_colours
from trainers.data.size import Size
from trainers.data.table import Samples
from trainers.model_description import Description, Member
from trainers.names import is_dotted_path, module_of
from trainers.printable import counted

if TYPE_CHECKING:
    from trainers.trained import TrainedModel

DESCRIPTION, MODULES = "model.json", "modules"


def write_model(
    to: Path, definition: Definition, committed: Mapping[Trial, Row], weights: Mapping[Trial, Weights]
) -> Description:
    """Write weights, model.json, and the modules that the network's own code lies in, to an empty folder.

    Raises StudyError if that code is not the one that was trained, or the folder cannot be written.
    """
    described = describe(definition, committed, weights)
    files = code_files(definition, next(iter(weights)))
    for member, (_, kept) in zip(described.members, weights.items(), strict=True):
        (to / member.weights).write_bytes(kept.content)
    for name, content in files.items():
        path = to / MODULES / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (to / DESCRIPTION).write_text(described.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return described


def describe(definition: Definition, committed: Mapping[Trial, Row], weights: Mapping[Trial, Weights]) -> Description:
    """What model.json says of these trials of one configuration."""
    from trainers.networks import network
    from trainers.step import MEAN_RGB, SD_RGB

    first, kept = next(iter(weights.items()))
    row, own, training = committed[first], definition.network(first.cell.model), definition.training
    search_in(definition.resources.modules)
    kind = network(own.make, own.args)
    members = []
    for trial, of_trial in weights.items():
        point = Point.from_json(committed[trial]["point"])
        members.append(
            Member(
                trial=trial.id,
                split=committed[trial]["split"],
                weights="model.safetensors" if len(weights) == 1 else f"{trial.id}.safetensors",
                sha256=hashlib.sha256(of_trial.content).hexdigest(),
                point=dict(point),
                arguments=kind.arguments(dict(definition.recipe.at(point).model)),
            )
        )
    samples = Samples(kept.labels[int(kept.has_background) :], (), has_background=kept.has_background)
    drawn = label_colours(samples)[: len(kept.labels)]
    pairs = definition.data.pairs
    return Description(
        make=own.make,
        code=row["code"],
        members=tuple(members),
        labels=kept.labels,
        has_background=kept.has_background,
        colours=tuple("#{:02x}{:02x}{:02x}".format(*map(int, colour)) for colour in drawn),
        image_size=training.image_size,
        resize=training.resize,
        image_maximum=pairs.image_maximum if pairs else None,
        mean_rgb=MEAN_RGB,
        sd_rgb=SD_RGB,
        precision=row["precision"],
    )


def code_files(definition: Definition, trial: Trial) -> dict[str, bytes]:
    """The files of the network's code that is neither built in nor installed."""
    make = definition.network(trial.cell.model).make
    if not is_dotted_path(make):
        return {}
    return code_of(module_of(make), [Path(folder) for folder in definition.resources.modules])[1]


def read_description(folder: Path) -> Description:
    """Raises StudyError if the folder is none that `study export` wrote."""
    path = folder / DESCRIPTION
    try:
        described = Description.model_validate(_object_in(path), strict=False)
    except FileNotFoundError:
        raise StudyError(f"{folder} is not an exported model: there is no {DESCRIPTION} in it") from None
    except OSError as error:
        raise StudyError(f"{path}: cannot be read: {error.strerror}") from None
    except ValidationError as error:
        problems = "; ".join(refusals(error.errors(include_url=False))[:3])
        raise StudyError(f"{path}: {problems}") from None
    if len(described.colours) != len(described.labels):
        labels = counted(len(described.labels), "label")
        raise StudyError(f"{path}: colours: {len(described.colours)} of them, for {labels}")
    return described


def _object_in(path: Path) -> dict[str, Any]:
    """Raises StudyError if the file holds no JSON object."""
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise StudyError(f"{path}: no JSON that can be read ({error}): export the model again") from None
    if not isinstance(content, dict):
        raise StudyError(f"{path}: no JSON object: export the model again")
    return content


def load_model(folder: str | Path) -> TrainedModel:
    """The model that `study export` wrote, ready to predict, on the GPU if there is one.

    A network that is not built into this project is made by its own code, which lies in the folder: load none that you
    would not run. Raises StudyError if something is not as it was written.
    """
    import torch

    from trainers.data.pairs.fitting import Fitting
    from trainers.names import NotFound
    from trainers.networks import network
    from trainers.step import multiplies_bfloat16
    from trainers.trained import TrainedModel
    from trainers.weights import NotWeights, load_weights

    place = Path(folder)
    described = read_description(place)
    if (place / MODULES).is_dir():
        _refuse_altered_code(place, described)
        search_in([str((place / MODULES).resolve())])
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    networks = []
    for member in described.members:
        content = _sound(place, member)
        try:
            made = network(described.make).build(len(described.labels), member.arguments, seed=0)
            load_weights(made, content)
        except (NotFound, NotWeights, ValueError, TypeError) as error:
            raise StudyError(f"{place}: {described.make} cannot be made: {error}") from error
        networks.append(made.eval().to(device))
    _refuse_code_from_elsewhere(place, described)
    size = described.image_size
    working = Size(*size) if isinstance(size, tuple) else Size(size, size)
    as_trained = described.precision == "float32" or multiplies_bfloat16(device)
    precision = getattr(torch, described.precision) if as_trained else torch.float32
    return TrainedModel(tuple(networks), described.labels, Fitting(working, described.resize), precision)


def _refuse_altered_code(place: Path, described: Description) -> None:
    """Raises StudyError if the files of MODULES are not those that were exported."""
    folder = place / MODULES
    inside = ((path.relative_to(folder), path) for path in folder.rglob("*"))
    files = {name.as_posix(): path.read_bytes() for name, path in inside if belongs(name, path)}
    of_network_and_loss = json.loads(described.code or "{}").values()
    if identity_of_code({}, files) not in [
        each if isinstance(each, str) else each["code"] for each in of_network_and_loss
    ]:
        raise StudyError(f"{folder} does not hold the code that was exported: export the model again")


def _refuse_code_from_elsewhere(place: Path, described: Description) -> None:
    """Raises StudyError if Python has found another module of the name first: one of another model that this process
    has loaded, or one in the current folder."""
    if not is_dotted_path(described.make):
        return
    module = module_of(described.make)
    inside, ran = place / MODULES / module.replace(".", "/"), Path(sys.modules[module].__file__ or "")
    for own in (inside.with_name(f"{inside.name}.py"), inside / "__init__.py"):
        if own.is_file() and ran.read_bytes() != own.read_bytes():
            raise StudyError(
                f"{place} comes with its own {module}, and Python has found another one first, {ran}: load the model "
                "in a process of its own, where that file is not found"
            )


def _sound(place: Path, member: Member) -> bytes:
    try:
        content = (place / member.weights).read_bytes()
    except OSError as error:
        raise StudyError(f"{place / member.weights}: cannot be read: {error.strerror}") from None
    if hashlib.sha256(content).hexdigest() != member.sha256:
        raise StudyError(f"{place / member.weights} is not the file that was exported: export the model again")
    return content
