"""Ctrl-C and SIGTERM: never in the middle of an import, or of what is written in C, where Python's own way ends in a
traceback or worse. A thread waits for them: the process ends at once, or between two steps of its work."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Collection, Iterator

INTERRUPTED = 130
_SHOW_CURSOR = b"\x1b[?25h"

_noted = threading.Event()
_asks = threading.Event()
"""Set while somebody asks, between two steps, whether to stop."""
_last_words: list[Callable[[], None]] = []
_SECONDS_OF_LAST_WORDS = 2.0


def hear_interrupts() -> None:
    """For commands. To end at once does no harm: every file is complete when it gets its name, and processes of a Ray
    of our own end with this one. A signal that is ignored, as by `nohup` or in the background, stays so."""
    both = (signal.SIGINT, signal.SIGTERM)
    heard = {number for number in both if signal.getsignal(number) is not signal.SIG_IGN}
    signal.pthread_sigmask(signal.SIG_BLOCK, heard)  # in all threads to come: no handler, of whomever, is ever called
    os.register_at_fork(after_in_child=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, heard))
    if heard:
        threading.Thread(target=_listen, args=(heard,), daemon=True).start()


def _listen(heard: Collection[signal.Signals]) -> None:
    while True:
        signal.sigwait(heard)
        if _noted.is_set() or not _asks.is_set():
            _end_at_once()
        _noted.set()


def _end_at_once() -> None:
    speaking = threading.Thread(target=_say_last_words, daemon=True)
    speaking.start()
    speaking.join(_SECONDS_OF_LAST_WORDS)  # no longer: a server may not answer
    if sys.stdout.isatty():
        os.write(1, _SHOW_CURSOR + b"\n")
    os.write(2, b"Interrupted.\n")
    os._exit(INTERRUPTED)


def _say_last_words() -> None:
    with contextlib.suppress(Exception):  # what is said is worth no traceback
        for say in _last_words:
            say()


@contextlib.contextmanager
def with_last_words(say: Callable[[], None]) -> Iterator[None]:
    """If a signal ends the process within the block, `say` is called before, by another thread, and not waited for
    longer than a moment."""
    _last_words.append(say)
    try:
        yield
    finally:
        _last_words.remove(say)


@contextlib.contextmanager
def stopping_between_steps() -> Iterator[Callable[[], None]]:
    """Within the block the first signal is only noted, and the function that is given, which is to be called between
    two steps, then raises KeyboardInterrupt. A second signal does not wait for that."""

    def stop_if_asked() -> None:
        if _noted.is_set():
            raise KeyboardInterrupt

    _asks.set()
    try:
        yield stop_if_asked
        stop_if_asked()
    finally:
        _asks.clear()
