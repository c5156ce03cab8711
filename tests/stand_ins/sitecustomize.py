"""Put on the path of a Ray node: what its simulated trials are to suffer, where the machine cannot make them suffer it.

STAND_IN=gpu_memory        a trial with less than a whole GPU runs out of its memory
STAND_IN=no_gpu_is_enough  so does a trial with a whole one
STAND_IN=hog:FOLDER        the first attempt at a cell's second trial (by a mark in FOLDER) takes memory without end
STAND_IN=hog               every attempt at it does
STAND_IN=stops:FOLDER      the first worker (by a mark in FOLDER) that is made ready for another trial stops
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

WHAT, _, WHERE = os.environ.get("STAND_IN", "").partition(":")


def _take_memory(trial: Any) -> None:
    mark = Path(WHERE) / trial.id
    if trial.index != 1 or (WHERE and mark.exists()):
        return
    if WHERE:
        mark.touch()
    hoard = []
    while True:
        hoard.append(os.urandom(1 << 26))


def _run_out_of_gpu_memory(trial: Any) -> None:
    import ray

    from trainers.outcome import OutOfGpuMemory

    share = ray.get_runtime_context().get_assigned_resources().get("GPU", 0)
    if share < 1 or WHAT == "no_gpu_is_enough":
        raise OutOfGpuMemory(f"CUDA out of memory (stand-in, with {share:g} of a GPU)")


def _stop_when_used_again(trial: Any) -> None:
    from ray.tune.trainable.function_trainable import get_session

    session = type(get_session())
    made_ready = session.reset

    def stop(self: Any, *values: Any, **named: Any) -> None:
        mark = Path(WHERE) / "stopped"
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGSTOP)
        made_ready(self, *values, **named)

    session.reset = stop


SUFFERING = {
    "gpu_memory": _run_out_of_gpu_memory,
    "no_gpu_is_enough": _run_out_of_gpu_memory,
    "hog": _take_memory,
    "stops": _stop_when_used_again,
}

if WHAT and "default_worker" in " ".join(sys.orig_argv):
    from study import simulation

    _simulate = simulation.simulate

    def _with_suffering(run: Any, *rest: Any) -> Any:
        SUFFERING[WHAT](run.trial)
        return _simulate(run, *rest)

    simulation.simulate = _with_suffering
