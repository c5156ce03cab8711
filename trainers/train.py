"""One training, from a seed to the weights of its best epoch by validation loss; without validation, of its last.

Shapes: B batch, C colours (RGB), H and W pixels, K classes, the background first where there is one.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import nn

from trainers.batches import EvaluationImages, TrainingImages, training_batches
from trainers.data.source import Source
from trainers.data.split import Split
from trainers.dice import confusion, dice_of_shown, macro
from trainers.gpu.cuda_graphs import recorded
from trainers.losses import loss_named
from trainers.networks import network
from trainers.networks.start import draws_seeded_by
from trainers.optimisation import mover
from trainers.outcome import Epoch
from trainers.recipe import Recipe
from trainers.seeds import seed_of
from trainers.step import prepare_process, training_step, validated, validation

State = dict[str, Any]
"""A training between two epochs: tensors and plain values, from which it goes on as if it had not been interrupted."""


class Diverged(Exception):
    """The loss became NaN or infinite: a property of the trial, hence a result. The message names epoch and step."""


@dataclass(frozen=True)
class Job:
    """What is to be trained."""

    model: str
    loss: str
    recipe: Recipe
    purpose: tuple[str | int, ...]
    """The words that seed every draw, e.g. (study seed, trial id)."""
    epochs: int | None = None
    """Ends after so many of the recipe's epochs, as the beginning of a training of all of them."""
    model_args: Mapping[str, Any] = field(default_factory=dict)
    """Of this network alone, over those of the recipe's section model."""
    loss_args: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Trained:
    """The network with the weights of `selected_epoch`: the one with the lowest validation loss; of a split without
    validation samples the last one."""

    model: nn.Module
    history: tuple[Epoch, ...]
    selected_epoch: int
    device: torch.device
    precision: torch.dtype
    train_seconds: float  # all of it: training steps, validation, images
    images_per_second: float  # training images over the time in training steps and their input


def train(
    job: Job,
    source: Source,
    split: Split,
    on_epoch: Callable[[Epoch, Callable[[], State]], None] = lambda epoch, state: None,
    resume: State | None = None,
) -> Trained:
    """Train `job` on the split's training samples. Its test samples are not looked at.

    The same arguments on the same kind of hardware give the same weights, bit for bit; also when training is resumed
    from the state of an earlier epoch. Raises Diverged.

    :param on_epoch: called after every epoch with its line of the history, and a function that makes the state.
    """
    began, recipe = time.perf_counter(), job.recipe.training
    device, precision = prepare_process(recipe)
    loss = loss_named(job.loss, job.loss_args)
    num_classes, weights_seed = len(source.samples.labels), seed_of(*job.purpose, "weights")
    model = network(job.model, job.model_args).build(num_classes, dict(job.recipe.model), weights_seed)
    model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    moves = mover(model, recipe)
    scored = moves.average
    step = training_step(moves, loss, device, precision)
    validate = validation(scored, loss, recipe, device, precision)
    if device.type == "cuda":
        step, validate = recorded(step, device), recorded(validate, device)
    val_batches = EvaluationImages(source, split, split.val, recipe.batch_size).kept_on(device, recipe.size)

    history: list[Epoch] = []
    best_loss, best_weights, selected_epoch = float("inf"), scored.state_dict(), 0
    seconds_before, steps_seconds, num_images = 0.0, 0.0, 0
    if resume is not None:
        model.load_state_dict(resume["weights"])
        scored.load_state_dict(resume["scored_weights"])
        moves.optimizer.load_state_dict(resume["optimizer"])
        history = [Epoch(**line) for line in resume["history"]]
        best_loss, best_weights, selected_epoch = (
            resume[key] for key in ("best_loss", "best_weights", "selected_epoch")
        )
        seconds_before, steps_seconds, num_images = (resume[key] for key in ("seconds", "steps_seconds", "num_images"))

    def state() -> State:
        return {
            "weights": model.state_dict(),
            "scored_weights": scored.state_dict(),
            "optimizer": moves.optimizer.state_dict(),
            "history": [asdict(line) for line in history],
            "best_loss": best_loss,
            "best_weights": best_weights,
            "selected_epoch": selected_epoch,
            "seconds": seconds_before + time.perf_counter() - began,
            "steps_seconds": steps_seconds,
            "num_images": num_images,
        }

    def validated_now() -> tuple[float, float | None]:
        """Loss, and objective where it is defined."""
        val_loss, val_counts = 0.0, []
        for loss_of_batch, true_labels, predicted in validated(validate, val_batches, device):
            val_loss += loss_of_batch  # one after another: `sum` rounds otherwise from Python 3.12 on
            val_counts.append(confusion(true_labels, predicted, num_classes))
        val_scores = dice_of_shown(np.concatenate(val_counts), recipe.epsilon)
        objective, _ = macro(val_scores.ew[source.samples.first_object :])
        return val_loss / len(split.val), None if np.isnan(objective) else float(objective)

    strength = job.recipe.augmentation.strength
    images = TrainingImages(split, recipe.batch_size, recipe.size, strength, job.purpose)
    epochs = range(len(history) + 1, (job.epochs or recipe.epochs) + 1)
    batches = training_batches(source, images, epochs, device)
    for epoch in epochs:
        if recipe.early_stopping and epoch > selected_epoch + recipe.early_stopping:
            break
        epoch_began = time.perf_counter()
        model.train()
        losses, learning_rate = [], 0.0
        with draws_seeded_by(seed_of(*job.purpose, "network", epoch), device):  # those of dropout, for one
            for number, batch in enumerate(islice(batches, images.num_batches)):
                learning_rate = moves.prepare((epoch - 1) * images.num_batches + number, images.num_batches)
                losses.append(step(*batch)[0])
        step_losses = torch.stack(losses).tolist()  # the epoch's only wait for the device
        num_images += len(losses) * recipe.batch_size
        steps_seconds += time.perf_counter() - epoch_began
        for number, step_loss in enumerate(step_losses, start=1):
            if not np.isfinite(step_loss):
                raise Diverged(f"the training loss became {step_loss} at epoch {epoch}, step {number}")

        scored.eval()
        val_loss, objective = validated_now() if split.val else (None, None)
        if val_loss is None:  # then no epoch is chosen, and none ends the training early
            if not _are_finite(scored):
                raise Diverged(f"a weight became NaN or infinite at epoch {epoch}, after step {len(step_losses)}")
            best_weights, selected_epoch = scored.state_dict(), epoch
        elif not np.isfinite(val_loss):
            raise Diverged(f"the validation loss became {val_loss} at epoch {epoch}, after step {len(step_losses)}")
        elif val_loss < best_loss:
            best_loss, best_weights, selected_epoch = val_loss, copy.deepcopy(scored.state_dict()), epoch
        history.append(
            Epoch(
                epoch=epoch,
                train_loss=float(np.mean(step_losses)),
                val_loss=val_loss,
                objective=objective,
                learning_rate=learning_rate,
                seconds=time.perf_counter() - epoch_began,
            )
        )
        on_epoch(history[-1], state)

    scored.load_state_dict(best_weights)
    return Trained(
        model=scored,
        history=tuple(history),
        selected_epoch=selected_epoch,
        device=device,
        precision=precision,
        train_seconds=seconds_before + time.perf_counter() - began,
        images_per_second=num_images / steps_seconds,
    )


def _are_finite(network: nn.Module) -> bool:
    """Whether all its weights are, and what its batch norms have counted."""
    return all(bool(torch.isfinite(each).all()) for each in network.state_dict().values())
