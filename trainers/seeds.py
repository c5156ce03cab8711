"""Seeds named after what they are for.

Every random draw of the project comes from a generator made here (or from a library's own generator seeded here), so a
draw depends on the words that name it and on nothing else: not on the order of calls, the host or the worker count.
"""

from __future__ import annotations

import hashlib

import numpy as np


def seed_of(*purpose: str | int) -> int:
    """A stable seed in [0, 2**63) for what the words of `purpose` name, e.g. `seed_of(0, "rot_1", "order")`."""
    words = "\x1f".join(f"{type(word).__name__}:{word}" for word in purpose)
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big") >> 1


def generator_for(*purpose: str | int) -> np.random.Generator:
    """A fresh NumPy generator seeded by `seed_of(*purpose)`."""
    return np.random.default_rng(seed_of(*purpose))
