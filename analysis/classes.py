"""The classes of a table of scores: which are objects, and in which order they are shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from trainers import dice
from trainers.data.class_names import in_papers_order
from trainers.dice import ALL, BACKGROUND

MACRO = "mean of classes"
"""In place of a class: the mean over all classes. No data set's class and no tidy table's can be called so."""
NOT_OBJECTS = (*dice.NOT_OBJECTS, MACRO)


def is_object(classes: pd.Series[Any]) -> pd.Series[Any]:
    return ~classes.isin(NOT_OBJECTS)


def in_class_order(table: pd.DataFrame) -> pd.DataFrame:
    """The rows by class, in the order of `class_order`; else as they were."""
    places = {name: place for place, name in enumerate(class_order(table["class"].unique()))}
    return table.sort_values("class", key=lambda names: names.map(places), kind="stable")


def class_order(names: Iterable[str]) -> list[str]:
    """The background first and "all" last; between them the paper's classes in the paper's order, others as they come:
    in a study's tables they are in the order of their labels."""
    names = list(names)
    objects = in_papers_order(name for name in names if name not in dice.NOT_OBJECTS)
    first, last = ([name for name in names if name == each] for each in (BACKGROUND, ALL))
    return [*first, *objects, *last]
