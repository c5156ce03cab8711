"""Networks, by name: how each is made and started, and what it costs.

Shapes: B batch, K classes, H and W pixels.
"""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from trainers.costs import IMAGE_SIZE, TrainingCost
from trainers.cpu.narrow import widen_narrow_outputs
from trainers.data.size import Size
from trainers.losses.outputs import output_weights, weighted
from trainers.names import NETWORKS, NotFound, find, refuse_untaken
from trainers.networks.adapter import Adapted
from trainers.networks.start import digest_of_equal, draws_seeded_by, keras_start, undrawn, unwritten_memory_is_nan
from trainers.recipe import Value

_WORDS_FOR_CLASSES = ("num_classes", "classes")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Network:
    """A kind of network: a built-in one, or what a dotted path leads to."""

    name: str
    make: Any
    """(num_classes, **arguments) -> nn.Module."""
    takes: frozenset[str] | None
    """The arguments that it takes beside the number of classes; None: any."""
    needs: frozenset[str] = frozenset()
    """Of these, the ones without which it cannot be made."""
    args: Mapping[str, Any] = field(default_factory=dict)
    """Its own, over those of a recipe."""

    @property
    def is_built_in(self) -> bool:
        return self.name in NETWORKS

    def arguments(self, given: Mapping[str, Value]) -> dict[str, Any]:
        """Those of a recipe's `model` that this network takes, and over them its own."""
        return {key: value for key, value in given.items() if self._takes(key, value)} | copy.deepcopy(dict(self.args))

    def lacking(self, given: Mapping[str, Value]) -> list[str]:
        """The arguments without which it cannot be made, and that are neither among its own nor in a recipe's
        `model`."""
        return sorted(self.needs - self.arguments(given).keys())

    def _takes(self, key: str, value: Value) -> bool:
        if self.takes is None:  # it may pass all on to one that knows no width: 1 is as good as none
            return (key, value) != ("width", 1.0)
        return key in self.takes

    def build(self, num_classes: int, given: Mapping[str, Value], seed: int) -> nn.Module:
        """The network on the CPU, every weight drawn by the seed alone: images_BCHW -> a tuple of logits_BKHW, the main
        ones first and at full size.

        Built-in ones start as Keras's do, as the paper's authors had it; others as they start themselves. Raises
        ValueError where that leaves a weight undrawn.
        """
        with unwritten_memory_is_nan():
            if self.is_built_in:
                with torch.device("meta"):  # no weight is drawn from the global generator
                    model = self._made(num_classes, given)
                model = keras_start(model.to_empty(device="cpu"), torch.Generator().manual_seed(seed))
            else:
                with draws_seeded_by(seed):
                    model = Adapted(self._made(num_classes, given), num_classes)
        if names := undrawn(model):
            raise ValueError(f"{self.name} leaves weights undrawn: {', '.join(names[:5])}")
        widen_narrow_outputs(model)
        return model

    def loaded_weights(self, num_classes: int, given: Mapping[str, Value]) -> str | None:
        """Twelve hexadecimal digits that name the weights that the network does not draw: those of its tensors that two
        seeds start alike, apart from those that are one value throughout. None if there are none."""
        return digest_of_equal(*(self.build(num_classes, given, seed) for seed in (0, 1)))

    def cost(self, num_classes: int, given: Mapping[str, Value], size: Size) -> Cost:
        """Measured without memory or arithmetic, on the meta device; on the CPU for a network that cannot run there."""

        def measured(model: nn.Module) -> Cost:
            with FlopCounterMode(display=False) as counter:
                model.eval()(torch.zeros(1, 3, *size))
            return Cost(num_parameters(model), float(counter.get_total_flops()) / 1e9)

        return self._tried(measured, num_classes, given)

    def training_cost(self, num_classes: int, given: Mapping[str, Value], size: Size) -> TrainingCost:
        """The same, with the values that a training keeps of an image; as if the image had 128 x 128 pixels."""
        predicting, smaller = self.cost(num_classes, given, size), IMAGE_SIZE**2 / size.pixels
        kept = self._tried(lambda model: _bytes_kept(model, size), num_classes, given) / 4
        return TrainingCost(predicting.parameters, predicting.gflops * smaller, round(kept * smaller))

    def check_output_weights(
        self, num_classes: int, given: Mapping[str, Value], size: Size, weights: Sequence[float]
    ) -> int:
        """The outputs that it gives in training. Raises ValueError if they are more than it has weights, the given ones
        or its own."""

        def counted(model: nn.Module) -> int:
            outputs = model.train()(torch.zeros(2, 3, *size))
            weighted(outputs, output_weights(model, weights))
            return len(outputs)

        return self._tried(counted, num_classes, given)

    def _tried(self, attempt: Callable[[nn.Module], Result], num_classes: int, given: Mapping[str, Value]) -> Result:
        """Whatever is done with the network, on the meta device; on the CPU if it needs values."""
        try:
            with warnings.catch_warnings():  # weights that are loaded have no place there, and need none
                warnings.filterwarnings("ignore", ".*copying from a non-meta parameter in the checkpoint to a meta")
                return self._tried_at(torch.device("meta"), attempt, num_classes, given)
        except OSError:  # a file or a server that is not there is not there on the CPU, either
            raise
        except Exception:  # whatever a network of somebody else's does that needs values
            if self.is_built_in:
                raise
        return self._tried_at(nullcontext(), attempt, num_classes, given)

    def _tried_at(
        self,
        place: AbstractContextManager[Any],
        attempt: Callable[[nn.Module], Result],
        num_classes: int,
        given: Mapping[str, Value],
    ) -> Result:
        with draws_seeded_by(0), place, torch.no_grad():
            model = self._made(num_classes, given)
            return attempt(model if self.is_built_in else Adapted(model, num_classes))

    def _made(self, num_classes: int, given: Mapping[str, Value]) -> nn.Module:
        arguments = self.arguments(given)
        if lacking := self.lacking(given):
            raise ValueError(f"it needs {', '.join(lacking)}")
        named = [word for word in _WORDS_FOR_CLASSES if word in inspect.signature(self.make).parameters]
        made = self.make(**{named[0]: num_classes}, **arguments) if named else self.make(num_classes, **arguments)
        if not isinstance(made, nn.Module):
            raise TypeError(f"{self.name} makes a {type(made).__name__}, which is not a torch.nn.Module")
        if not any(parameter.requires_grad for parameter in made.parameters()):
            raise ValueError(f"{self.name} has no weights that could be trained")
        return made


