"""How a command's process starts: before anything else is imported, so that nothing but Python itself comes first."""

from __future__ import annotations

import sys
from importlib import import_module

COULD_NOT_START = 2
"""The status of what could not be carried out: Python's own of a failed import, 1, is that of a finding."""


def run_command(module: str) -> int:
    """Start, and do what the function `main` of this module does; its exit status."""
    start()
    try:
        main = import_module(module).main
    except Exception as error:
        print(f"{module.partition('.')[0]}: cannot start: {error}: install the project anew", file=sys.stderr)
        return COULD_NOT_START
    return int(main())


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
