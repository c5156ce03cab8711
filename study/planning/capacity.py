"""What a trial takes, and how many trials machines hold at once: arithmetic that knows no Ray.

A machine is one that is there, or a type that an autoscaler may add. Where any has a GPU, trials run on GPUs only.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from study.definition import Definition
from study.errors import StudyError
from trainers.printable import counted

GIB = 2**30
OBJECT_STORE = 0.3
"""Ray's share of a machine's memory for objects."""
SMALLEST_SHARE, _PIXELS_OF_IT = 1 / 8, 16 * 128**2
"""Of a GPU: eight trials with so many pixels in a batch fill an H100 that they share (benchmarks/results/gpu.md)."""
SECONDS_TO_START_AND_END = 9.0
"""Of Ray and its workers, once a run."""


@dataclass(frozen=True)
class Machine:
    """A machine, or `count` of them that are alike."""

    name: str
    cpus: float
    gpus: float
    memory: float
    """GiB that tasks may take; infinite where it is not known."""
    count: int = 1


def this_machine() -> Machine:
    """As Ray will find it: the CPUs that this process may use, NVIDIA's GPUs that it may see, and what of the memory is
    not kept for Ray's object store."""
    gpus = len(list(Path("/proc/driver/nvidia/gpus").glob("*")))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        gpus = min(gpus, len([name for name in visible.split(",") if name.strip()]))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Machine("this machine", cpus, gpus, memory * (1 - OBJECT_STORE))


@dataclass(frozen=True)
class Request:
    """What one trial takes."""

    cpus: float
    gpus: float
    memory: float
    """GiB."""

    def on(self, machine: Machine) -> int:
        """How many such trials one machine holds at once. A share of a GPU cannot be put together from two."""
        if self.gpus and not machine.gpus:
            return 0
        fits = [_times(machine.cpus, self.cpus), _times(machine.memory, self.memory)]
        if self.gpus:
            fits.append(int(machine.gpus) * _times(1.0, self.gpus))
        return int(min(fits))


def request(definition: Definition, model: str, machines: Iterable[Machine], *, alone: bool = False) -> Request:
    """What a trial of a model takes on these machines; `alone`: with a GPU to itself.

    With GPUs, a trial takes as large a part of a machine's CPUs as of its GPUs; without, `training.threads` CPUs.
    """
    resources, with_gpus = definition.resources, [machine for machine in machines if machine.gpus]
    shares = {each: gpu_share(definition, each) if with_gpus else 0.0 for each in definition.grid.models}
    # Networks of one share ask for the same memory: a worker, which takes seconds to start, goes on with any of them.
    memory = max(resources.memory_of(each) for each, share in shares.items() if share == shares[model])
    if not with_gpus:
        return Request(definition.training.threads, 0.0, memory)
    share = 1.0 if alone else shares[model]
    per_gpu = min(machine.cpus / machine.gpus for machine in with_gpus)
    return Request(math.floor(100 * per_gpu * share) / 100, share, memory)


def gpu_share(definition: Definition, model: str) -> float:
    """Of a GPU, that a trial of the model takes: as stated, else by the pixels of a batch, to a power of 1/2."""
    stated, training = definition.resources.gpus.get(model), definition.training
    if stated is not None:
        return stated
    times = training.batch_size * training.size.pixels / _PIXELS_OF_IT
    return min(1.0, SMALLEST_SHARE * 2.0 ** max(0, math.ceil(math.log2(times))))


def trials_at_once(definition: Definition, machines: Sequence[Machine]) -> int:
    """The most trials that fit on all machines, those that may be added included, within `resources.workers`.

    Raises StudyError if some model's trial fits on none: Ray would wait for ever.
    """
    most = 0
    for model in definition.grid.models:
        one = request(definition, model, machines)
        fitting = sum(one.on(machine) * machine.count for machine in machines)
        if not fitting:
            raise StudyError(_fits_nowhere(model, one, machines))
        most = max(most, fitting)
    return min(most, definition.resources.workers or most)


@dataclass(frozen=True)
class Forecast:
    """What running trials on machines will take."""

    at_once: int
    hours: float
    gpu_hours: float


def forecast(definition: Definition, machines: Sequence[Machine], seconds_of: Mapping[str, float]) -> Forecast:
    """:param seconds_of: model -> seconds of one worker that its trials take. Raises as `trials_at_once` does."""
    at_once, gpu_hours = trials_at_once(definition, machines), 0.0
    hours = SECONDS_TO_START_AND_END / 3600 if any(seconds_of.values()) else 0.0
    for model, seconds in seconds_of.items():
        one = request(definition, model, machines)
        most = sum(one.on(machine) * machine.count for machine in machines)
        hours += seconds / 3600 / min(most, definition.resources.workers or most)
        gpu_hours += seconds / 3600 * one.gpus
    return Forecast(at_once, hours, gpu_hours)


def _times(room: float, part: float) -> float:
    return math.inf if not part else math.floor(room / part + 1e-9)


def _fits_nowhere(model: str, one: Request, machines: Sequence[Machine]) -> str:
    asked = counted(one.cpus, "CPU") + (f", {one.gpus:g} of a GPU" if one.gpus else "") + f" and {one.memory:g} GiB"
    there = "\n".join(
        f"  {machine.name}: {counted(machine.cpus, 'CPU')}, {counted(machine.gpus, 'GPU')}, "
        + ("memory unknown" if math.isinf(machine.memory) else f"{machine.memory:.1f} GiB")
        for machine in machines
    )
    return (
        f"a trial of {model} takes {asked}, and no machine has that:\n{there}\n"
        "Lower training.threads, resources.gpus or resources.memory_gb, or add a larger machine."
    )
