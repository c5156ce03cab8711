"""Distances of boundaries by hand and against plain loops; the surface Dice against torchmetrics' surface distances."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trainers.boundaries import FARTHER, MAX_DISTANCE, SIDES, boundary_distances, surface_dice
from trainers.data.class_names import IGNORED

LABELS = st.sampled_from([0, 1, 2])
WITH_IGNORED = st.sampled_from([0, 1, 2, IGNORED])
SHAPE = (2, 9, 14)


def maps(*rows: str) -> np.ndarray:
    """One label map, `#` the class 1, `?` to be ignored."""
    return np.array([[[{".": 0, "#": 1, "?": IGNORED}[pixel] for pixel in row] for row in rows]], np.uint8)


def square(top: int, left: int, side: int, height: int = 40, width: int = 40) -> np.ndarray:
    labels = np.zeros((1, height, width), np.uint8)
    labels[0, top : top + side, left : left + side] = 1
    return labels


def by_distance(counts: np.ndarray, class_: int = 1) -> dict[str, dict[int, int]]:
    """Of the one image: side -> distance -> pixels, where there are any."""
    pairs = zip(SIDES, counts[0, class_], strict=True)
    return {side: {int(d): int(of[d]) for d in np.flatnonzero(of)} for side, of in pairs}


def test_a_shifted_square() -> None:
    """Of 5 x 5 pixels, 16 are boundary. Shifted by two columns, the truth's boundary has, seen from the other's: in its
    top and bottom row 2, 1, 0, 0, 0; in its first column, between them, 2, 2, 2; in its last one 1, 2, 1."""
    counts = boundary_distances(square(10, 10, 5), square(10, 12, 5), 2)
    assert counts.shape == (1, 2, 2, MAX_DISTANCE + 2)
    assert by_distance(counts) == {"truth": {0: 6, 1: 4, 2: 6}, "predicted": {0: 6, 1: 4, 2: 6}}
    assert surface_dice(counts, 0).values[0, 1] == 12 / 32
    assert surface_dice(counts, 1).values[0, 1] == 20 / 32
    assert surface_dice(counts, 2).values[0, 1] == 1


def test_distances_are_euclidean_between_centres_and_rounded_up() -> None:
    for down, right, away in [(0, 0, 0), (1, 1, 2), (3, 4, 5), (2, 2, 3), (6, 8, 10), (0, 10, 10)]:
        counts = boundary_distances(square(10, 10, 1), square(10 + down, 10 + right, 1), 2)
        assert math.ceil(math.hypot(down, right)) == away
        assert by_distance(counts) == {"truth": {away: 1}, "predicted": {away: 1}}
        if away:
            assert surface_dice(counts, away - 1).values[0, 1] == 0
        assert surface_dice(counts, away).values[0, 1] == 1


def test_what_is_far_away_is_counted_as_farther() -> None:
    counts = boundary_distances(square(10, 10, 1), square(13, 20, 1), 2)
    assert by_distance(counts) == {"truth": {FARTHER: 1}, "predicted": {FARTHER: 1}}
    assert surface_dice(counts, MAX_DISTANCE).values[0, 1] == 0


def test_a_class_on_one_side_alone_is_at_no_distance() -> None:
    nothing = np.zeros((1, 40, 40), np.uint8)
    missed, false = (boundary_distances(*pair, 2) for pair in ((square(5, 5, 4), nothing), (nothing, square(5, 5, 4))))
    assert by_distance(missed) == {"truth": {FARTHER: 12}, "predicted": {}}
    assert by_distance(false) == {"truth": {}, "predicted": {FARTHER: 12}}
    for counts in (missed, false):
        assert surface_dice(counts, MAX_DISTANCE).values[0, 1] == 0
    assert math.isnan(surface_dice(boundary_distances(nothing, nothing, 2)).values[0, 1]), "of a class that is nowhere"


def test_beyond_the_images_edge_is_no_class() -> None:
    """So all of a narrow strip is boundary, and of the whole image its frame."""
    whole = np.ones((1, 6, 8), np.uint8)
    assert by_distance(boundary_distances(whole, whole, 2)) == {"truth": {0: 24}, "predicted": {0: 24}}
    strip = maps("##..", "##..", "##..")
    assert by_distance(boundary_distances(strip, strip, 2))["truth"] == {0: 6}


def test_ignored_pixels_are_of_no_class_on_either_side() -> None:
    """A ring of them, as of VOC: the object's boundary is where the ring begins, and a prediction may end anywhere in
    the ring."""
    truth = maps(".......", ".?????.", ".?###?.", ".?###?.", ".?###?.", ".?????.", ".......")
    exact = np.where(truth == IGNORED, 0, truth)
    wide = np.where(truth == IGNORED, 1, truth)
    for predicted in (exact, wide):
        counts = boundary_distances(truth, predicted, 2)
        assert by_distance(counts) == {"truth": {0: 8}, "predicted": {0: 8}}
        assert by_distance(counts, 0) == {"truth": {0: 24}, "predicted": {0: 24}}


def test_images_do_not_touch() -> None:
    """One after another in memory, the last row of the one and the first of the next."""
    bottom, top = square(39, 0, 1), square(0, 0, 1)
    counts = boundary_distances(np.concatenate([bottom, top]), np.concatenate([top, bottom]), 2)
    assert counts[:, 1, :, FARTHER].tolist() == [[1, 1], [1, 1]]
    assert counts[:, 1].sum() == 4
    assert boundary_distances(np.zeros((0, 4, 4), np.uint8), np.zeros((0, 4, 4), np.uint8), 2).shape[0] == 0


def naive(truth: np.ndarray, predicted: np.ndarray, class_: int) -> dict[str, dict[int, int]]:
    """Of one image: side -> distance -> pixels, by loops over all pairs of pixels."""
    height, width = truth.shape

    def edges(labels: np.ndarray) -> list[tuple[int, int]]:
        found = []
        for y in range(height):
            for x in range(width):
                if truth[y, x] == IGNORED or labels[y, x] != class_:
                    continue
                around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
                if not all(
                    0 <= v < height and 0 <= u < width and truth[v, u] != IGNORED and labels[v, u] == class_
                    for v, u in around
                ):
                    found.append((y, x))
        return found

    sides, counts = (edges(truth), edges(predicted)), {}
    for side, own, other in zip(SIDES, sides, sides[::-1], strict=True):
        counts[side] = {}
        for y, x in own:
            nearest = min((math.ceil(math.hypot(y - v, x - u)) for v, u in other), default=FARTHER)
            nearest = min(nearest, FARTHER)
            counts[side][nearest] = counts[side].get(nearest, 0) + 1
    return counts


@given(arrays(np.uint8, SHAPE, elements=WITH_IGNORED), arrays(np.uint8, SHAPE, elements=LABELS))
def test_against_loops(truth: np.ndarray, predicted: np.ndarray) -> None:
    counts = boundary_distances(truth, predicted, 3)
    for image in range(len(truth)):
        for class_ in range(3):
            expected = naive(truth[image], predicted[image], class_)
            assert by_distance(counts[image : image + 1], class_) == expected


@pytest.mark.slow  # torchmetrics takes a while to import
@given(
    st.lists(st.tuples(*[st.integers(0, 23)] * 2, *[st.integers(1, 12)] * 2), min_size=2, max_size=4),
    st.integers(0, MAX_DISTANCE),
)
def test_against_the_surface_distances_of_torchmetrics(boxes: list[tuple[int, int, int, int]], tolerance: int) -> None:
    from torchmetrics.functional.segmentation.utils import mask_edges, surface_distance

    truth, predicted = np.zeros((2, 24, 24), np.uint8)
    for number, (top, left, height, width) in enumerate(boxes):
        (predicted if number % 2 else truth)[top : top + height, left : left + width] = 1
    masks = torch.from_numpy(predicted), torch.from_numpy(truth)
    edges = [edge.bool() for edge in mask_edges(*masks)]
    near = [surface_distance(*pair) <= tolerance for pair in (edges, edges[::-1])]
    expected = sum(int(each.sum()) for each in near) / sum(each.numel() for each in near)
    found = surface_dice(boundary_distances(truth[None], predicted[None], 2), tolerance).values[0, 1]
    assert found == pytest.approx(expected)


@given(arrays(np.uint8, SHAPE, elements=WITH_IGNORED), arrays(np.uint8, SHAPE, elements=LABELS))
def test_properties(truth: np.ndarray, predicted: np.ndarray) -> None:
    counts = boundary_distances(truth, predicted, 3)
    other_way = boundary_distances(np.where(truth == IGNORED, IGNORED, predicted), truth % IGNORED, 3)
    np.testing.assert_array_equal(counts[:, :, ::-1], other_way, "truth and prediction exchanged")
    by_tolerance = np.array([surface_dice(counts, t).values for t in range(MAX_DISTANCE + 1)])
    defined = ~np.isnan(by_tolerance[0])
    assert (np.diff(by_tolerance[:, defined], axis=0) >= 0).all(), "more tolerance, never a lower score"
    perfect = boundary_distances(truth, truth % IGNORED, 3)
    assert (surface_dice(perfect, 0).values[perfect.any((2, 3))] == 1).all()


@pytest.mark.parametrize("tolerance", [-1, MAX_DISTANCE + 1])
def test_a_tolerance_that_is_not_kept_is_refused(tolerance: int) -> None:
    with pytest.raises(ValueError, match="0 to 10 pixels"):
        surface_dice(np.zeros((1, 1, 2, MAX_DISTANCE + 2), np.int64), tolerance)
