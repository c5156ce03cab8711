"""Images and label maps at the working size in one file, read by all processes of a machine through its page cache."""

from __future__ import annotations

import hashlib
import os
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainers.data.pixels import Pixels
from trainers.data.size import Size

COLOURS = 3
BYTES_AT_ONCE = 2**24


@dataclass(eq=False)
class Store:
    """N records, one a sample: its image, its labels, and, where they are kept, its labels at its own size.

    To be pickled it leaves the file where it is: it is found again by its path, or fetched to another one.
    """

    path: Path
    digest: str
    """SHA-256 (hexadecimal) of the file's content."""
    size: Size
    """The working size."""
    places: NDArray[np.int64]
    """The byte at which each record begins, and the end of the last one."""
    own_sizes: tuple[Size, ...] | None
    """Of each image, where labels at their own size are kept."""

    @property
    def num_bytes(self) -> int:
        return int(self.places[-1])

    def __getitem__(self, row: int) -> tuple[Pixels, Pixels]:
        """Copies of image_HWC and labels_HW at the working size. Raises OSError."""
        content = self._read(row, 0, self.size.pixels * (COLOURS + 1))
        image, labels = np.split(np.frombuffer(content, np.uint8), [self.size.pixels * COLOURS])
        return image.reshape(*self.size, COLOURS), labels.reshape(self.size)

    def labels_at_own_size(self, row: int) -> Pixels:
        """labels_HW at the image's own size. Raises OSError."""
        assert self.own_sizes is not None
        start, length = self.size.pixels * (COLOURS + 1), int(self.places[row + 1] - self.places[row])
        content = zlib.decompress(self._read(row, start, length - start))
        return np.frombuffer(content, np.uint8).reshape(self.own_sizes[row])

    def is_whole(self, path: Path) -> bool:
        """Whether what lies there is this file, as far as its length says; nobody gives it its name before it is."""
        return path.is_file() and path.stat().st_size == self.num_bytes

    def _read(self, row: int, start: int, length: int) -> bytearray:
        """Read, not mapped: pages of a mapped file count as this process's memory, and a damaged disk would kill it."""
        content = bytearray(length)
        if os.preadv(self._file, [content], int(self.places[row]) + start) != length:
            raise OSError(f"{self.path}: shorter than it was")
        return content

    @cached_property
    def _file(self) -> int:
        return os.open(self.path, os.O_RDONLY)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_file"}

    def __del__(self) -> None:
        if "_file" in vars(self):
            os.close(self._file)


class Record(NamedTuple):
    """What is kept of a sample."""

    image_HWC: Pixels
    """At the working size."""
    labels_HW: Pixels
    own_labels: bytes
    """As `packed` makes it of the labels at the image's own size; empty where they are not kept."""
    own: Size


class StoreWriter:
    """Writes a store's file, record by record."""

    def __init__(self, path: Path, size: Size, *, keeps_own_size: bool) -> None:
        self._path, self._size, self._keeps_own_size = path, size, keeps_own_size
        self._file: BinaryIO = path.open("xb")
        self._digest = hashlib.sha256()
        self._places = [0]
        self._own_sizes: list[Size] = []

    def add(self, record: Record) -> None:
        content = record.image_HWC.tobytes() + record.labels_HW.tobytes() + record.own_labels
        self._file.write(content)
        self._digest.update(content)
        self._places.append(self._places[-1] + len(content))
        self._own_sizes.append(record.own)

    def finished(self) -> Store:
        self._file.close()
        own_sizes = tuple(self._own_sizes) if self._keeps_own_size else None
        return Store(self._path, self._digest.hexdigest(), self._size, np.array(self._places), own_sizes)

    def close(self) -> None:
        self._file.close()


def packed(labels_HW: Pixels) -> bytes:
    """A label map in few bytes."""
    return zlib.compress(labels_HW.tobytes(), level=1)
