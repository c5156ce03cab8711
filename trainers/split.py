"""What a split is, once made: names of images and of backgrounds. Imports nothing that is heavy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Partition:
    """Images that are the same in every epoch and for every model: each with its own fixed, whole background."""

    images: tuple[str, ...]
    backgrounds: tuple[str, ...]


@dataclass(frozen=True)
class Split:
    """Which images and backgrounds a trial trains on, chooses its checkpoint by (val) and is scored on (test)."""

    name: str
    train: tuple[str, ...]
    train_backgrounds: tuple[str, ...]
    val: Partition
    test: Partition
    fingerprint: str
