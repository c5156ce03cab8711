"""The paper's two losses, those of others by dotted path, and the sum over the outputs of a network.

Shapes: B batch, K classes, H and W pixels; those labelled IGNORED do not count. Computed in float32 (in float64 if the
logits are), whatever autocast says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainers.cpu import softmax
from trainers.data.class_names import IGNORED
from trainers.names import LOSSES, NotFound, find
from trainers.printable import counted

SMOOTHING = 1.0
TORCHS_IGNORED = -100
"""As which a loss that is not ours sees IGNORED: the `ignore_index` of torch's losses."""


def cross_entropy(logits_BKHW: Tensor, target_BHW: Tensor) -> Tensor:
    """Categorical cross-entropy, the mean over all pixels that count; 0 where none does."""
    log_probability_BHW, counted_BHW = _log_probability_of_truth(logits_BKHW, target_BHW)
    return -_divided((log_probability_BHW * counted_BHW).sum(), counted_BHW.sum().clamp(min=1))


def cross_entropy_dice(logits_BKHW: Tensor, target_BHW: Tensor) -> Tensor:
    """Cross-entropy + (1 - D), where D = (2 sum(y p) + 1) / (sum(y) + sum(p) + 1) is one soft Dice over the batch, all
    its pixels that count and all classes together: "naive and unconstrained" (section 3.4).

    At every pixel y and p sum to 1 over the classes, so sum(y) and sum(p) are both the number of pixels.
    """
    log_probability_BHW, counted_BHW = _log_probability_of_truth(logits_BKHW, target_BHW)
    num_counted = counted_BHW.sum()
    overlap = (log_probability_BHW.exp() * counted_BHW).sum()
    soft_dice = _divided(2 * overlap + SMOOTHING, 2 * num_counted + SMOOTHING)
    return -_divided((log_probability_BHW * counted_BHW).sum(), num_counted.clamp(min=1)) + (1 - soft_dice)


Loss = Callable[[Tensor, Tensor], Tensor]
"""Of logits_BKHW and the true labels_BHW: a scalar."""


def loss_named(name: str) -> Loss:
    """The loss of that name. Raises NotFound if it is neither built in nor a dotted path to a function or class."""
    found = find(name, LOSSES)
    if name in LOSSES:
        function: Loss = found
        return function
    try:
        of_others = found() if isinstance(found, type) else found
    except TypeError as error:
        raise NotFound(f"{name} cannot be made without arguments: {error}") from error
    if not callable(of_others):
        raise NotFound(f"{name} is a {type(of_others).__name__}: it computes no loss")

    def in_float32(logits_BKHW: Tensor, target_BHW: Tensor) -> Tensor:
        with torch.autocast(logits_BKHW.device.type, enabled=False):
            loss = of_others(logits_BKHW.float(), target_BHW.where(target_BHW != IGNORED, TORCHS_IGNORED))
        if not isinstance(loss, Tensor):
            raise ValueError(f"{name} gives a {type(loss).__name__}: it must give a tensor, a scalar")
        if loss.ndim:
            raise ValueError(f"{name} gives a tensor of shape {tuple(loss.shape)}: it must give a scalar")
        return loss

    return in_float32


def try_loss(name: str, num_classes: int, *, with_ignored: bool = False) -> None:
    """The loss and its gradient of two small images. Raises whatever it raises, ValueError for what is no loss.

    :param with_ignored: some pixels are IGNORED; a loss that they move is none for such data.
    """
    logits_BKHW = torch.zeros(2, num_classes, 16, 16, requires_grad=True)
    target_BHW = torch.zeros(2, 16, 16, dtype=torch.long)
    if with_ignored:
        target_BHW[:, :4] = IGNORED
    loss = loss_named(name)(logits_BKHW, target_BHW)
    if not loss.requires_grad:
        raise ValueError(f"{name} does not depend on the logits: nothing can be learnt by it")
    loss.backward()  # type: ignore[no-untyped-call]
    if with_ignored and (logits_BKHW.grad is None or logits_BKHW.grad[:, :, :4].any()):
        raise ValueError(
            f"{name} counts pixels that are to be ignored: their label is {TORCHS_IGNORED}, and must not enter"
        )


