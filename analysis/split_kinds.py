"""The kinds of splits, as the statistics call them: `random`, and `rotation` for what a study calls held-out."""

from __future__ import annotations

import re

from study.definition import RANDOM_SPLIT

KINDS = {"random": "random", "held_out": "rotation"}
"""As a study's tables name a kind -> as the statistics do."""
ROTATION_SPLIT = re.compile(r"rot_(0|[1-9][0-9]{0,8})")


def split_kind(split: str) -> str:
    """The kind of a split in a table that tells names alone, as the paper's does."""
    return KINDS["random" if RANDOM_SPLIT.fullmatch(split) else "held_out"]
