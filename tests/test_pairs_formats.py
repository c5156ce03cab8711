"""One set in every format: each reader recognises it, and gives the same images, label maps and names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pair_formats import CLASSES, FORMATS, save, scenes

from trainers.data.pairs.decoding import MaskPixels, decode_image, decode_mask
from trainers.data.pairs.description import Pairs
from trainers.data.pairs.label_table import LabelTable
from trainers.data.pairs.listing import list_pairs
from trainers.data.pairs.pair import Listing
from trainers.data.size import Size


def label_maps(listing: Listing, described: Pairs | None = None) -> dict[str, np.ndarray]:
    """Id -> label map, the background 0 and the classes in their order."""
    table = LabelTable.of(described or Pairs(), listing)
    assert table.names == CLASSES
    assert table.has_background
    found = {}
    for pair in listing.pairs:
        if pair.outlines is not None:
            size = Size(*decode_image(pair.image()).pixels_HWC.shape[:2])
            mask = MaskPixels(pair.outlines(size), None, 1)
        else:
            assert pair.mask is not None
            mask = decode_mask(pair.mask())
        found[pair.id] = table.labels_of(mask)
    return found


def test_of_two_channels_of_16_bits_blue_is_black(tmp_path: Path) -> None:
    made = scenes()
    FORMATS["nnU-Net"](tmp_path, made)
    for name, (image_HWC, _) in made.items():
        for channel in range(2):
            save(tmp_path / f"imagesTr/{name}_{channel:04d}.png", image_HWC[..., channel].astype(np.uint16) * 257)
    listing = list_pairs(tmp_path, Pairs())
    said = "Channels in files of their own become the colours of one image: _0000 is red, _0001 is green"
    assert said in listing.notes
    for pair in listing.pairs:
        expected = made[pair.id][0].copy()
        expected[..., 2] = 0
        np.testing.assert_array_equal(decode_image(pair.image()).pixels_HWC, expected)


@pytest.mark.parametrize("format", FORMATS)
def test_every_reader_gives_the_same_label_maps(tmp_path: Path, format: str) -> None:
    made = scenes()
    FORMATS[format](tmp_path, made)
    listing = list_pairs(tmp_path, Pairs())
    assert listing.problems == ()
    found = label_maps(listing)
    assert len(found) == len(made)
    by_image = {image_HWC.tobytes(): (name, labels_HW) for name, (image_HWC, labels_HW) in made.items()}
    for pair in listing.pairs:
        name, labels_HW = by_image[decode_image(pair.image()).pixels_HWC.tobytes()]
        assert np.array_equal(found[pair.id], labels_HW)
        assert pair.id.rpartition("/")[2] == name or "bytes alone" in format
