"""What a folder without cut-outs looks like: the usual layouts of photographs with masks, known by their names."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable
from pathlib import Path

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"})
"""How the name of an image file ends, in any case."""

# Names of folders, without regard to case.
_IMAGE_FOLDERS = frozenset({"image", "images", "img", "imgs", "img_dir", "imagestr", "jpegimages", "photos", "rgb"})
_MASK_FOLDERS = frozenset({"annotation", "annotations", "segmentation", "segmentations", "segmentationclass"}) | (
    frozenset({"ann_dir", "annot", "trainannot", "gt", "groundtruth", "ground_truth"})
    | frozenset({"mask", "masks", "label", "labels", "labelstr"})
)
_MASK_ENDING = re.compile(r"[_.-](mask|masks|label|labels|labelids|gt|seg|annotation|l)$")
_LABEL_SUFFIXES = frozenset({".json", ".xml", ".txt"})
_COCO_KEY = re.compile(rb'"(images|annotations|categories)"\s*:\s*\[')
_MAX_FOLDERS, _MAX_DEPTH = 500, 3
_MAX_JSON_FILES, _HEAD = 10, 65536
"""Of a folder's JSON files, how many are looked into, and how many bytes of each."""


def looks_like(root: Path) -> str | None:
    """The layout of a folder's photographs and masks, in words, or None if it is none that is known by sight."""
    folders: dict[str, str] = {}
    tables: list[str] = []
    coco: list[str] = []
    pairs: list[tuple[str, str]] = []
    for place, below, files in itertools.islice(os.walk(root), _MAX_FOLDERS):
        folders |= {name.casefold(): name for name in below}
        if len(Path(place).relative_to(root).parts) >= _MAX_DEPTH:
            below.clear()
        names = sorted(name for name in files if not name.startswith(".") and name.isprintable())
        tables += [name for name in names if name.endswith(".parquet")][:1]
        coco += [name for name in _json_files(names) if _is_coco(Path(place, name))][:1]
        pairs += list(itertools.islice(_photographs_and_labels(names), 1))
    images, masks = (
        [folders[name] for name in sorted(known & folders.keys())] for known in (_IMAGE_FOLDERS, _MASK_FOLDERS)
    )
    if tables:
        return f"a Parquet table of photographs and masks ({tables[0]})"
    if coco:
        return f"photographs with outlines in COCO's JSON ({coco[0]})"
    if images and masks:
        return f"photographs and masks in folders of their own ({images[0]}/, {masks[0]}/)"
    if pairs:
        return f"photographs with their labels beside them ({', '.join(pairs[0])})"
    return None


def _json_files(names: Iterable[str]) -> list[str]:
    return [name for name in names if name.endswith(".json")][:_MAX_JSON_FILES]


def _is_coco(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return bool(_COCO_KEY.search(opened.read(_HEAD)))
    except OSError:
        return False


def _photographs_and_labels(names: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Of one folder's files, two that belong together: an image, and its mask or a text that labels it."""
    seen: dict[str, tuple[str, bool]] = {}
    for name in names:
        path = Path(name.casefold())
        is_image = path.suffix in SUFFIXES
        if not is_image and path.suffix not in _LABEL_SUFFIXES:
            continue
        other, other_is_image = seen.setdefault(_MASK_ENDING.sub("", path.stem), (name, is_image))
        if other != name and (is_image or other_is_image):
            yield other, name
