"""The file of a source's images, on the nodes of a cluster that do not share the driver's disk: fetched once a node."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import ray
import ray.exceptions
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from study.cluster.private import is_private
from trainers.data.pairs.source import LabelledImages
from trainers.data.pairs.store import Store
from trainers.data.source import Source
from trainers.temporary import IN_USE, PREFIX

BYTES_AT_ONCE = 2**26
SECONDS_TO_REMOVE = 10.0
_IMAGES, _FETCHING = "images", "fetching"
_used: dict[str, int] = {}
"""Folder -> the lock that says that this process uses it, as long as it lives."""


def this_node() -> str:
    """The node on which the caller runs, driver or worker."""
    return str(ray.get_runtime_context().get_node_id())


def make_present(source: Source, home: str) -> None:
    """In a worker: let the source find its file on this node, if it has one.

    :param home: the driver's node, on which the file was made.
    :raises OSError: the node has no room for it, or what arrived is not the file.
    """
    if isinstance(source, LabelledImages) and this_node() != home:
        source.store.path = _fetched(source.store, home)


def remove_elsewhere(source: Source, home: str) -> None:
    """In the driver: remove the file from all other nodes, as far as they answer."""
    if not isinstance(source, LabelledImages):
        return
    with contextlib.suppress(ray.exceptions.RayError):
        others = [node["NodeID"] for node in ray.nodes() if node["Alive"] and node["NodeID"] != home]
        if removals := [_on(node, _remove).remote(source.store.digest) for node in others]:
            ray.wait(removals, num_returns=len(removals), timeout=SECONDS_TO_REMOVE)


def _fetched(store: Store, home: str) -> Path:
    """Where the file lies on this node, once it lies there. One worker of the node fetches it, the others wait."""
    folder = _folder_of(store.digest)
    folder.mkdir(mode=0o700, exist_ok=True)
    if not is_private(str(folder)):
        raise OSError(f"{folder}: other users can exchange what is kept there; set TMPDIR to another folder")
    path = folder / _IMAGES
    if str(folder) not in _used or not (folder / IN_USE).exists():
        _used[str(folder)] = _opened(folder / IN_USE)
        fcntl.flock(_used[str(folder)], fcntl.LOCK_SH)
    with _alone(folder / _FETCHING):
        if not store.is_whole(path):
            _fetch(store, home, path)
    return path


def _fetch(store: Store, home: str, path: Path) -> None:
    part, digest = path.with_suffix(".part"), hashlib.sha256()
    free = shutil.disk_usage(path.parent).free
    if free < store.num_bytes:
        raise OSError(
            f"{path.parent}: {free >> 20} MiB are free, and the images take {(store.num_bytes >> 20) + 1}: set TMPDIR "
            "to another folder where Ray is started on this node"
        )
    with part.open("wb") as file:
        for content in _chunks(store, home):
            file.write(content)
            digest.update(content)
    if digest.hexdigest() != store.digest:
        part.unlink()
        raise OSError(f"{part}: what came from the driver's node is not what it wrote")
    part.rename(path)


def _chunks(store: Store, home: str) -> Iterator[bytes]:
    """The file's bytes in their order, each read on the driver's node while the one before is written here."""
    starts = range(0, store.num_bytes, BYTES_AT_ONCE)
    asked = (_on(home, _read).remote(str(store.path), start, BYTES_AT_ONCE) for start in starts)
    following = next(asked, None)
    while following is not None:
        current, following = following, next(asked, None)
        yield ray.get(current)


def _on(node: str, task: ray.remote_function.RemoteFunction) -> ray.remote_function.RemoteFunction:
    return task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False))


@ray.remote(num_cpus=0)  # type: ignore[untyped-decorator]
def _read(path: str, start: int, length: int) -> bytes:
    with Path(path).open("rb") as file:
        file.seek(start)
        return file.read(length)


@ray.remote(num_cpus=0, max_retries=0)  # type: ignore[untyped-decorator]
def _remove(digest: str) -> None:
    shutil.rmtree(_folder_of(digest), ignore_errors=True)


def _folder_of(digest: str) -> Path:
    """On this node; one that a killed run has left is removed by the next one that makes a folder there."""
    return Path(tempfile.gettempdir()) / f"{PREFIX}images-{os.geteuid()}-{digest[:16]}"


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    lock = _opened(path)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
