"""The pages of docs/: what they tell to write is a definition, and what they tell to type works."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from small_study import study

from study.definition.file import load, parse

DOCS = Path(__file__).parent.parent / "docs"
SMALL = ("training.image_size=32", "resources.workers=2")


def blocks(page: str, language: str) -> list[str]:
    """What stands between ``` and ``` of one language."""
    return re.findall(
        rf"^```{language}\n(.*?)^```", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


def merged(table: dict, more: dict) -> dict:
    return table | {
        key: merged(table[key], value) if isinstance(value, dict) and key in table else value
        for key, value in more.items()
    }


@pytest.mark.parametrize("page", ["what-to-search.md"])
def test_what_is_to_be_written_is_a_definition(page: str) -> None:
    first, *more = (tomllib.loads(block) for block in blocks(page, "toml"))
    parse(first, page)
    for each in more:
        parse(merged(first, each), page)


@pytest.mark.slow
def test_what_is_to_be_typed_works(tmp_path: Path) -> None:
    (tmp_path / "what-to-search.toml").write_text(blocks("what-to-search.md", "toml")[0])
    definition = load(str(tmp_path / "what-to-search.toml"))
    assert definition.search.trials == 8
    words = [word for setting in SMALL for word in ("--set", setting)]
    planned = study("plan", "what-to-search.toml", *words, folder=tmp_path)
    assert planned.returncode == 0, planned.stderr
    assert "2 cells, 16 trials: 0 done, 16 missing" in planned.stdout
    done = study("run", "what-to-search.toml", "--simulate", *words, folder=tmp_path)
    assert done.returncode == 0, done.stderr
