"""Which layout a folder of photographs and masks has, by the names in it: the usual ones are known by sight."""

from __future__ import annotations

import itertools
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from trainers.data.pairs.affixes import NO_AFFIXES, Affixes, OfBoth, affixes_of
from trainers.data.pairs.description import Pairs
from trainers.data.pairs.parts import IN_BRACES
from trainers.data.pairs.tree import Folder, Tree, coco_files, first_images_of, look_at
from trainers.data.pairs.unrecognised import unreadable_in
from trainers.data.problems import DataError, Problem
from trainers.data.walk import printable_name

# Names of folders, without regard to case.
_IMAGE_FOLDERS = frozenset(
    {"image", "images", "img", "imgs", "img_dir", "imagestr", "jpegimages", "photos", "rgb", "leftimg8bit", "frames"}
)
_MASK_FOLDERS = frozenset(
    {"annotation", "annotations", "segmentation", "segmentations", "segmentationclass", "segmentationclasspng"}
    | {"ann_dir", "annot", "gt", "gtfine", "groundtruth", "ground_truth"}
    | {"mask", "masks", "label", "labels", "labelstr"}
)
_MASKS_BESIDE = ("annot", *(f"{mark}{word}" for mark in "_-" for word in ("annot", "labels", "label", "masks", "mask")))
"""What the name of a folder of masks has more than that of its images: train and trainannot, as SegNet has CamVid."""
_MASK_ENDING = re.compile(r"[_.-](mask|masks|label|labels|labelids|gt|seg|annotation|l)$", re.IGNORECASE)
_MASK_BEGINNING = re.compile(r"(mask|masks|label|labels|gt|seg|annotation)([_.-]|(?=\d))", re.IGNORECASE)
_PART_WORD = re.compile(r"(train|valid(ation)?|val|test|dev)[0-9]*")
_PLACE_KEYS = ("format", "images", "masks")
_AFFIX_KEYS = ("image_prefix", "image_suffix", "mask_prefix", "mask_suffix")
_LABEL_TEXTS = (".json", ".xml", ".txt")


@dataclass(frozen=True)
class Layout:
    """A layout that fits a folder."""

    described: Pairs
    """With format, images, masks, and what stands around the names that these share."""
    why: str
    """What it was known by: completes `photographs and masks: ...`."""


def settled(root: Path, described: Pairs) -> Pairs:
    """The description with the layout that it leaves open. Raises DataError if none fits, or more than one."""
    if described.images and described.masks and described.format:
        return described
    layouts = layouts_of(root, described)
    if len(layouts) == 1:
        return layouts[0].described
    if not layouts and described.images and described.masks:
        layouts = _merged(_of_folders(look_at(root), described.images, described.masks), described)
        if len(layouts) == 1:
            return layouts[0].described
    raise DataError([several_fit(layouts)] if layouts else _none_fits(root, described))


def several_fit(layouts: Iterable[Layout]) -> Problem:
    """That one of these layouts must be chosen."""
    found = "; or ".join(f"{layout.why} ({_in_keys(layout.described)})" for layout in layouts)
    return Problem(".", f"more than one layout fits, say which by these keys of data.pairs: {found}")


def _in_keys(described: Pairs) -> str:
    affixes = [key for key in _AFFIX_KEYS if getattr(described, key)]
    return ", ".join(f'{key} = "{getattr(described, key)}"' for key in (*_PLACE_KEYS, *affixes))


def _none_fits(root: Path, described: Pairs) -> list[Problem]:
    unreadable = list(unreadable_in(look_at(root)))
    given = [f"{key} = {value!r}" for key in _PLACE_KEYS if (value := getattr(described, key))]
    if given:
        what = "no layout that is known has these; name images and masks both, or correct them"
        return [Problem("data.pairs", what, ", ".join(given)), *unreadable]
    if unreadable:
        return unreadable
    if labelled := labelled_otherwise(root):
        return [Problem(labelled, "outlines of this kind are not read: export them as masks (PNG), or as COCO's JSON")]
    what = "no layout of photographs and masks is known by its names: name the folders in data.pairs.images and "
    return [Problem(printable_name(str(root)), f"{what}data.pairs.masks{_or_its_parent(root)}")]


def _or_its_parent(root: Path) -> str:
    """Where a folder is called like a part of a data set, and lies in one: the advice to give that."""
    root = root.resolve()
    word = root.name.casefold()
    is_a_part = word in _IMAGE_FOLDERS | _MASK_FOLDERS or _PART_WORD.fullmatch(word)
    if not is_a_part or not layouts_of(root.parent):
        return ""
    return f"; or give the folder that holds it, {printable_name(str(root.parent))}, whose layout is known"


