"""Folders that no other user of a machine can enter, for what Ray itself opens to everybody: sockets, logs and code."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import ray

from study.errors import StudyError
from trainers.printable import counted
from trainers.temporary import PREFIX, locked_folder

ROOM = 100 * 2**20
"""Bytes that must be free: of what a run keeps there, logs and Ray Tune's notes, a long one has some tens of MiB."""
LONGEST_SOCKET = len("/ray/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store")
LONGEST_PATH_OF_A_SOCKET = 107  # bytes: of AF_UNIX, on Linux


def is_private(folder: str) -> bool:
    """Whether only this user (and root) can see and change what is in the folder: one of those on the way to it, or
    itself, is closed to all others, and none before that can be exchanged by them."""
    trusted = {
        os.geteuid(),
        0,
        Path("/dev").stat().st_uid,
    }  # the latter: root, also where a container gives it no number
    place = Path(folder).resolve()
    for each in (*reversed(place.parents), place):
        found = each.stat()
        if found.st_uid not in trusted:
            return False
        if not found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            return True
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not found.st_mode & stat.S_ISVTX:
            return False
    return False


def look_around(node: str) -> tuple[bool, bool]:
    """Of the node of a cluster on which this is run: whether Ray's session folder is private, and whether this project
    is installed. The project's code may not be there: nothing of it is used here but the function above."""
    folder = ray._private.worker.global_worker.node.get_session_dir_path()
    try:
        has_code = importlib.util.find_spec("study.cluster") is not None
    except ImportError:
        has_code = False
    return is_private(folder), has_code


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """A new folder, until the end of the block. What killed runs have left of theirs goes, too.

    Raises StudyError if the folder for temporary files is too long a path, is full, or can be changed by others.
    """
    parent = _for_temporary_files()
    remedy = "Set RAY_TMPDIR to another folder, such as /tmp, for this run."
    _check_length_and_room(parent, remedy)
    with contextlib.ExitStack() as until_the_end:
        try:
            folder = until_the_end.enter_context(locked_folder(parent))
        except OSError as error:
            raise StudyError(f"{parent}: no temporary files can be kept there ({error.strerror}). {remedy}") from None
        if not is_private(str(folder)):
            raise StudyError(f"{parent}: other users can exchange what is kept there. {remedy}")
        yield folder


def _for_temporary_files() -> Path:
    """As Ray finds it. On macOS TMPDIR is too long for it."""
    named = os.environ.get("RAY_TMPDIR") or (sys.platform == "linux" and os.environ.get("TMPDIR")) or "/tmp"
    return Path(named).absolute()


def _check_length_and_room(parent: Path, remedy: str) -> None:
    length = len(os.fsencode(parent)) + len(f"/{PREFIX}12345678") + LONGEST_SOCKET
    if length > LONGEST_PATH_OF_A_SOCKET:
        raise StudyError(
            f"{parent}: this folder for temporary files has too long a path for Ray's sockets, by "
            f"{counted(length - LONGEST_PATH_OF_A_SOCKET, 'byte')}. {remedy}"
        )
    try:
        free = shutil.disk_usage(parent).free
    except OSError as error:
        raise StudyError(f"{parent}: no temporary files can be kept there ({error.strerror}). {remedy}") from None
    if free < ROOM:
        raise StudyError(
            f"{parent}: {free >> 20} MiB are free for temporary files, and a run needs {ROOM >> 20}. "
            f"Make room there, or: {remedy}"
        )
