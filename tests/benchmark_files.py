"""The files of the folder benchmarks, which is no package, as modules."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

from small_study import ROOT


def benchmark(name: str) -> ModuleType:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))
