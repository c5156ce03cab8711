"""Waiting for what passes: a server that refuses for a minute is not to cost a trial that took an hour."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")

# What may pass: a server or a network that is away. A full disk or a forbidden place is not mended by waiting.
_PASSING = {
    *(errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, errno.ETIMEDOUT, errno.EHOSTUNREACH),
    *(errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.ESTALE, errno.EIO, errno.EAGAIN, errno.EBUSY),
    None,  # object stores give no number
}
FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
LASTING = (*FULL_DISK, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG)
"""What no other trial, and no further attempt, can change: OUT itself has to be mended first."""
_LONGEST_WAIT = 15.0


def retry(act: Callable[[], Answer], seconds: float) -> Answer:
    """What `act` returns, tried again for so many seconds while it raises an OSError that may pass; then the error."""
    deadline, wait = time.monotonic() + seconds, 0.5
    while True:
        try:
            return act()
        except OSError as error:
            if error.errno not in _PASSING or time.monotonic() + wait > deadline:
                raise
        time.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT)
