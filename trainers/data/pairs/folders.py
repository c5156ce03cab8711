"""Images and masks as files in folders: which belong together, and what stands alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from trainers.data.pairs.affixes import NO_AFFIXES, Affixes, described_affixes
from trainers.data.pairs.channels import (
    FIRST,
    MOST,
    NO_FIRST_CHANNEL,
    NO_SUCH_CHANNEL,
    TOO_MANY,
    as_one_image,
    channel_of,
)
from trainers.data.pairs.class_lists import read_class_list
from trainers.data.pairs.decoding import SMEARED
from trainers.data.pairs.description import Pairs
from trainers.data.pairs.image_sets import read_image_sets
from trainers.data.pairs.pair import Listing, Pair
from trainers.data.pairs.parts import Part, parts_of
from trainers.data.walk import Walk, is_image, place_of

_JPEG = (".jpg", ".jpeg")
NO_MASK = "an image without a mask: add the mask, or remove the image"
NO_IMAGE = "a mask without an image: add the image, or remove the mask"
TWICE = "the name differs from another only by its ending: rename one, or remove it"


def list_folders(root: Path, described: Pairs) -> Listing:
    """The pairs in the folders `described.images` and `described.masks`, both given.

    Problems: whatever has no partner, a name twice, masks as JPEG, folders that hold nothing, links to nothing.
    """
    walk = Walk(root)
    parts, problems = parts_of(root, described)
    readers = [_Folders(walk, described, part) for part in parts]
    pairs = [pair for reader in readers for pair in reader.pairs()]
    notes = [note for reader in readers for note in reader.notes()]
    classes = read_class_list(root, described)
    return Listing(
        pairs=tuple(sorted(pairs, key=lambda pair: pair.id)),
        classes=classes.values,
        ignore=classes.ignore,
        problems=(*problems, *dict.fromkeys(walk.problems), *classes.problems),
        notes=(*classes.notes, *notes),
    )


@dataclass
class _Folders:
    """A folder of images and its folder of masks, which may be the same."""

    walk: Walk
    described: Pairs
    part: Part

    def __post_init__(self) -> None:
        self._no_images: list[Path] = []
        self._not_asked: list[Path] = []
        self._channels: dict[str, dict[str, Path]] = defaultdict(dict)
        """Of an image, by what it shares with its mask: those in files of their own, without the first."""
        self._images: dict[str, Path] = {}
        self._masks: dict[str, Path] = {}
        images, masks = self._files()
        of_images, of_masks = described_affixes(self.described)
        self._images = self._once(self._by_name(images, self.part.images, of_images, have_channels=True))
        self._masks = self._once(self._by_name(masks, self.part.masks, of_masks))
        self._further = sorted({channel for channels in self._channels.values() for channel in channels})

    def pairs(self) -> Iterator[Pair]:
        """Those that are whole; the rest is reported."""
        listed = read_image_sets(self.walk, self.part.images)
        kept = self._images if listed is None else {name: path for name, path in self._images.items() if name in listed}
        self._not_asked += [path for name, path in self._images.items() if name not in kept]
        for name in sorted((listed or {}).keys() - self._images.keys()):
            self.walk.report(
                self.part.images, "an image that ImageSets lists is missing: add it, or strike it out", name
            )
        unlabelled = set(self._without_a_folder(kept))
        self._not_asked += sorted(unlabelled)
        for name, image in kept.items():
            mask = self._masks.get(name)
            if mask is None and image not in unlabelled:
                self.walk.report(image, NO_MASK)
            elif mask is not None:
                self._check_channels(name, image)
                yield self._pair(name, image, mask, (listed or {}).get(name, {}))
        if len(self._further) >= MOST:
            self.walk.report(self.part.images, TOO_MANY, f"{FIRST} to {self._further[-1]}")
        for name in sorted(self._channels.keys() - self._images.keys()):
            for channel in self._channels[name].values():
                self.walk.report(channel, NO_FIRST_CHANNEL)
        for name, mask in self._masks.items():
            if name not in self._images:
                self.walk.report(mask, NO_IMAGE)
            if mask.suffix.lower() in _JPEG:
                self.walk.report(mask, SMEARED)

    def notes(self) -> Iterator[str]:
        """What was passed over."""
        if self._no_images:
            yield f"{_files(self._no_images, self.walk.root)} passed over: no image files"
        if self._further:
            channels, colours = [FIRST, *self._further], ("red", "green", "blue")
            become = ", ".join(f"{channel} is {colour}" for channel, colour in zip(channels, colours, strict=False))
            yield f"Channels in files of their own become the colours of one image: {become}"
        if self._not_asked:
            yield f"{_files(self._not_asked, self.walk.root)} passed over: images that are not asked for"

    def _pair(self, name: str, image: Path, mask: Path, values: Mapping[str, str]) -> Pair:
        folder = name.rpartition("/")[0]
        channels = [path for _, path in sorted(self._channels.get(name, {}).items())]
        own_name = image.stem.removesuffix(self.described.image_suffix)
        return Pair(
            id=self.part.id_of(f"{folder}/{own_name}" if folder else own_name),
            image_place=place_of(image, self.walk.root),
            mask_place=place_of(mask, self.walk.root),
            image=partial(as_one_image, [image, *channels], self.described.image_maximum)
            if channels
            else image.read_bytes,
            mask=mask.read_bytes,
            values={**self.part.values, **values},
        )

    def _files(self) -> tuple[list[Path], list[Path]]:
        """The files of images, and of masks."""
        images = self._image_files(self.part.images)
        if self.part.images != self.part.masks:
            masks = self._image_files(self.part.masks)
            return [path for path in images if not path.is_relative_to(self.part.masks)], masks
        return _told_apart(images, described_affixes(self.described)[1])

    def _image_files(self, folder: Path) -> list[Path]:
        files = list(self.walk.files(folder))
        self._no_images += [path for path in files if not is_image(path)]
        return [path for path in files if is_image(path)]

    def _by_name(
        self, files: Iterable[Path], folder: Path, affixes: Affixes, *, have_channels: bool = False
    ) -> dict[str, list[Path]]:
        """Files by what image and mask share of their places in the folder; those without the affixes are passed
        over."""
        found = defaultdict(list)
        for path in files:
            name = affixes.shared(path.relative_to(folder).with_suffix("").as_posix())
            if name is not None:
                found[name].append(path)
            elif have_channels and affixes.suffix == FIRST and (channel := channel_of(path.stem)):
                name = affixes._replace(suffix=channel).shared(path.relative_to(folder).with_suffix("").as_posix())
                self._channels[name or path.stem][channel] = path
            else:
                self._not_asked.append(path)
        return dict(found)

    def _check_channels(self, name: str, image: Path) -> None:
        missing = [channel for channel in self._further if channel not in self._channels.get(name, {})]
        if missing:
            self.walk.report(image, NO_SUCH_CHANNEL, ", ".join(missing))

    def _once(self, by_name: dict[str, list[Path]]) -> dict[str, Path]:
        for first, *others in by_name.values():
            for other in others:
                self.walk.report(other, TWICE, first.name)
        return {name: paths[0] for name, paths in by_name.items()}

    def _without_a_folder(self, images: Mapping[str, Path]) -> Iterator[Path]:
        """Images of a folder that has no masks at all, where another folder has some: a part that nobody labelled."""
        labelled = {name.rpartition("/")[0] for name in self._masks}
        for name, path in images.items():
            folder = name.rpartition("/")[0]
            if folder and labelled and folder not in labelled and not (self.part.masks / folder).exists():
                yield path


def _told_apart(files: list[Path], of_masks: Affixes) -> tuple[list[Path], list[Path]]:
    """Images and masks of one folder: by what masks' names have; without such, a PNG beside a file of another kind."""
    if of_masks != NO_AFFIXES:
        masks = [path for path in files if of_masks.shared(path.stem) is not None]
    else:
        others = {path.with_suffix("") for path in files if path.suffix.lower() != ".png"}
        masks = [path for path in files if path.suffix.lower() == ".png" and path.with_suffix("") in others]
    taken = set(masks)
    return [path for path in files if path not in taken], masks


def _files(paths: list[Path], root: Path) -> str:
    """How many files, and the first by name."""
    first = place_of(min(paths), root)
    return first if len(paths) == 1 else f"{first} and {len(paths) - 1} more files"
