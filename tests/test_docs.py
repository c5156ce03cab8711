"""The documents' files and commands, written and run as they stand there, with small settings."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from small_study import ROOT, environment

from study.definition.file import parse

DOCS = (
    "your-network.md",
    "your-loss.md",
    "what-to-search.md",
    "how-many-images.md",
    "metrics.md",
    "model-out.md",
    "other-tools.md",
    "gate.md",
)
SMALL = ("training.image_size=32", "training.epochs=1", "resources.workers=2")
NEEDS = {"segformer.toml": "transformers"}
"""Definition -> the library without which its command is left out."""
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(document: str, language: str) -> list[str]:
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    return [body for found, body in BLOCK.findall(text) if found == language]


def commands(document: str) -> list[str]:
    return [line for block in blocks(document, "sh") for line in block.splitlines()]


@pytest.mark.parametrize("document", DOCS)
def test_every_block_can_be_read(document: str) -> None:
    for block in blocks(document, "toml"):
        tomllib.loads(block)
    for block in blocks(document, "python"):
        compile(block, document, "exec")
    assert commands(document)


@pytest.mark.slow
@pytest.mark.parametrize("document", DOCS)
def test_every_command_runs(document: str, tmp_path: Path) -> None:
    """In a folder with the blocks that begin with the name of a file."""
    for block in (*blocks(document, "toml"), *blocks(document, "python")):
        if named := re.match(r"# (\w+\.(toml|py))\n", block):
            (tmp_path / named[1]).write_text(block, encoding="utf-8")
    (tmp_path / "photos").mkdir()
    Image.fromarray(np.zeros((40, 50, 3), np.uint8)).save(tmp_path / "photos/one.png")
    for line in commands(document):
        program, *arguments = shlex.split(line, comments=True)
        if any(importlib.util.find_spec(NEEDS[each]) is None for each in NEEDS.keys() & set(arguments)):
            continue
        is_defined = program == "study" and arguments[0] not in ("export", "predict")
        small = [part for setting in SMALL for part in ("--set", setting)] if is_defined else []
        command = [sys.executable, "-m", program, *arguments, *small]
        done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=400)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


def test_pieces_of_a_definition_fit_into_the_first() -> None:
    first, *more = (tomllib.loads(block) for block in blocks("what-to-search.md", "toml"))
    for piece in more:
        parse(_merged(first, piece), "what-to-search.md")


def _merged(table: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    return table | {
        key: _merged(table[key], value) if isinstance(value, dict) and key in table else value
        for key, value in more.items()
    }
