"""A Ray of our own on loopback, or a cluster that is there: quiet, authenticated, and left as it was found."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import ray
import ray.exceptions
from ray._private import services
from ray._private.ray_constants import PROCESS_TYPE_RAYLET
from ray.job_config import JobConfig

from study.cluster import tied
from study.cluster.nodes import look_at_nodes
from study.cluster.private import private_folder
from study.errors import StudyError
from trainers.environment import MEMORY

SECONDS_TO_ANSWER = 5.0
_PACKAGES = ("study", "trainers")
_CODE = Path(__file__).parents[2]
"""The folder that they lie in."""


@contextlib.contextmanager
def connected(address: str | None, ray_log: bool = False) -> Iterator[None]:
    """Ray on this machine (`address` None), or the cluster at `address`, whose workers get the code of this project.

    Raises StudyError if no cluster answers there, it is one that we do not fit, or there is no room for a Ray here.
    """
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"  # our tables are the record
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"  # the new output prints a banner even when silent
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"  # Ctrl-C reaches us
    os.environ["TUNE_GLOBAL_CHECKPOINT_S"] = "3600"  # snapshots of Tune's state: we never read them
    os.environ["TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S"] = "0"
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    level = logging.INFO if ray_log else logging.CRITICAL
    logging.getLogger("ray.tune").setLevel(level)
    quiet: dict[str, Any] = {"logging_level": level, "log_to_driver": ray_log}
    with (
        _local_ray() if address is None else _existing_cluster(address, quiet) as options,
        _initialised(quiet | options),
    ):
        yield


@contextlib.contextmanager
def _initialised(options: Mapping[str, Any]) -> Iterator[None]:
    try:
        with contextlib.chdir("/"):  # where workers then look for modules first; else in the folder that we run in
            ray.init(**options)
    except (ConnectionError, ValueError, RuntimeError, OSError, ray.exceptions.RayError) as error:
        _end_ray()
        raise StudyError(f"no Ray can be used at {options['address']}: {error}") from None
    try:
        yield
    finally:
        _end_ray()


def _end_ray() -> None:
    """Also wait for its processes: they would make their folder anew, for everybody, once it is removed."""
    ray.shutdown(wait_for_processes=True)


@contextlib.contextmanager
def _local_ray() -> Iterator[dict[str, Any]]:
    """Its workers get our environment, and find the code that we run, also where it is not installed."""
    for name, value in MEMORY.items():
        os.environ.setdefault(name, value)
    found_anyway = _CODE.name in ("site-packages", "dist-packages")
    with private_folder() as folder, _ending_with_us():
        yield {
            "address": "local",
            "include_dashboard": False,
            "_temp_dir": str(folder / "ray"),  # Ray opens it to everybody
            "job_config": JobConfig(_py_driver_sys_path=[] if found_anyway else [str(_CODE)]),
        }


@contextlib.contextmanager
def _ending_with_us() -> Iterator[None]:
    """However this process ends, on Linux the kernel kills Ray's processes that it started, as Ray asks for. Here what
    the raylet starts is tied to the raylet in the same way: as of Ray 2.60 its agents would first try for a minute to
    tell a Ray that is no more of its end, and a worker that is just starting would look for it for half a minute."""
    original = services.start_ray_process
    prefix = subprocess.list2cmdline([sys.executable, "-I", "-S", tied.__file__, "RAY_RAYLET_PID"])

    def tying(command: list[str], process_type: str, *more: Any, **options: Any) -> Any:
        if process_type == PROCESS_TYPE_RAYLET:
            command = [re.sub(r"^--\w+_command=(?=.)", lambda found: f"{found[0]}{prefix} ", word) for word in command]
        return original(command, process_type, *more, **options)

    if sys.platform == "linux":
        services.start_ray_process = tying
    try:
        yield
    finally:
        services.start_ray_process = original


@contextlib.contextmanager
def _existing_cluster(address: str, quiet: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Our code is sent to its nodes where no other user can exchange it on the way, else it must be there."""
    there: dict[str, Any] = {"address": _answering(address)}
    with _initialised({**quiet, **there}):
        looks = look_at_nodes()
    exposed = sorted({look.host for look in looks if not look.is_private})
    without = sorted({look.host for look in looks if not look.has_code})
    if exposed and without:
        raise StudyError(
            f"--address {address}: this project is not installed on {', '.join(without)}, and it is not sent there, as "
            f"other users of {', '.join(exposed)} could exchange it in Ray's session folder, and run code as you. "
            "Start Ray in a folder of your own on every machine, as cluster.yaml does: "
            "mkdir -m 700 ~/private; RAY_TMPDIR=~/private ray start ... (or install the project on every machine)"
        )
    code = {"py_modules": [str(_CODE / name) for name in _PACKAGES]} if not exposed else {}
    yield there | {"runtime_env": {**code, "env_vars": MEMORY}}


def _answering(address: str) -> str:
    """The cluster's host and port. Ray itself would try for minutes before it says that nobody answers."""
    if address.startswith("ray://"):
        raise StudyError(
            f"{address}: Ray Client cannot carry a study. Start it on the cluster: "
            "ray exec cluster.yaml 'study run ... --address auto', or ray job submit"
        )
    try:
        found: str | None = services.canonicalize_bootstrap_address(address)
    except ValueError as error:
        raise StudyError(
            f"{address!r} is not an address of a Ray cluster, such as auto or 10.0.0.1:6379: {error}"
        ) from None
    if found is None:
        raise StudyError(
            f"--address {address}: no Ray cluster is running on this machine; start one with ray start --head"
        )
    host, _, port = found.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), SECONDS_TO_ANSWER).close()
    except OSError as error:
        raise StudyError(f"no Ray cluster answers at {found}: {error}") from None
    return found
