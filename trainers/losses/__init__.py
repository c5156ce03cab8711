"""Losses, by name: built-in ones and those of others.

Shapes: B batch, K classes, H and W pixels; those labelled IGNORED do not count.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from trainers.data.class_names import IGNORED
from trainers.names import LOSSES, NotFound, find, refuse_untaken

TORCHS_IGNORED = -100
"""As which a loss that is not ours sees IGNORED: the `ignore_index` of torch's losses."""

Loss = Callable[[Tensor, Tensor], Tensor]
"""Of logits_BKHW and the true labels_BHW: a scalar."""


def loss_named(name: str, args: Mapping[str, Any] = MappingProxyType({})) -> Loss:
    """The loss of that name, with these arguments. A class is made with them. A function is the loss itself if it takes
    logits and labels beside them; else it is called with them, and gives the loss.

    Raises NotFound if it is neither built in nor a dotted path to a function or class, or does not take the arguments.
    """
    found = find(name, LOSSES)
    if name in LOSSES:
        refuse_untaken(name, [*inspect.signature(found).parameters][2:], args)
        return partial(found, **args) if args else found
    of_others = _made(name, found, args)
    if not callable(of_others):
        raise NotFound(f"{name} is a {type(of_others).__name__}: it computes no loss")

    def in_float32(logits_BKHW: Tensor, target_BHW: Tensor) -> Tensor:
        if isinstance(of_others, nn.Module):
            of_others.to(logits_BKHW.device)  # it may hold weights of its own
        with torch.autocast(logits_BKHW.device.type, enabled=False):
            loss = of_others(logits_BKHW.float(), target_BHW.where(target_BHW != IGNORED, TORCHS_IGNORED))
        if not isinstance(loss, Tensor):
            raise ValueError(f"{name} gives a {type(loss).__name__}: it must give a tensor, a scalar")
        if loss.ndim:
            raise ValueError(f"{name} gives a tensor of shape {tuple(loss.shape)}: it must give a scalar")
        return loss

    return in_float32


def try_loss(
    name: str, num_classes: int, args: Mapping[str, Any] = MappingProxyType({}), *, with_ignored: bool = False
) -> None:
    """The loss and its gradient of two small images. Raises whatever it raises, ValueError for what is no loss.

    :param with_ignored: some pixels are IGNORED; a loss that they move is none for such data.
    """
    logits_BKHW = torch.zeros(2, num_classes, 16, 16, requires_grad=True)
    target_BHW = torch.zeros(2, 16, 16, dtype=torch.long)
    if with_ignored:
        target_BHW[:, :4] = IGNORED
    loss = loss_named(name, args)(logits_BKHW, target_BHW)
    if not loss.requires_grad:
        raise ValueError(f"{name} does not depend on the logits: nothing can be learnt by it")
    loss.backward()  # type: ignore[no-untyped-call]
    if with_ignored and (logits_BKHW.grad is None or logits_BKHW.grad[:, :, :4].any()):
        raise ValueError(
            f"{name} counts pixels that are to be ignored: their label is {TORCHS_IGNORED}, and must not enter"
        )


def _made(name: str, found: Any, args: Mapping[str, Any]) -> Any:
    if not isinstance(found, type) and not args:
        return found
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError) as error:
        raise NotFound(f"{name}: its arguments cannot be found out: {error}") from error
    named = [each.name for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
    if len(named) == len(signature.parameters):
        first = named[:2] if not isinstance(found, type) and _takes_logits_and_labels(signature, args) else []
        refuse_untaken(name, [each for each in named if each not in first], args)
    if not isinstance(found, type) and _can_be_called(signature, None, None, **args):
        return partial(found, **args)
    try:
        return found(**args)
    except TypeError as error:
        given = f"with {', '.join(args)} alone" if args else "without arguments"
        raise NotFound(f"{name} cannot be made {given}: {error}") from error


def _takes_logits_and_labels(signature: inspect.Signature, args: Mapping[str, Any]) -> bool:
    """Whether a function whose arguments may be misspelt is the loss itself: its first two must be given, and can be
    beside those that it knows."""
    first = [each.default is each.empty for each in signature.parameters.values()][:2]
    known = {key: value for key, value in args.items() if key in signature.parameters}
    return first == [True, True] and _can_be_called(signature, None, None, **known)


def _can_be_called(signature: inspect.Signature, *positional: object, **named: object) -> bool:
    try:
        signature.bind(*positional, **named)
    except TypeError:
        return False
    return True