def layouts_of(root: Path, described: Pairs | None = None) -> list[Layout]:
    """All layouts that fit a folder, and what is described of it already."""
    described = described or Pairs()
    tree = look_at(root)
    found = [*_tables(tree), *_outlines(tree), *_folders(tree), *_folders_beside(tree)]
    of_masks = {layout.described.masks for layout in found}  # several kinds of masks are no images beside them
    found += [layout for layout in _files_beside(tree) if layout.described.masks not in of_masks]
    return _merged((layout for layout in found if _agree(layout.described, described)), described)


def _agree(found: Pairs, described: Pairs) -> bool:
    return all(getattr(described, key) in (None, getattr(found, key)) for key in _PLACE_KEYS)


def _merged(layouts: Iterable[Layout], described: Pairs) -> list[Layout]:
    """With what is described laid over; each once."""
    merged = (Layout(_laid_over(layout.described, described), layout.why) for layout in layouts)
    return list({_in_keys(layout.described): layout for layout in merged}.values())


def _laid_over(found: Pairs, described: Pairs) -> Pairs:
    """What is described, over what was found."""
    given = {key: getattr(described, key) for key in described.model_fields_set if getattr(described, key) is not None}
    return found.model_copy(update=given)


def _tables(tree: Tree) -> Iterator[Layout]:
    """Parquet with columns of encoded images."""
    tables = [folder / name for folder, name in tree.files_ending(".parquet")]
    if not tables:
        return
    from trainers.data.pairs.parquet import image_columns  # pyarrow takes time to import: only where there are tables

    for table in tables:
        images, masks = image_columns(tree.root / table)
        if images and masks:
            for column in masks:
                yield Layout(
                    Pairs(format="parquet", images=images[0], masks=column),
                    f"a Parquet table with images in its column {images[0]} and masks in {column} ({table})",
                )
            return


def _outlines(tree: Tree) -> Iterator[Layout]:
    """COCO's JSON files; those of several parts as one."""
    places: dict[tuple[str, str], list[str]] = defaultdict(list)
    for file in coco_files(tree):
        images = _images_of(file, tree)
        for template in _with_part(images, file):
            places[template].append(f"{images} {file}")
    shared = {template: of for template, of in places.items() if IN_BRACES in "".join(template) and len(of) > 1}
    taken = {each for of in shared.values() for each in of}
    alone = {
        template: of for template, of in places.items() if IN_BRACES not in "".join(template) and of[0] not in taken
    }
    for images, masks in [*shared, *alone]:
        yield Layout(
            Pairs(format="coco", images=images, masks=masks),
            f"photographs in {images}/ with outlines in COCO's JSON ({masks})",
        )


def _with_part(images: str, file: PurePosixPath) -> Iterator[tuple[str, str]]:
    """The places as they are, and with `{part}` for a word that may name a part of the data set."""
    yield images, file.as_posix()
    folder = PurePosixPath(images)
    if folder.name and folder.name in file.as_posix():
        yield folder.with_name(IN_BRACES).as_posix(), file.as_posix().replace(folder.name, IN_BRACES)
    elif _PART_WORD.search(file.stem):
        yield images, file.with_name(_PART_WORD.sub(IN_BRACES, file.name, count=1)).as_posix()


def _images_of(file: PurePosixPath, tree: Tree) -> str:
    """The folder in which a file's images lie: of those with most of its first ones the likeliest."""
    names = [name for name in first_images_of(tree.root / file) if ".." not in PurePosixPath(name).parts]
    places = sorted(tree.folders, key=lambda place: (PurePosixPath(place).name not in file.stem, place))
    likely = [file.parent.as_posix(), (file.parent / "images").as_posix(), ".", *places]
    likely = [place for place in dict.fromkeys(likely) if place in tree.folders]

    def is_file(path: Path) -> bool:
        return os.path.isfile(path)  # noqa: PTH113 (Path's own raises for a name that is too long)

    def found(place: str) -> tuple[int, bool]:
        return sum(is_file(tree.root / place / name.lstrip("/")) for name in names), tree.holds_images(place)

    return max(likely, key=found)


def _folders(tree: Tree) -> Iterator[Layout]:
    """Images and masks in folders of usual names that lie beside each other; in several parts as one."""
    beside: dict[tuple[str, str], list[str]] = defaultdict(list)
    for place, folder in tree.folders.items():
        images = [name for name in folder.folders if name.casefold() in _IMAGE_FOLDERS and tree.below(place, name)]
        masks = [name for name in folder.folders if name.casefold() in _MASK_FOLDERS and tree.below(place, name)]
        if "segmentationclasspng" in map(str.casefold, masks):  # labelme puts arrays into the other
            masks = [name for name in masks if name.casefold() != "segmentationclass"]
        for pair in itertools.product(images, masks):
            beside[pair].append(place)
    for (image, mask), parents in beside.items():
        for parent in _one_place(parents):
            yield from _of_folders(tree, _join(parent, image), _join(parent, mask))


