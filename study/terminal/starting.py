"""How a command's process starts: before anything else is imported, so that nothing but Python itself comes first."""

from __future__ import annotations

import sys


def start() -> None:
    """Leave out the folder that Python puts first where it looks for modules, and hear Ctrl-C.

    It is the folder in which `python -m` is started, or that of a script: a `numpy.py` there is the user's own.
    """
    if not sys.flags.safe_path:
        first = sys.path.pop(0)
        from pathlib import Path

        if Path(first) == Path(__file__).parents[2]:  # our own checkout, by which we were found
            sys.path.insert(0, first)
    from study.terminal.interrupts import hear_interrupts

    hear_interrupts()
