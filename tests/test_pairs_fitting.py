"""From an image's own size to the working size, and of labels back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainers.data.class_names import IGNORED
from trainers.data.pairs.fitting import Fitting
from trainers.data.size import Size

SIDES = st.integers(1, 40)
SIZES = st.builds(Size, SIDES, SIDES)
FITTINGS = st.builds(Fitting, SIZES, st.sampled_from(["stretch", "pad"]))


def labels_of(size: Size) -> np.ndarray:
    return np.random.default_rng(size.height).integers(0, 5, size, dtype=np.uint8)


def test_padding_is_black_and_ignored_and_the_image_in_the_middle() -> None:
    fitting = Fitting(Size(4, 6), "pad")
    labels = np.array([[1, 2], [3, 4]], np.uint8)
    expected = np.full((4, 6), IGNORED, np.uint8)
    expected[:, 1:5] = np.repeat(np.repeat(labels, 2, 0), 2, 1)
    np.testing.assert_array_equal(fitting.labels(labels), expected)
    image = fitting.image(np.full((2, 2, 3), 7, np.uint8))
    assert (image[:, 1:5] == 7).all()
    assert (image[:, [0, 5]] == 0).all()
    np.testing.assert_array_equal(fitting.restored(fitting.labels(labels), Size(2, 2)), labels)


def test_stretching_fills_all_by_the_nearest_pixel() -> None:
    fitting = Fitting(Size(2, 4), "stretch")
    np.testing.assert_array_equal(fitting.labels(np.array([[1, 2]], np.uint8)), [[1, 1, 2, 2]] * 2)
    np.testing.assert_array_equal(fitting.restored(np.array([[1, 1, 2, 2]] * 2, np.uint8), Size(1, 2)), [[1, 2]])


@given(fitting=FITTINGS, own=SIZES)
def test_every_image_gets_the_working_size_and_predictions_its_own(fitting: Fitting, own: Size) -> None:
    labels = labels_of(own)
    fitted = fitting.labels(labels)
    assert fitted.shape == fitting.size
    assert fitting.image(np.dstack([labels] * 3)).shape == (*fitting.size, 3)
    assert fitting.restored(fitted, own).shape == own
    assert set(np.unique(fitting.restored(fitted, own))) <= set(np.unique(labels)), "nothing of the padding"


@given(working=SIZES, own=SIZES)
def test_padding_keeps_the_aspect_to_half_a_pixel(working: Size, own: Size) -> None:
    framed = Fitting(working, "pad").labels(np.zeros(own, np.uint8)) != IGNORED
    height, width = framed.any(1).sum(), framed.any(0).sum()
    assert height == working.height or width == working.width
    scale = min(working.height / own.height, working.width / own.width)
    assert abs(height - max(1, own.height * scale)) <= 0.5 + 1e-9
    assert abs(width - max(1, own.width * scale)) <= 0.5 + 1e-9


@given(own=SIZES, times=st.integers(1, 4), resize=st.sampled_from(["stretch", "pad"]), more=st.integers(0, 9))
def test_labels_that_were_enlarged_come_back(own: Size, times: int, resize: str, more: int) -> None:
    around = more if resize == "pad" else 0
    fitting = Fitting(Size(own.height * times, own.width * times + around), resize)  # type: ignore[arg-type]
    np.testing.assert_array_equal(fitting.restored(fitting.labels(labels_of(own)), own), labels_of(own))


@pytest.mark.parametrize("resize", ["stretch", "pad"])
def test_an_image_of_the_working_size_stays(resize: str) -> None:
    labels = labels_of(Size(16, 32))
    fitting = Fitting(Size(16, 32), resize)  # type: ignore[arg-type]
    np.testing.assert_array_equal(fitting.labels(labels), labels)
    np.testing.assert_array_equal(fitting.restored(labels, Size(16, 32)), labels)
