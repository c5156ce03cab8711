"""What is printed, and how: as text that stands for itself, whoever wrote it."""

from __future__ import annotations

import os
import shlex
from typing import Any

from rich.console import Console
from rich.text import Text

from trainers.printable import printable


class PlainConsole(Console):
    """Prints every string as it stands: no markup, no emoji codes, and nothing in it that steers the terminal."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Every string comes here: a line by itself, or a table's cell."""
        return super().render_str(printable(text), **options)

    def say(self, *lines: str) -> None:
        """Print lines, whatever their length: never broken into more."""
        for line in lines:
            self.print(line, soft_wrap=True)


def shell_word(name: str) -> str:
    """A name as a word of a command that can be pasted into a shell (POSIX, 2024), even if it cannot be printed."""
    name = f"./{name}" if name.startswith("-") else name
    if name.isprintable():
        return shlex.quote(name)
    plain = (
        chr(byte) if 32 <= byte < 127 and chr(byte) not in "'\\" else f"\\{byte:03o}" for byte in os.fsencode(name)
    )
    return f"$'{''.join(plain)}'"
