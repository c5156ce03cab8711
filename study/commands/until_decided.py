"""`study run --until-decided`: asking the gate about a study that grows."""

from __future__ import annotations

from study.commands.ask_analysis import ask_analysis, place_of
from study.looks import Looks, write_look
from study.results import Results

STABLE, NOT_STABLE, CANNOT_TELL = 0, 1, 3
"""The statuses of `analysis check`."""


def take_look(out: str, looks: Looks, taken: int, *, simulated: bool) -> tuple[bool, str]:
    """Note at OUT that so many looks are taken, and ask the gate: has it decided, and what does it say?

    Raises StudyError if it could not answer.
    """
    write_look(Results(out), looks, taken)
    words = [place_of(out), *looks.words, *["--simulated"] * simulated]
    done = ask_analysis("check", *words, answers=(STABLE, NOT_STABLE, CANNOT_TELL))
    return done.returncode != CANNOT_TELL, done.stdout.strip()