def output_weights(model: nn.Module, given: Sequence[float]) -> tuple[float, ...]:
    """Of the losses of a network's outputs: those given by the recipe, else its own; empty if there are none."""
    return tuple(given or getattr(model, "output_weights", ()))


def weighted(outputs: Sequence[Tensor], weights: Sequence[float]) -> list[tuple[Tensor, float]]:
    """Every output that counts in training, with its weight; without weights the main one alone. Raises ValueError for
    more outputs than weights."""
    if weights and len(outputs) > len(weights):
        given = (
            f"{counted(len(outputs), 'output')} in training, and output_weights has {counted(len(weights), 'weight')}"
        )
        raise ValueError(f"the network gives {given}: give as many")
    return list(zip(outputs, weights or (1.0,), strict=False))


def total_loss(loss: Loss, outputs: Sequence[Tensor], target_BHW: Tensor, weights: Sequence[float]) -> Tensor:
    """The loss of every output that counts (see `weighted`). The first is at full size; a coarser one is compared with
    the labels of every n-th row and column, the one in the middle of the n (nearest resizing)."""
    losses = [weight * loss(logits, _resized(target_BHW, logits)) for logits, weight in weighted(outputs, weights)]
    return torch.stack(losses).sum()


def _resized(target_BHW: Tensor, logits_BKHW: Tensor) -> Tensor:
    rows, columns = (target_BHW.shape[axis] // logits_BKHW.shape[axis + 1] for axis in (1, 2))
    return target_BHW[:, rows // 2 :: rows, columns // 2 :: columns]


def _divided(total: Tensor, number: Tensor) -> Tensor:
    """Rounded as torch rounds a mean, or a quotient by a plain number: on a GPU it multiplies by the reciprocal."""
    return total / number if total.device.type == "cpu" else total * number.to(total.dtype).reciprocal()


def _log_probability_of_truth(logits_BKHW: Tensor, target_BHW: Tensor) -> tuple[Tensor, Tensor]:
    """log p of every pixel's own class, and whether the pixel counts; shape (B, H, W) both."""
    counted_BHW = target_BHW != IGNORED
    return _log_probability(logits_BKHW, target_BHW.where(counted_BHW, 0)), counted_BHW


def _log_probability(logits_BKHW: Tensor, target_BHW: Tensor) -> Tensor:
    if logits_BKHW.dtype == torch.bfloat16 and logits_BKHW.device.type == "cpu":
        return softmax.log_probability_of_truth(logits_BKHW, target_BHW)
    exact = logits_BKHW if logits_BKHW.dtype == torch.float64 else logits_BKHW.float()
    with torch.autocast(exact.device.type, enabled=False):
        log_probability_BKHW = F.log_softmax(exact, dim=1)
    at_truth = gathered if exact.device.type == "cpu" else picked
    return at_truth(log_probability_BKHW, target_BHW)


def gathered(values_BKHW: Tensor, target_BHW: Tensor) -> Tensor:
    """Each pixel's value at its class. Half the time of `picked` on a CPU."""
    return values_BKHW.gather(1, target_BHW.unsqueeze(1)).squeeze(1)


def picked(values_BKHW: Tensor, target_BHW: Tensor) -> Tensor:
    """The same bits with one-hot labels: the backward pass of gathering is not deterministic on CUDA."""
    classes = torch.arange(values_BKHW.shape[1], device=target_BHW.device)
    truth_BKHW = (target_BHW.unsqueeze(-1) == classes).permute(0, 3, 1, 2)  # the layout of channels-last logits
    return (values_BKHW * truth_BKHW.to(values_BKHW.dtype)).sum(1)
