"""CUDA graphs: the kernels of a computation recorded once, then launched together.

A training step is hundreds of kernels of some microseconds each. Launched one by one, they keep the CPU busy for longer
than the GPU, which waits. A graph's kernels are the same, on the same memory, so its results are the same bits.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from trainers.networks.start import cpu_draws

Compute = Callable[..., tuple[Tensor, ...]]
"""Of tensors on the GPU."""
Launch = Callable[[], tuple[Tensor, ...]]
WARM_UP = 3
"""Times that it is run as it is, while libraries choose their algorithms and take their memory."""


def capture(launch: Launch) -> Launch:
    """What runs the kernels of `launch`, which is not run now. Its results are overwritten by its next call."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = launch()

    def replay() -> tuple[Tensor, ...]:
        graph.replay()
        return results

    return replay


def run_on_own_stream(launch: Launch) -> tuple[Tensor, ...]:
    """Run on a stream of its own: what autograd remembers of the default stream could not be captured."""
    before, other = torch.cuda.current_stream(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
    other.wait_stream(before)
    with torch.cuda.stream(other):
        results = launch()
    before.wait_stream(other)
    return results


def recorded(
    compute: Compute,
    device: torch.device,
    capture: Callable[[Launch], Launch] = capture,
    run: Callable[[Launch], tuple[Tensor, ...]] = run_on_own_stream,
) -> Compute:
    """`compute`, run as it is the first times, from then on by its graph; arguments of every shape have a graph of
    their own, and may lie anywhere. What a graph would not repeat (see `not_repeated`) is never recorded.

    :param capture: and `run`: stand-ins, where there is no GPU.
    """
    by_shape: dict[tuple[torch.Size, ...], Compute] = {}

    def call(*arguments: Tensor) -> tuple[Tensor, ...]:
        shapes = tuple(argument.shape for argument in arguments)
        if shapes not in by_shape:
            by_shape[shapes] = _recorded_of_one_shape(compute, device, capture, run)
        return by_shape[shapes](*arguments)

    return call


@contextmanager
def not_repeated(device: torch.device) -> Iterator[list[str]]:
    """What of the computations in the block a graph would not repeat, listed when they are done: waiting for the GPU,
    as to look at a number and go on by it, and draws from generators on the CPU. Both would happen once, when it is
    recorded."""
    found: list[str] = []
    before, on_gpu = cpu_draws(), device.type == "cuda"
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        if on_gpu:
            torch.cuda.set_sync_debug_mode("warn")
        try:
            yield found
        finally:
            if on_gpu:
                torch.cuda.set_sync_debug_mode("default")
    for warning in heard:
        if "called a synchronizing CUDA operation" in str(warning.message):
            found.append("waits")
        elif not str(warning.message).startswith("Synchronization debug mode is a prototype feature"):
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    if before != cpu_draws():
        found.append("draws")


def _recorded_of_one_shape(
    compute: Compute,
    device: torch.device,
    capture: Callable[[Launch], Launch],
    run: Callable[[Launch], tuple[Tensor, ...]],
) -> Compute:
    runs, replay, places, repeats = 0, None, None, True

    def call(*arguments: Tensor) -> tuple[Tensor, ...]:
        nonlocal runs, replay, places, repeats
        if places is None:  # a graph reads always the same memory
            places = [torch.empty_like(argument, device=device) for argument in arguments]
        for place, argument in zip(places, arguments, strict=True):
            place.copy_(argument, non_blocking=True)
        if runs < WARM_UP - 1 or not repeats:
            runs += 1
            return run(lambda: compute(*places))
        if runs < WARM_UP:  # libraries have started, and what is kept is made
            runs += 1
            with not_repeated(device) as found:
                results = run(lambda: compute(*places))
            repeats = not found
            return results
        if replay is None:
            replay = capture(lambda: compute(*places))
        return tuple(result.clone() for result in replay())

    return call
