"""What is printed, and how: as text that stands for itself, whoever wrote it."""

from __future__ import annotations

import os
import shlex
import textwrap
import threading
from typing import Any

from rich.console import Console
from rich.text import Text

from trainers.printable import printable

_WIDE = 10_000  # columns: more than any table has


class PlainConsole(Console):
    """Prints every string as it stands: no markup, no emoji codes, and nothing in it that steers the terminal.

    On a terminal text breaks between words; in a file or a pipe nothing is broken.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)
        self.one_at_a_time = threading.RLock()
        """Held while anything is printed: what is drawn in place is erased by the rows that it had when printed."""
        if not self.is_terminal and "width" not in options:
            self.width = _WIDE

    def print(self, *objects: Any, **options: Any) -> None:
        """As rich's, but one print after the other, from whatever threads."""
        with self.one_at_a_time:
            super().print(*objects, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Every string comes here: a line by itself, or a table's cell."""
        return super().render_str(printable(text), **options)

    def say(self, *lines: str) -> None:
        """Print lines; on a terminal they break between words, and a word that is longer than a row stays whole."""
        for line in lines:
            for row in self._rows_of(line) if self.is_terminal else [line]:
                self.print(row, soft_wrap=True)

    def _rows_of(self, line: str) -> list[str]:
        text, indent = printable(line), line[: len(line) - len(line.lstrip(" "))]
        rows = textwrap.TextWrapper(
            self.width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        ).wrap(text)
        return rows or [text]


def shell_word(name: str) -> str:
    """A name as a word of a command that can be pasted into a shell (POSIX, 2024), even if it cannot be printed."""
    name = f"./{name}" if name.startswith("-") else name
    if name.isprintable():
        return shlex.quote(name)
    plain = (
        chr(byte) if 32 <= byte < 127 and chr(byte) not in "'\\" else f"\\{byte:03o}" for byte in os.fsencode(name)
    )
    return f"$'{''.join(plain)}'"
