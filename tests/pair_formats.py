"""One set of photographs and label maps, made of the stand-in set, and written out in every format that is read."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from pycocotools import mask as coco_mask

import trainers

STANDIN = Path(trainers.__path__[0]) / "standin"
CLASSES = ("adapter", "bottle", "box", "clamp", "drill", "duck")
COLOURS = ("#000000", "#ff0000", "#00ff00", "#0000ff", "#ffff00", "#ff00ff", "#00ffff")
"""Of the background and the classes."""
Scenes = dict[str, tuple[np.ndarray, np.ndarray]]
"""Name -> image (H, W, 3), label map (H, W) with the background 0."""


def scenes() -> Scenes:
    """Six scenes of two objects each, of different sizes."""
    made: Scenes = {}
    for number, (name, other) in enumerate(zip(CLASSES, (*CLASSES[1:], CLASSES[0]), strict=True)):
        image_HWC = np.full((40, 80 + 8 * number, 3), 30 * number, np.uint8)
        labels_HW = np.zeros(image_HWC.shape[:2], np.uint8)
        for left, each in ((0, name), (40, other)):
            cut_out = Image.open(sorted((STANDIN / each / "30").glob("*.png"))[number]).resize((40, 40))
            rgba_HWC = np.array(cut_out)
            inside_HW = rgba_HWC[..., 3] >= 128
            image_HWC[:, left : left + 40][inside_HW] = rgba_HWC[..., :3][inside_HW]
            labels_HW[:, left : left + 40][inside_HW] = CLASSES.index(each) + 1
        made[f"hall{number % 2}_{number:03d}"] = image_HWC, labels_HW
    return made


def save(path: Path, pixels: np.ndarray | Image.Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(path)


def palette(labels_HW: np.ndarray) -> Image.Image:
    image = Image.fromarray(labels_HW).convert("P")
    image.putdata(labels_HW.flatten().tolist())
    image.putpalette([int(colour[i : i + 2], 16) for colour in COLOURS for i in (1, 3, 5)])
    return image


def coloured(labels_HW: np.ndarray) -> np.ndarray:
    table = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in COLOURS], np.uint8)
    return table[labels_HW]


def encoded(pixels: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


def plain(root: Path, made: Scenes) -> None:
    for name, (image, labels) in made.items():
        save(root / f"images/{name}.png", image)
        save(root / f"masks/{name}.png", labels)
    _names(root / "classes.txt")


def _names(file: Path, *before: str) -> None:
    file.write_text("\n".join([*before, *CLASSES]) if before else "\n".join(["background", *CLASSES]))


def beside(root: Path, made: Scenes) -> None:
    for name, (image, labels) in made.items():
        save(root / f"{name}.png", image)
        save(root / f"{name}_mask.png", labels)
    _names(root / "classes.txt")


def mmsegmentation(root: Path, made: Scenes) -> None:
    for number, (name, (image, labels)) in enumerate(made.items()):
        part = "train" if number < 4 else "val"
        save(root / f"img_dir/{part}/{name}.png", image)
        save(root / f"ann_dir/{part}/{name}.png", palette(labels))
    _names(root / "classes.txt")


def a_folder_a_part(root: Path, made: Scenes) -> None:
    for number, (name, (image, labels)) in enumerate(made.items()):
        part = "train" if number < 4 else "val"
        save(root / f"{part}/images/{name}.png", image)
        save(root / f"{part}/masks/{name}.png", labels)
    _names(root / "classes.txt")


def camvid(root: Path, made: Scenes) -> None:
    for number, (name, (image, labels)) in enumerate(made.items()):
        part = "train" if number < 4 else "val"
        save(root / f"{part}/{name}.png", image)
        save(root / f"{part}annot/{name}.png", labels)
    _names(root / "classes.txt")


def nnunet(root: Path, made: Scenes) -> None:
    for name, (image, labels) in made.items():
        save(root / f"imagesTr/{name}_0000.png", image)
        save(root / f"labelsTr/{name}.png", labels)
    labels_ = {name: value for value, name in enumerate(("background", *CLASSES))} | {"ignore": len(CLASSES) + 1}
    about = {"channel_names": {"0": "R", "1": "G", "2": "B"}, "labels": labels_, "file_ending": ".png"}
    (root / "dataset.json").write_text(json.dumps(about))


def nnunet_channels(root: Path, made: Scenes) -> None:
    nnunet(root, made)
    for name, (image, _) in made.items():
        for channel in range(3):
            save(root / f"imagesTr/{name}_{channel:04d}.png", image[..., channel])


def voc_of_cvat(root: Path, made: Scenes) -> None:
    for name, (image, labels) in made.items():
        save(root / f"JPEGImages/{name}.png", image)
        save(root / f"SegmentationClass/{name}.png", coloured(labels))
    (root / "ImageSets/Segmentation").mkdir(parents=True)
    (root / "ImageSets/Segmentation/default.txt").write_text("\n".join(made))
    colours = [",".join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5)) for colour in COLOURS]
    lines = [f"{name}:{colour}::" for name, colour in zip(("background", *CLASSES), colours, strict=True)]
    (root / "labelmap.txt").write_text("# label:color_rgb:parts:actions\n" + "\n".join(lines))


def labelme(root: Path, made: Scenes) -> None:
    for name, (image, labels) in made.items():
        save(root / f"JPEGImages/{name}.png", image)
        save(root / f"SegmentationClassPNG/{name}.png", palette(labels))
        (root / "SegmentationClass").mkdir(exist_ok=True)
        np.save(root / f"SegmentationClass/{name}.npy", labels)
    _names(root / "class_names.txt", "_background_")


def labelme_labels(root: Path, made: Scenes) -> None:
    for name, (image, labels) in made.items():
        save(root / f"JPEGImages/{name}.png", image)
        save(root / f"SegmentationClass/{name}.png", palette(labels))
    _names(root / "labels.txt", "__ignore__", "_background_")


def coco(root: Path, made: Scenes, compressed: bool = True) -> None:
    """Categories have ids with gaps; outlines are runs of pixels."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, (name, (image, labels)) in enumerate(made.items()):
        save(root / f"images/{name}.png", image)
        height, width = labels.shape
        images.append({"id": number, "file_name": f"{name}.png", "height": height, "width": width})
        for label in range(1, len(CLASSES) + 1):
            if (labels == label).any():
                outline = coco_mask.encode(np.asfortranarray(labels == label))
                outline["counts"] = outline["counts"].decode() if compressed else counts(labels == label)
                annotations.append(
                    {"id": len(annotations) + 1, "image_id": number, "category_id": 10 * label, "iscrowd": 0}
                    | {"segmentation": outline}
                )
    categories = [{"id": 10 * label, "name": name} for label, name in enumerate(CLASSES, 1)]
    table = {"images": images, "annotations": annotations, "categories": categories}
    (root / "annotations").mkdir(exist_ok=True)
    (root / "annotations/instances.json").write_text(json.dumps(table))


