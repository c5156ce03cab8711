"""How text that is not ours is shown: it can neither steer a terminal nor pass for other text."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable


def printable(text: object, keep: str = "") -> str:
    """The text with all that is neither a visible character nor a plain blank spelled out, such as \\x1b or \\u202e.

    So are control characters, line ends, marks that turn the direction of reading, and broken characters.

    :param keep: characters that stay as they are, e.g. the line ends of a message whose lines are ours.
    """
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode("ascii") for c in str(text))


def without_formula(name: object) -> str:
    """The name, with an apostrophe before it where a spreadsheet would run it as a formula."""
    text = printable(name)
    plain = unicodedata.normalize("NFKC", text).lstrip()  # a wide = counts too
    return f"'{text}" if plain.startswith(("=", "+", "-", "@")) else text


def is_text(name: str) -> bool:
    """Whether a name can be written in UTF-8: one on a disk, or an argument, may be any bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def counted(number: float, one: str, many: str | None = None) -> str:
    """A number of things: `0 GPUs`, `0.5 CPUs`, `1 trial`, `1,500 images`.

    :param many: the plural; None: with an s.
    """
    shown = f"{number:,}" if isinstance(number, int) else f"{number:g}"
    return f"{shown} {one if number == 1 else many or f'{one}s'}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message about a word that is none of those known: the nearest one, if any is near."""
    nearest = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {nearest[0]}?" if nearest else ""


def in_percent(share: float, decimals: int = 0) -> str:
    """e.g. `71 %`."""
    return f"{100 * share:.{decimals}f} %"
