"""Why a network or loss of somebody's cannot be made, and what to do about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_ENDINGS = (".pt", ".pth", ".bin", ".ckpt", ".safetensors", ".npz", ".h5", ".onnx")
"""Of files that hold weights."""


def failure_in_words(label: str, given: Mapping[str, Any], error: BaseException) -> str:
    """One line: what failed how, and a remedy for each argument that names something outside.

    :param given: key as the definition has it, such as `args.weights` -> value.
    """
    said = f"{label} fails: {type(error).__name__}: {' '.join(str(error).split())}"
    named = {key: value for key, value in given.items() if isinstance(value, str)}
    return "; ".join([said, *filter(None, (_remedy(key, value, error) for key, value in named.items()))])


def _remedy(key: str, value: str, error: BaseException) -> str:
    shown, path = f"{key} = {json.dumps(value, ensure_ascii=False)}", Path(value)
    try:
        is_there = path.exists()
    except (OSError, ValueError):  # too long a name, or one with a zero in it
        return ""
    if is_there:
        return f"is {shown} what it can read, such as weights of the same network, as it wants them saved?"
    if path.is_absolute() or path.suffix in _ENDINGS:
        return f"{shown} is not a file on this machine: give the absolute path of one"
    if isinstance(error, OSError):  # as libraries raise it for what they cannot download
        return f"if {shown} has to be downloaded, that takes a network: without one give the path of a copy"
    return ""
