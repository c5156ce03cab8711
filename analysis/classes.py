"""The classes of a table of scores: which are objects, and in which order they are shown."""

from __future__ import annotations

from typing import Any

import pandas as pd

from trainers import dice
from trainers.dice import class_order

MACRO = "mean of classes"
"""In place of a class: the mean over all classes. No data set's class and no tidy table's can be called so."""
NOT_OBJECTS = (*dice.NOT_OBJECTS, MACRO)


def is_object(classes: pd.Series[Any]) -> pd.Series[Any]:
    return ~classes.isin(NOT_OBJECTS)


def in_class_order(table: pd.DataFrame) -> pd.DataFrame:
    """The rows by class, in the order of `class_order`; else as they were."""
    places = {name: place for place, name in enumerate(class_order(table["class"].unique()))}
    return table.sort_values("class", key=lambda names: names.map(places), kind="stable")
