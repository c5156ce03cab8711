"""Folders for temporary files that do not outlive whoever made them, however he ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

PREFIX = "study-"
IN_USE = "in-use"
"""The file in a folder that is locked as long as somebody uses it."""


@contextlib.contextmanager
def locked_folder(parent: Path) -> Iterator[Path]:
    """A new folder that only this user can enter, until the end of the block. What killed processes have left of theirs
    goes, too. Raises OSError."""
    _remove_what_killed_processes_left(parent)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    lock = _locked(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _locked(folder: Path) -> int:
    """An open file of the folder, whose lock says that it is in use. It gets its name once it is locked."""
    lock = os.open(folder / "new", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    (folder / "new").rename(folder / IN_USE)
    return lock


def _remove_what_killed_processes_left(parent: Path) -> None:
    for mark in parent.glob(f"{PREFIX}*/{IN_USE}"):
        with contextlib.suppress(OSError):  # another user's, or locked: in use
            lock = os.open(mark, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if mark.parent.lstat().st_uid == os.geteuid():
                    shutil.rmtree(mark.parent)
            finally:
                os.close(lock)
