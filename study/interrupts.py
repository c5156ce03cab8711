"""Ctrl-C and SIGTERM: never in the middle of an import, or of what is written in C, where Python's own way ends in a
traceback or worse. Either the process ends at once, or it is told where it asks."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

INTERRUPTED = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SHOW_CURSOR = b"\x1b[?25h"


def end_at_once_when_interrupted() -> None:
    """For commands: what is half done is half of nothing, as every file is complete when it gets its name. Processes of
    a Ray of our own end with this one. A signal that is ignored, as by `nohup` or in the background, stays so."""
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end_at_once)


def _end_at_once(number: int, frame: FrameType | None) -> None:
    if sys.stdout.isatty():
        os.write(1, _SHOW_CURSOR + b"\n")
    os.write(2, b"Interrupted.\n")
    os._exit(INTERRUPTED)


@contextlib.contextmanager
def stopping_between_steps() -> Iterator[Callable[[], None]]:
    """Within the block the first signal is only noted, and the function that is given, which is to be called between
    two steps, then raises KeyboardInterrupt. A second signal does not wait for that: it does what it did before."""
    noted = False
    in_main = threading.current_thread() is threading.main_thread()  # elsewhere Python lets nobody hear signals
    earlier = {number: handler for number in _SIGNALS if (handler := signal.getsignal(number)) is not signal.SIG_IGN}

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal noted
        if noted:
            give_back()
            signal.raise_signal(number)
        noted = True

    def stop_if_asked() -> None:
        if noted:
            raise KeyboardInterrupt

    def give_back() -> None:
        for number, handler in earlier.items():
            if in_main:
                signal.signal(number, handler)

    for number in earlier:
        if in_main:
            signal.signal(number, note)
    try:
        yield stop_if_asked
        stop_if_asked()
    finally:
        give_back()
