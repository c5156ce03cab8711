"""The networks and losses of a study, found and tried once before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from study.definition import Definition
from study.definition.idle_keys import idle_arguments
from study.definition.parts import NamedNetwork, label_of
from study.errors import StudyError
from study.failures import failure_in_words
from study.modules import search_in
from study.outside import Outside
from trainers.costs import TrainingCost
from trainers.data.table import Samples
from trainers.names import NotFound, is_dotted_path
from trainers.printable import counted


@dataclass(frozen=True)
class Tried:
    """What trying shows of networks that are not simply built in."""

    costs: dict[str, TrainingCost] = field(default_factory=dict)
    """By name."""
    weights: dict[str, str] = field(default_factory=dict)
    """By label (see `label_of`), of those that load some: their digest."""
    outputs: dict[str, int] = field(default_factory=dict)
    """By name, those in training."""


def find_parts(definition: Definition) -> None:
    """Import what the definition's networks and losses are made by.

    Raises StudyError with every one that leads nowhere or does not take its arguments, or else every key of the section
    model that no network takes, and every searched one that some network does not take.
    """
    if not definition.parts():
        return
    search_in(definition.resources.modules)
    from trainers.losses import loss_named  # torch takes seconds to import: only for those who need more than names
    from trainers.networks import network

    problems, takes = [], dict[str, frozenset[str]]()
    for name in definition.grid.losses:
        loss = definition.loss(name)
        problems += _problem_of(label_of("losses", name), loss.make, partial(loss_named, loss.make, loss.args))
    for name in definition.grid.models:
        own = definition.network(name)
        label, look_up = label_of("models", name), partial(network, own.make, own.args)
        if found := _problem_of(label, own.make, look_up):
            problems += found
            continue
        made_of = look_up()
        takes[name] = frozenset(made_of.arguments(dict(definition.model)).keys() - own.args.keys())
        if lacking := made_of.lacking(dict(definition.model)):
            problems.append(f"{label} needs {', '.join(lacking)}: {_where_to_put(lacking[0], name, own.make)}")
    if problems := problems or _problems_of_arguments(definition, takes):
        raise StudyError("\n".join(problems))


def try_parts(definition: Definition, samples: Samples) -> Tried:
    """Try each network and loss that is not simply built in once; they have been found. Of all, whether there are
    weights for all outputs, where the definition gives some. Raises StudyError with all that fail."""
    tried = Tried()
    if not definition.parts() and not definition.training.output_weights:
        return tried
    failures: dict[str, str] = {}
    for label, attempt in _attempts(definition, samples, tried):
        if label in failures:  # a download that failed would be waited for again
            continue
        try:
            attempt()
        except (Exception, SystemExit) as error:  # whatever somebody else's code does
            failures[label] = failure_in_words(label, _given(definition, label), error)
    if failures:
        raise StudyError("\n".join(failures.values()))
    if (most := max(tried.outputs.values(), default=0)) < (given := len(definition.training.output_weights)):
        raise StudyError(
            f"training.output_weights: {counted(given, 'weight')}, and no network of the grid gives more than "
            f"{counted(most, 'output')} in training: give as many"
        )
    return tried


def _given(definition: Definition, label: str) -> dict[str, object]:
    """The arguments of a network or loss, by their keys."""
    part = definition.parts().get(label)
    shared = {f"model.{key}": value for key, value in definition.model} if isinstance(part, NamedNetwork) else {}
    return shared | {f"args.{key}": value for key, value in (part.args if part else {}).items()}


def check_weights(definition: Definition, outside: Outside, model: str, num_classes: int) -> None:
    """Raises StudyError if the network loads other weights here than where the run was started, or none."""
    label = label_of("models", model)
    if (expected := (outside.weights or {}).get(label)) is None:
        return
    try:
        found = _loaded_weights(definition, model, num_classes)
    except (Exception, SystemExit) as error:  # whatever somebody else's code does
        raise StudyError(f"{label} cannot be made on this machine: {type(error).__name__}: {error}") from error
    if found != expected:
        raise StudyError(
            f"{label} loads other weights on this machine ({found or 'none'}) than where the study was started "
            f"({expected}): put the same file in the same place on every machine"
        )


def _attempts(definition: Definition, samples: Samples, tried: Tried) -> list[tuple[str, Callable[[], object]]]:
    """What is tried of which network or loss. What trying shows is added to `tried`."""
    from trainers.losses import try_loss
    from trainers.networks import network

    arguments, size, num_classes = dict(definition.model), definition.training.size, len(samples.labels)
    weights = definition.training.output_weights

    def measure(name: str) -> None:
        own = definition.network(name)
        tried.costs[name] = network(own.make, own.args).training_cost(num_classes, arguments, size)

    def note_weights(name: str) -> None:
        if found := _loaded_weights(definition, name, num_classes):
            tried.weights[label_of("models", name)] = found

    def check_outputs(name: str) -> None:
        own = definition.network(name)
        found = network(own.make, own.args).check_output_weights(num_classes, arguments, size, weights)
        tried.outputs[name] = found

    def try_one_loss(name: str) -> None:
        own = definition.loss(name)
        try_loss(own.make, num_classes, own.args, with_ignored=samples.has_ignored)

    attempts: list[tuple[str, Callable[[], object]]] = []
    for name in definition.grid.models:
        label = label_of("models", name)
        if label in definition.parts():
            attempts += [(label, partial(measure, name)), (label, partial(note_weights, name))]
        if label in definition.parts() or weights:
            attempts.append((label, partial(check_outputs, name)))
    for name in definition.grid.losses:
        if (label := label_of("losses", name)) in definition.parts():
            attempts.append((label, partial(try_one_loss, name)))
    return attempts


def _loaded_weights(definition: Definition, model: str, num_classes: int) -> str | None:
    """The digest of the weights that a network loads, made with the recipe's own values; None if it loads none."""
    from trainers.networks import network

    own = definition.network(model)
    if not is_dotted_path(own.make):
        return None
    return network(own.make, own.args).loaded_weights(num_classes, dict(definition.model))


def _where_to_put(argument: str, name: str, make: str) -> str:
    """An argument that a network cannot do without."""
    if name != make:
        return f"put {argument} = ... into args of [models.{name}]"
    described = f'[models.NAME] make = "{make}", args = {{ {argument} = ... }}'
    return f"put {argument} = ... under [model], or describe it: {described}"


def _problem_of(label: str, make: str, look_up: Callable[[], object]) -> list[str]:
    try:
        look_up()
    except NotFound as error:
        return [str(error) if label == make else f"{label}: {error}"]
    return []


def _problems_of_arguments(definition: Definition, takes: Mapping[str, frozenset[str]]) -> list[str]:
    """:param takes: network -> the keys of the section model that it takes."""
    untaken = idle_arguments(definition.model, takes)
    searched = {key.partition(".")[2] for key in definition.search.space if key.startswith("model.")}
    return [f"model.{key}: no network of the grid takes it" for key in untaken] + [
        f"search.space: model.{key} is searched, and {name} takes no {key}"
        for name, keys in takes.items()
        for key in sorted(searched - keys - {*untaken})
    ]
