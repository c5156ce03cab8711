"""The documentation's pages: their blocks of code and their links, read as Markdown has them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from small_study import ROOT

DOCS = ROOT / "docs"
PAGES = tuple(sorted(path.relative_to(ROOT).as_posix() for path in DOCS.rglob("*.md")))
"""Every page in docs/, by its place in the repository."""
LANGUAGES = {"sh", "python", "toml", "csv", "yaml", "text", "r"}
_BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]\[]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """What stands between two fences."""

    language: str
    code: str
    file: str
    """The file that it is: named by the first line of code, or of a CSV by the words before it; empty if it is none."""


def blocks(page: str) -> list[Block]:
    """In the order of the page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found, end = [], 0
    for match in _BLOCK.finditer(text):
        before, (language, code), end = text[end : match.start()], match.groups(), match.end()
        if language == "csv":
            named = re.search(r"`(\w+\.csv)`[^`]*$", before)
        else:
            named = re.match(r"# (\w+\.(?:toml|py))\n", code)
        found.append(Block(language, code, named[1] if named else ""))
    return found


def commands(block: Block) -> list[str]:
    """The lines of a shell, those that go on in the next one joined."""
    return [line for line in block.code.replace("\\\n", " ").splitlines() if line.strip()]


def links(page: str) -> Iterator[tuple[str, str]]:
    """Place in the repository, and anchor, of each link that leads to another file or place of this project."""
    text = _BLOCK.sub("", (ROOT / page).read_text(encoding="utf-8"))
    for target in _LINK.findall(text):
        if not re.match(r"[a-z]+:", target):
            path, _, anchor = target.partition("#")
            place = (ROOT / page).parent / path if path else ROOT / page
            yield place.resolve().relative_to(ROOT).as_posix(), anchor


def anchors(page: str) -> set[str]:
    """Of a page's headings, as GitHub makes them."""
    text = _BLOCK.sub("", Path(ROOT / page).read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
