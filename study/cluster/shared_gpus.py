"""Trials that share a GPU of this machine share it through NVIDIA's MPS, where that is installed.

Without it the kernels of different processes take turns: eight U-Nets at once then train fewer images a second than one
alone (benchmarks/results/gpu.md). The nodes of a cluster start it themselves, as cluster.yaml does.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from study.cluster import tied
from study.cluster.private import private_folder
from study.planning.capacity import this_machine

CONTROL = "nvidia-cuda-mps-control"
PIPES = "CUDA_MPS_PIPE_DIRECTORY"
_USUAL_PIPES = "/tmp/nvidia-mps"
_SECONDS_TO_START, _SECONDS_TO_END = 10.0, 10.0


@contextlib.contextmanager
def sharing_gpus() -> Iterator[str | None]:
    """MPS for what this process starts until the end of the block; one that runs already is used, and left.

    Yields what users should know: that trials have to do without it, and why; else None. None where there is no GPU.
    """
    program = shutil.which(CONTROL)
    if not this_machine().gpus or Path(os.environ.get(PIPES, _USUAL_PIPES), "control").exists():
        yield None
    elif program is None or sys.platform != "linux":
        yield f"{CONTROL} is not installed: trials that share a GPU take turns, and gain little by it"
    else:
        with private_folder() as folder, _started(program, folder) as problem:
            yield problem and f"NVIDIA's MPS cannot be used ({problem}): trials that share a GPU take turns"


@contextlib.contextmanager
def _started(program: str, folder: Path) -> Iterator[str | None]:
    """Yields why it did not start, or None. It ends with this process, however that ends."""
    ours = {PIPES: str(folder), "CUDA_MPS_LOG_DIRECTORY": str(folder)}
    theirs = {name: os.environ[name] for name in ours if name in os.environ}
    # It serves all GPUs, as Ray names them to each worker: CUDA_VISIBLE_DEVICES would number them anew.
    environment = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"} | ours
    command = [sys.executable, "-I", "-S", tied.__file__, "MPS_PARENT", program, "-f"]
    with (folder / "output").open("w+b") as output:
        control = subprocess.Popen(
            command,
            env=environment | {"MPS_PARENT": str(os.getpid())},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is ours
        )
        try:
            if problem := _not_ready(control, folder):
                yield problem
                return
            os.environ.update(ours)
            yield None
        finally:
            for name in ours:
                os.environ.pop(name, None)
            os.environ.update(theirs)
            _end(control, program, environment)


def _not_ready(control: subprocess.Popen[bytes], folder: Path) -> str | None:
    """Wait until workers can reach it; why they cannot, if so."""
    deadline = time.monotonic() + _SECONDS_TO_START
    while not (folder / "control").exists():
        if control.poll() is not None:
            said = (folder / "output").read_text(errors="replace").strip().splitlines()
            return said[-1] if said else f"it ended with status {control.returncode}"
        if time.monotonic() > deadline:
            return f"it was not ready within {_SECONDS_TO_START:.0f} s"
        time.sleep(0.05)
    return None


def _end(control: subprocess.Popen[bytes], program: str, environment: dict[str, str]) -> None:
    """Ask it to end, so that it and its server clear up; then make sure that it has."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        if control.poll() is None:
            subprocess.run(
                [program], input=b"quit -t 5\n", env=environment, timeout=_SECONDS_TO_END, capture_output=True
            )
            control.wait(_SECONDS_TO_END)
    control.kill()
    control.wait()