def _folders_beside(tree: Tree) -> Iterator[Layout]:
    """Folders such as train and trainannot."""
    beside: dict[tuple[str, str], list[str]] = defaultdict(list)
    for place, folder in tree.folders.items():
        names = {name for name in folder.folders if tree.below(place, name)}
        for name in sorted(names):
            for more in _MASKS_BESIDE:
                if name + more in names:
                    beside[place, more].append(name)
    for (place, more), of_images in beside.items():
        name = of_images[0] if len(of_images) == 1 else IN_BRACES
        yield from _of_folders(tree, _join(place, name), _join(place, name + more))


def _files_beside(tree: Tree) -> Iterator[Layout]:
    """An image and its mask in one folder: x.png and x_mask.png, img_x.png and mask_x.png, or x.jpg and x.png."""
    found: dict[OfBoth, list[str]] = defaultdict(list)
    for place, folder in tree.folders.items():
        for affixes in _affixes_beside(folder):
            found[affixes].append(place)
    for affixes, places in found.items():
        common = places[0] if len(places) == 1 else _common(places)
        image, mask = (f"{each.prefix}x{each.suffix}" for each in affixes)
        yield Layout(
            _with_affixes(common, common, affixes),
            f"photographs with masks beside them ({'x.jpg and x.png' if image == mask else f'{image} and {mask}'})"
            + f" in {common}/" * (common != "."),
        )


def _affixes_beside(folder: Folder) -> list[OfBoth]:
    stems = {PurePosixPath(name).stem for name in folder.images}
    endings = {ending[0] for stem in stems if (ending := _MASK_ENDING.search(stem)) and stem[: ending.start()] in stems}
    if endings:
        return [(NO_AFFIXES, Affixes("", ending)) for ending in sorted(endings)]
    beginnings = sorted({beginning[0] for stem in stems if (beginning := _MASK_BEGINNING.match(stem))})
    if found := [both for beginning in beginnings for both in _with_beginning(beginning, sorted(stems))]:
        return found
    kinds: dict[str, set[str]] = defaultdict(set)
    for name in folder.images:
        kinds[PurePosixPath(name).stem].add(PurePosixPath(name).suffix.lower())
    twofold = sum(".png" in kind and len(kind) == 2 for kind in kinds.values())
    return [(NO_AFFIXES, NO_AFFIXES)] if twofold > len(kinds) / 2 else []


def _with_beginning(beginning: str, stems: Iterable[str]) -> list[OfBoth]:
    """Where files that begin so are the masks of others: what stands around the names that they share."""
    masks = [stem for stem in stems if stem.startswith(beginning)]
    images = [stem for stem in stems if not _MASK_BEGINNING.match(stem)]
    return [both for both in affixes_of(images, masks) if both[1].prefix.startswith(beginning)]


def _of_folders(tree: Tree, images: str, masks: str) -> Iterator[Layout]:
    for affixes in affixes_of(tree.names(images), tree.names(masks)):
        yield Layout(
            _with_affixes(images, masks, affixes),
            f"photographs and masks in folders of their own ({images}/, {masks}/)",
        )


def _with_affixes(images: str, masks: str, affixes: OfBoth) -> Pairs:
    found = dict(zip(_AFFIX_KEYS, itertools.chain(*affixes), strict=True))
    return Pairs(format="folders", images=images, masks=masks).model_copy(update=found)


def _one_place(parents: list[str]) -> list[str]:
    """Folders beside each other as one place, with `{part}`."""
    above = {PurePosixPath(parent).parent.as_posix() for parent in parents}
    if len(parents) > 1 and len(above) == 1 and "." not in parents:
        return [_join(above.pop(), IN_BRACES)]
    return parents


def _common(places: list[str]) -> str:
    """The folder that holds all these."""
    parts = [PurePosixPath(place).parts for place in places]
    common: list[str] = []
    for level in zip(*parts, strict=False):
        if len(set(level)) > 1:
            break
        common.append(level[0])
    return "/".join(common) or "."


def _join(folder: str, name: str) -> str:
    return name if folder == "." else f"{folder}/{name}"


def labelled_otherwise(root: Path) -> str | None:
    """An image and a text of the same name, such as labelme's JSON, if a folder holds such; else None."""
    for place, folder in look_at(root).folders.items():
        images = {PurePosixPath(name).stem: name for name in folder.images}
        for name in folder.others:
            path = PurePosixPath(name)
            if path.suffix.lower() in _LABEL_TEXTS and path.stem in images:
                return f"{_join(place, images[path.stem])}, {_join(place, name)}"
    return None
