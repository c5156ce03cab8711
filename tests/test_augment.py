"""The authors' chain: the identity at 0, monotone in strength, labels stay labels, image and mask move together."""

import albumentations as A
import numpy as np
import pytest

from trainers.augmentation.chain import CHAIN_PROBABILITY, MAX_STRENGTH, OPERATIONS, augmentation
from trainers.data.class_names import IGNORED
from trainers.data.pixels import is_grey
from trainers.data.size import Size, square

GEOMETRIC = ("HorizontalFlip", "VerticalFlip", "Rotate", "ShiftScaleRotate", "OpticalDistortion")


def an_image(size: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """A disc of label 3 and a square of label 5 on noise."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
    labels = np.zeros((size, size), np.uint8)
    rows, columns = np.mgrid[:size, :size]
    labels[(rows - size / 3) ** 2 + (columns - size / 3) ** 2 < (size / 5) ** 2] = 3
    labels[size // 2 : -size // 8, size // 2 : -size // 4] = 5
    return image, labels


def only(name: str, strength: float = 1.0, size: int = 64) -> A.Compose:
    (operation,) = (operation for operation in OPERATIONS if operation.name == name)
    magnitude, _ = operation.at(strength, square(size))
    return A.Compose([operation.make(magnitude, 1.0)])


def test_the_authors_probabilities() -> None:
    table = {operation.name: operation.probability for operation in OPERATIONS}
    assert len(table) == 23
    assert table == {
        "HorizontalFlip": 0.1,
        "VerticalFlip": 0.1,
        "Blur": 0.1,
        "RandomGamma": 0.1,
        "Rotate": 0.15,
        "ShiftScaleRotate": 0.2,
        "OpticalDistortion": 0.2,
        "HueSaturationValue": 0.2,
        "RGBShift": 0.15,
        "RandomBrightnessContrast": 0.2,
        "MotionBlur": 0.2,
        "GaussianBlur": 0.15,
        "CLAHE": 0.05,
        "ChannelShuffle": 0.05,
        "ToGray": 0.1,
        "ImageCompression": 0.15,
        "CoarseDropout": 0.05,
        "Downscale": 0.3,
        "FancyPCA": 0.1,
        "Posterize": 0.03,
        "Equalize": 0.05,
        "ISONoise": 0.07,
        "RandomFog": 0.03,
    }


def test_strength_one_is_theirs() -> None:
    made = {operation.name: operation.make(*operation.at(1.0, square(128))) for operation in OPERATIONS}
    assert made["Blur"].blur_limit == (3, 15)  # odd kernels up to 16
    assert made["RandomGamma"].gamma_limit == (60, 140)
    assert made["Rotate"].limit == (-35, 35)
    assert made["MotionBlur"].blur_limit == (3, 7)
    assert made["ImageCompression"].quality_range == (10, 100)
    assert made["Downscale"].scale_range == (0.25, 0.25)
    assert made["CoarseDropout"].num_holes_range == (32, 32)
    assert made["CoarseDropout"].hole_height_range == (12 / 128, 12 / 128)
    assert made["FancyPCA"].alpha == 0.4
    assert made["Posterize"].num_bits == (4, 4)
    assert made["ISONoise"].color_shift == (0.1, 0.5)
    assert made["CLAHE"].clip_limit == (1, 4)
    assert made["HueSaturationValue"].sat_shift_limit == (-30, 30)
    assert made["ShiftScaleRotate"].scale == {"x": (0.9, 1.1), "y": (0.9, 1.1)}
    assert made["RandomFog"].fog_coef_range == (0.3, 1)
    assert {name: op.p for name, op in made.items()} == {op.name: op.probability for op in OPERATIONS}


def test_strength_zero_is_the_identity_bitwise() -> None:
    image, labels = an_image()
    chain = augmentation(0.0, square(64))
    for seed in range(20):
        chain.set_random_seed(seed)
        done = chain(image=image, mask=labels)
        assert np.array_equal(done["image"], image)
        assert np.array_equal(done["mask"], labels)


@pytest.mark.parametrize("size", [48, 128])
def test_probabilities_and_magnitudes_grow_with_strength(size: int) -> None:
    strengths = np.linspace(0, MAX_STRENGTH, 31)
    for operation in OPERATIONS:
        magnitudes, probabilities = zip(*(operation.at(strength, square(size)) for strength in strengths), strict=True)
        assert (np.diff(probabilities) > 0).all()
        assert (np.diff(magnitudes) > 0).all() == bool(operation.magnitude)
        assert probabilities[0] == magnitudes[0] == 0
        assert max(probabilities) <= 1


def test_stronger_changes_more_pixels() -> None:
    image, labels = an_image()
    changes = []
    for strength in (0.0, 0.25, 0.5, 1.0, 1.5):
        chain, total = augmentation(strength, square(64)), 0.0
        for seed in range(150):
            chain.set_random_seed(seed)
            total += np.abs(chain(image=image, mask=labels)["image"].astype(float) - image).mean()
        changes.append(total)
    assert changes == sorted(changes)
    assert changes[0] == 0


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
@pytest.mark.parametrize("strength", [0.02, 1.0, 1.5])
def test_every_operation_runs_and_keeps_labels_labels(operation, strength: float) -> None:
    for size in (48, 128):
        image, labels = an_image(size)
        chain = only(operation.name, strength, size)
        chain.set_random_seed(1)
        done = chain(image=image, mask=labels)
        assert done["image"].shape == image.shape
        assert done["image"].dtype == done["mask"].dtype == np.uint8
        assert set(np.unique(done["mask"])) <= {0, 3, 5}
        if operation.name not in GEOMETRIC:
            assert np.array_equal(done["mask"], labels)


@pytest.mark.parametrize("name", GEOMETRIC)
def test_image_and_mask_move_together(name: str) -> None:
    """An image whose colour is its label: after the move both still say the same, but for mixed colours at edges."""
    _, labels = an_image()
    image = np.repeat(labels[..., None] * 40, 3, axis=2)
    moved = 0
    for seed in range(10):
        chain = only(name)
        chain.set_random_seed(seed)
        done = chain(image=image, mask=labels)
        pure = np.isin(done["image"][..., 0], (0, 120, 200))
        # A pixel may be pure and its nearest label the neighbour's, in a seam one pixel wide.
        assert (done["image"][..., 0][pure] == done["mask"][pure] * 40).mean() > 0.98
        assert pure.mean() > 0.8
        moved += not np.array_equal(done["mask"], labels)
    assert moved >= 9


def test_seeds_decide_everything_and_no_global_generator_is_touched() -> None:
    import random

    image, labels = an_image()
    before = np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002 - that nothing uses it is what is tested
    for seed in range(60):
        outcomes = []
        for _ in range(2):
            chain = augmentation(1.5, square(64))
            chain.set_random_seed(seed)
            outcomes.append([chain(image=image, mask=labels) for _ in range(3)])
        for a, b in zip(*outcomes, strict=True):
            assert np.array_equal(a["image"], b["image"])
            assert np.array_equal(a["mask"], b["mask"])
    assert np.array_equal(before[0], np.random.get_state()[1])  # noqa: NPY002
    assert before[1] == random.getstate()


@pytest.mark.parametrize("strength", [-0.1, 1.51, float("nan")])
def test_other_strengths_are_refused(strength: float) -> None:
    with pytest.raises(ValueError, match=str(strength)):
        augmentation(strength)


def names_applied(chain: A.Compose, image: np.ndarray, labels: np.ndarray) -> list[str]:
    return [name for name, _ in chain(image=image, mask=labels).get("applied_transforms", [])]


def test_every_operation_tosses_a_coin_of_its_own() -> None:
    """Just after seeding, too: equally seeded operations would all be applied to an image, or none."""
    image, labels = an_image(16)
    chain = augmentation(1.0, square(16))
    chain.save_applied_params = True
    applied = []
    for seed in range(600):
        chain.set_random_seed(seed)
        applied.append(names_applied(chain, image, labels))
    expected = CHAIN_PROBABILITY * sum(operation.probability for operation in OPERATIONS)
    assert np.mean([len(names) for names in applied]) == pytest.approx(expected, abs=0.3)  # 4 standard errors
    assert max(map(len, applied)) < 12
    both_flips = sum({"HorizontalFlip", "VerticalFlip"} <= set(names) for names in applied)
    assert both_flips < 20  # 0.6 % of 600 expected; with one coin for both 36


def numbers(value: object) -> list[float]:
    """All numbers of a transform's arguments, in order."""
    if isinstance(value, dict):
        return [number for each in value.values() for number in numbers(each)]
    if isinstance(value, tuple | list):
        return [number for each in value for number in numbers(each)]
    return [float(value)] if isinstance(value, int | float) else []


@pytest.mark.parametrize("size", [64, 128])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_what_the_library_is_given_is_monotone_too(operation, size: int) -> None:
    made = [operation.make(operation.at(s, square(size))[0], 1.0) for s in np.linspace(0.05, MAX_STRENGTH, 30).tolist()]
    steps = np.diff([numbers(each.get_transform_init_args()) for each in made], axis=0)
    assert ((steps >= 0).all(axis=0) | (steps <= 0).all(axis=0)).all()
    assert (steps != 0).any() == bool(operation.magnitude)


@pytest.mark.parametrize(
    "name", ["RGBShift", "RandomGamma", "RandomBrightnessContrast", "HueSaturationValue", "Rotate"]
)
def test_a_weak_operation_does_little(name: str) -> None:
    image, labels = an_image()
    smooth = np.full_like(image, 100) + labels[..., None]
    for seed in range(10):
        chain = only(name, 0.02)
        chain.set_random_seed(seed)
        done = chain(image=smooth, mask=labels)["image"]
        assert np.abs(done.astype(int) - smooth).max() <= 5


def test_weak_fog_costs_no_more_than_strong_fog() -> None:
    particles = {}
    for strength in (0.02, 1.5):
        fog = only("RandomFog", strength).transforms[0]
        fog.set_random_seed(0)
        shape = {"shape": (64, 64, 3)}
        particles[strength] = len(fog.get_params_dependent_on_data(shape, {})["particle_positions"])
    assert particles[0.02] == particles[1.5]


@pytest.mark.parametrize("size", [square(64), Size(48, 64)], ids=str)
@pytest.mark.parametrize("strength", [0.0, 0.4, 1.0, MAX_STRENGTH])
def test_drawing_all_and_then_doing_it_is_calling_the_chain(strength: float, size: Size) -> None:
    """To the bit; and whatever an image shows, the draws for the next are the same."""
    image, labels = (part[: size.height] for part in an_image())
    chain, done_at_all = augmentation(strength, size), 0
    for seed in range(40):
        chain.set_random_seed(seed)
        ours = [chain.augmented(image, labels) for _ in range(3)]
        chain.set_random_seed(seed)
        for pixels, moved in ours:
            expected = chain(image=image, mask=labels)
            assert np.array_equal(pixels, expected["image"])
            assert np.array_equal(moved, expected["mask"])
            assert pixels.flags.c_contiguous
            assert moved.flags.c_contiguous
            done_at_all += not np.array_equal(pixels, image)
    assert (done_at_all > 0) == (strength > 0)


def test_read_only_input_stays_as_it_is() -> None:
    image, labels = an_image()
    image.flags.writeable = labels.flags.writeable = False
    before = image.copy(), labels.copy()
    chain = augmentation(1.5, square(64))
    chain.set_random_seed(0)
    for _ in range(100):
        chain(image=image, mask=labels)
    assert np.array_equal(image, before[0])
    assert np.array_equal(labels, before[1])


@pytest.mark.parametrize("size", [Size(32, 48), Size(64, 16)], ids=str)
def test_images_that_are_not_square_keep_their_shape_and_labels_stay_labels(size: Size) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    labels = np.zeros(size, np.uint8)
    labels[4:12, 3:9], labels[-6:], labels[:, -5:] = 3, 254, IGNORED
    chain, moved = augmentation(MAX_STRENGTH, size), 0
    for seed in range(150):
        chain.set_random_seed(seed)
        pixels, map_of_labels = chain.augmented(image, labels)
        assert (pixels.shape, map_of_labels.shape) == (image.shape, labels.shape)
        assert pixels.dtype == map_of_labels.dtype == np.uint8
        assert set(np.unique(map_of_labels)) <= {0, 3, 254, IGNORED}
        moved += not np.array_equal(map_of_labels, labels)
    assert moved > 30


def test_grey_images_stay_grey_and_colour_images_need_not() -> None:
    image, labels = an_image(32)
    grey = np.repeat(image[..., :1], 3, axis=2)
    chain, changed, coloured = augmentation(MAX_STRENGTH, square(32)), 0, 0
    for seed in range(300):
        chain.set_random_seed(seed)
        pixels, moved = chain.augmented(grey, labels)
        assert is_grey(pixels)
        changed += not np.array_equal(pixels, grey)
        chain.set_random_seed(seed)
        coloured += not is_grey(chain(image=grey, mask=labels)["image"])
        chain.set_random_seed(seed)
        assert np.array_equal(chain.augmented(image, labels)[1], moved), "labels move as those of a colour image"
    assert changed > 100
    assert coloured > 30, "albumentations' own chain tints"


@pytest.mark.parametrize("place", [(0, 0), (0, 5), (3, 2), (-1, -1)])
@pytest.mark.parametrize("colour", [0, 1, 2])
def test_one_coloured_pixel_makes_an_image_not_grey(place: tuple[int, int], colour: int) -> None:
    image = np.full((6, 8, 3), 90, np.uint8)
    assert is_grey(image)
    image[(*place, colour)] += 1
    assert not is_grey(image)
