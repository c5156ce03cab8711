"""Which trials, where, and what is kept: a study is a pure function of definition, data and code to tables.

`from study import load_model` gives a model that `study export` wrote.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from study.export.folder import load_model

__all__ = ["load_model"]


def __getattr__(name: str) -> Any:
    """`load_model`, imported when it is asked for: it needs torch, which most commands do without."""
    if name == "load_model":
        from study.export.folder import load_model

        return load_model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