@dataclass(frozen=True)
class Cost:
    """Of one network."""

    parameters: int
    """Weights and the batch norms' running means and variances, as Keras counts."""
    gflops: float
    """1e9 floating point operations to predict one image: convolutions and products, two for each multiply-add."""


def network(name: str, args: Mapping[str, Any] = MappingProxyType({})) -> Network:
    """The network of that name, with these arguments, whatever a recipe says. Raises NotFound if it is neither built in
    nor a dotted path to a function or class, or does not take the arguments."""
    make = find(name, NETWORKS)
    if not callable(make):
        raise NotFound(f"{name} is a {type(make).__name__}: it makes no network")
    try:
        parameters = list(inspect.signature(make).parameters.values())
    except ValueError as error:
        raise NotFound(f"{name}: its arguments cannot be found out: {error}") from error
    with_names = [each for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]
    named = {each.name for each in with_names}
    for_classes = named & set(_WORDS_FOR_CLASSES) or {each.name for each in parameters[:1]}
    needs = {each.name for each in with_names if each.default is each.empty} - for_classes
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        takes = None
    else:
        takes = frozenset(named - set(_WORDS_FOR_CLASSES) - for_classes)
    refuse_untaken(name, set(args) - for_classes if takes is None else takes, args)
    return Network(name, make, takes, frozenset(needs), args)


def _bytes_kept(model: nn.Module, size: Size) -> float:
    """What a training step in float32 keeps of one image for its backward pass, weights apart."""
    weights = {parameter.untyped_storage()._cdata for parameter in model.parameters()}
    kept: dict[int, Tensor] = {}  # storage -> a tensor in it, held so that its place is not given to another

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()._cdata
        if storage not in weights:
            kept[storage] = tensor
        return tensor

    with torch.enable_grad(), saved_tensors_hooks(note, lambda tensor: tensor):
        outputs = model.train()(torch.zeros(2, 3, *size))
    del outputs
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values()) / 2


def num_parameters(model: nn.Module) -> int:
    """Weights and the batch norms' running means and variances, as Keras counts."""
    statistics = [buffer for name, buffer in model.named_buffers() if name.endswith(("running_mean", "running_var"))]
    tensors: list[Tensor] = [*model.parameters(), *statistics]
    return sum(tensor.numel() for tensor in tensors)
