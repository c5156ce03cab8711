"""The reference of a definition's keys, made from the code that checks them."""

import json
import tomllib

import pytest
from small_study import ROOT

from study.definition import Definition
from study.definition.keys import in_markdown, keys
from study.terminal.cli import main


def test_every_key_is_explained() -> None:
    """By its section, its own sentence, what it may be, and its default."""
    written = {
        f"{section}.{key}"
        for section, table in tomllib.loads(Definition().to_toml()).items()
        if isinstance(table, dict)
        for key in table
    }
    left_out = {"resources.workers", "splits.unit"}  # None is their default
    found = {key.name for section in keys() for key in section.keys}
    in_optional_sections = {name for name in found if name.count(".") == 2}
    assert written | {"name", "seed", "simulate", "models", "losses"} | left_out == found - in_optional_sections
    assert {"splits.given.file", "splits.given.column", "data.pairs.format"} <= in_optional_sections
    for section in keys():
        assert section.about.endswith((".", ")"))
        for key in section.keys:
            assert len(key.about) > 20, key


def test_the_page_is_what_the_code_says() -> None:
    """To bring it up to date: study keys --markdown > docs/reference/definition.md"""
    assert (ROOT / "docs" / "reference" / "definition.md").read_text(encoding="utf-8") == in_markdown(keys()) + "\n"


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys"]) == 0
    assert "training.epochs\n    How often" in capsys.readouterr().out
    assert main(["keys", "training"]) == 0
    shown = capsys.readouterr().out
    assert "Allowed: a whole number (at least 1, at most 100,000). Default: 32" in " ".join(shown.split())
    assert "search" not in shown
    assert main(["keys", "search", "--json"]) == 0
    assert {"name": "search.space", "default": {}}.items() <= {
        key["name"]: key for key in json.loads(capsys.readouterr().out)
    }["search.space"].items()
    assert main(["keys", "trainin"]) == 2
    assert "did you mean training?" in capsys.readouterr().err


def test_a_default_reads_as_toml() -> None:
    for section in keys():
        for key in section.keys:
            if key.default is not None:
                assert tomllib.loads(f"x = {key.default_in_toml}") == {"x": json.loads(json.dumps(key.default))}


def test_one_key_by_its_full_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "training.epochs"]) == 0
    shown = capsys.readouterr().out
    assert "epochs" in shown
    assert "batch_size" not in shown
    assert main(["keys", "training.epoch"]) == 2
    assert "did you mean training.epochs?" in capsys.readouterr().err
