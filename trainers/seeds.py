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


_ROUNDS = 8


def shuffled(place: int, size: int, *purpose: str | int) -> int:
    """Where a shuffle of range(size), seeded by `purpose`, puts `place`; of any size, at the cost of one place.

    A Feistel network over the smallest even number of bits that holds the range is one-to-one; where it leaves the
    range, it is gone through again.
    """
    half = max(1, ((size - 1).bit_length() + 1) // 2)
    while True:
        left, right = divmod(place, 1 << half)
        for turn in range(_ROUNDS):
            left, right = right, left ^ _bits(half, right, seed_of(*purpose, turn))
        place = left << half | right
        if place < size:
            return place


def _bits(count: int, of: int, seed: int) -> int:
    """So many pseudo-random bits, which `of` (as many bits) and the seed decide."""
    num_bytes = (count + 7) // 8
    digest = hashlib.shake_256(seed.to_bytes(8, "big") + of.to_bytes(num_bytes, "big")).digest(num_bytes)
    return int.from_bytes(digest, "big") >> (8 * num_bytes - count)
