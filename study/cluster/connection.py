"""A Ray of our own on loopback, or a cluster that is there: quiet, authenticated, and left as it was found."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ray
import ray.exceptions
from ray._private import services

from study.errors import StudyError
from trainers.environment import MEMORY

SECONDS_TO_ANSWER = 5.0
_PACKAGES = ("study", "trainers")


@contextlib.contextmanager
def connected(address: str | None, ray_log: bool = False) -> Iterator[None]:
    """Ray on this machine (`address` None), or the cluster at `address`, whose workers get the code of this project.

    Raises StudyError if no cluster answers there, or it is one that we do not fit.
    """
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"  # our tables are the record
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"  # the new output prints a banner even when silent
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"  # Ctrl-C reaches us as KeyboardInterrupt
    os.environ["TUNE_GLOBAL_CHECKPOINT_S"] = "3600"  # snapshots of Tune's state: we never read them
    os.environ["TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S"] = "0"
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    level = logging.INFO if ray_log else logging.CRITICAL
    logging.getLogger("ray.tune").setLevel(level)
    options: dict[str, Any] = {"logging_level": level, "log_to_driver": ray_log}
    options |= _of_our_own() if address is None else _of_cluster(address)
    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(**options)
    except (ConnectionError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        ray.shutdown()
        raise StudyError(f"no Ray cluster can be used at {address or 'this machine'}: {error}") from None
    signal.signal(signal.SIGTERM, on_sigterm)  # Ray has put its own there, which ends the process on the spot
    try:
        yield
    finally:
        ray.shutdown()


def _of_our_own() -> dict[str, Any]:
    """Its workers get our environment."""
    for name, value in MEMORY.items():
        os.environ.setdefault(name, value)
    return {"address": "local", "include_dashboard": False}


def _of_cluster(address: str) -> dict[str, Any]:
    """Ray itself would try for minutes before it says that nobody answers."""
    if address.startswith("ray://"):
        raise StudyError(
            f"{address}: Ray Client cannot carry a study. Start it on the cluster: "
            "ray exec cluster.yaml 'study run ... --address auto', or ray job submit"
        )
    try:
        found = services.canonicalize_bootstrap_address(address)
    except ValueError as error:
        raise StudyError(
            f"{address!r} is no address of a Ray cluster, such as auto or 10.0.0.1:6379: {error}"
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
    here = Path(__file__).parents[2]
    return {
        "address": found,
        "runtime_env": {"py_modules": [str(here / name) for name in _PACKAGES], "env_vars": MEMORY},
    }