def counts(inside_HW: np.ndarray) -> list[int]:
    """Runs of pixels, column by column, without compression."""
    flat = inside_HW.T.flatten().astype(int)
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *edges, len(flat)]).tolist()
    return [0, *runs] if flat[0] else runs


def coco_uncompressed(root: Path, made: Scenes) -> None:
    coco(root, made, compressed=False)


def hugging_face(root: Path, made: Scenes, as_table: bool = True) -> None:
    """One file a part; id2label in the metadata."""
    names = list(made)
    for part, of_part in (("train", names[:4]), ("validation", names[4:])):
        images, masks = ([encoded(made[name][which]) for name in of_part] for which in (0, 1))
        rows = {
            "image": [{"bytes": each, "path": f"{name}.png"} for name, each in zip(of_part, images, strict=True)],
            "annotation": [{"bytes": each, "path": None} for each in masks],
        }
        table = pa.table(rows if as_table else {"image": images, "label": masks, "file": of_part})
        id2label = {str(value): name for value, name in enumerate(("background", *CLASSES))}
        (root / "data").mkdir(parents=True, exist_ok=True)
        table = table.replace_schema_metadata({"id2label": json.dumps(id2label)} if as_table else None)
        pq.write_table(table, root / f"data/{part}-00000-of-00001.parquet", row_group_size=3)
        if not as_table:
            (root / "id2label.json").write_text(json.dumps(id2label))


def hugging_face_bytes(root: Path, made: Scenes) -> None:
    hugging_face(root, made, as_table=False)


FORMATS: dict[str, Callable[[Path, Scenes], None]] = {
    "plain": plain,
    "beside each other": beside,
    "mmsegmentation": mmsegmentation,
    "a folder a part": a_folder_a_part,
    "CamVid": camvid,
    "nnU-Net": nnunet,
    "nnU-Net, channels in files of their own": nnunet_channels,
    "CVAT": voc_of_cvat,
    "labelme": labelme,
    "labelme with labels.txt": labelme_labels,
    "COCO": coco,
    "COCO uncompressed": coco_uncompressed,
    "Hugging Face": hugging_face,
    "Hugging Face, bytes alone": hugging_face_bytes,
}
