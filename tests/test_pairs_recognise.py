"""Which layout a folder has is known by its names, and one that several fit is asked about."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from odd_data import cut_out_image
from pair_formats import hugging_face, scenes

from study.terminal.cli import main
from trainers.data.cut_outs.catalogue import read_catalogue
from trainers.data.pairs import tree
from trainers.data.pairs.affixes import NO_AFFIXES, Affixes, affixes_of, described_affixes
from trainers.data.pairs.description import Pairs
from trainers.data.pairs.listing import list_pairs
from trainers.data.pairs.recognise import layouts_of, settled
from trainers.data.problems import DataError, in_lines

COCO = {"info": {}, "licenses": [], "images": [{"file_name": "0.jpg"}], "annotations": [], "categories": []}
LAYOUTS = {
    "plain": (["images/{}.jpg", "masks/{}.png"], ("images", "masks", "", "")),
    "mmsegmentation": (["img_dir/train/{}.jpg", "ann_dir/train/{}.png"], ("img_dir", "ann_dir", "", "")),
    "nnU-Net": (
        ["imagesTr/c_{:03d}_0000.png", "labelsTr/c_{:03d}.png", "dataset.json"],
        ("imagesTr", "labelsTr", "_0000", ""),
    ),
    "PASCAL VOC": (
        ["VOCdevkit/VOC2012/JPEGImages/{}.jpg", "VOCdevkit/VOC2012/SegmentationClass/{}.png"],
        ("VOCdevkit/VOC2012/JPEGImages", "VOCdevkit/VOC2012/SegmentationClass", "", ""),
    ),
    "labelme's VOC": (
        ["JPEGImages/{}.jpg", "SegmentationClass/{}.npy", "SegmentationClassPNG/{}.png"],
        ("JPEGImages", "SegmentationClassPNG", "", ""),
    ),
    "a folder a part": (
        ["train/images/{}.jpg", "train/masks/{}.png", "val/images/{}.jpg", "val/masks/{}.png"],
        ("{part}/images", "{part}/masks", "", ""),
    ),
    "CamVid of SegNet": (
        ["train/{}.png", "trainannot/{}.png", "val/{}.png", "valannot/{}.png"],
        ("{part}", "{part}annot", "", ""),
    ),
    "one part of it": (["train/{}.png", "train_labels/{}.png"], ("train", "train_labels", "", "")),
    "Cityscapes": (
        [
            "leftImg8bit/train/ulm/ulm_{:06d}_leftImg8bit.png",
            "gtFine/train/ulm/ulm_{:06d}_gtFine_labelIds.png",
        ],
        ("leftImg8bit", "gtFine", "_leftImg8bit", "_gtFine_labelIds"),
    ),
    "capitals": (["Images/{}.jpg", "Masks/{}.png"], ("Images", "Masks", "", "")),
    "YOLO's labels beside masks": (["images/{}.jpg", "labels/{}.txt", "masks/{}.png"], ("images", "masks", "", "")),
    "COCO": (
        ["train2017/{}.jpg", "annotations/instances_train2017.json"],
        ("train2017", "annotations/instances_train2017.json", "", ""),
    ),
    "COCO in two parts": (
        [
            *("train2017/{}.jpg", "annotations/instances_train2017.json"),
            *("val2017/{}.jpg", "annotations/instances_val2017.json"),
        ],
        ("{part}", "annotations/instances_{part}.json", "", ""),
    ),
    "COCO of Roboflow": (
        ["train/{}.jpg", "train/_annotations.coco.json", "valid/{}.jpg", "valid/_annotations.coco.json"],
        ("{part}", "{part}/_annotations.coco.json", "", ""),
    ),
    "COCO beside images": (["images/{}.jpg", "coco.json"], ("images", "coco.json", "", "")),
    "masks beside": (["scans/{}.png", "scans/{}_mask.png"], ("scans", "scans", "", "_mask")),
    "masks beside, in folders": (["a/{}.png", "a/{}_gt.png", "b/{}.png", "b/{}_gt.png"], (".", ".", "", "_gt")),
    "other ending": (["{}.jpg", "{}.png"], (".", ".", "", "")),
    "CamVid": (["frames/{}.png", "frames/{}_L.png"], ("frames", "frames", "", "_L")),
    "hidden files": (
        ["images/{}.png", "images/._{}.png", "masks/{}.png", "masks/Thumbs.db"],
        ("images", "masks", "", ""),
    ),
}


def write(root: Path, patterns: list[str], count: int = 40) -> None:
    for name in (pattern.format(number) for pattern in patterns for number in range(count)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".json"):
            is_coco = "annotations" in name or "coco" in name
            (root / name).write_text(json.dumps(COCO if is_coco else {"labels": {"background": 0}}))
        else:
            (root / name).write_bytes(b"never opened")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_usual_layout_is_known_by_its_names(tmp_path: Path, layout: str) -> None:
    patterns, (images, masks, image_suffix, mask_suffix) = LAYOUTS[layout]
    write(tmp_path, patterns)
    found = settled(tmp_path, Pairs())
    assert found.format == ("coco" if "COCO" in layout else "folders")
    assert (found.images, found.masks) == (images, masks)
    assert (found.image_suffix, found.mask_suffix) == (image_suffix, mask_suffix)


def test_a_table_is_known_by_its_columns(tmp_path: Path) -> None:
    hugging_face(tmp_path, scenes())
    found = settled(tmp_path, Pairs())
    assert (found.format, found.images, found.masks) == ("parquet", "image", "annotation")


def test_a_folder_may_be_a_link_to_another_in_the_data_set(tmp_path: Path) -> None:
    write(tmp_path / "set", ["raw/{}.jpg", "masks/{}.png"])
    write(tmp_path, ["elsewhere/{}.jpg"])
    (tmp_path / "set/images").symlink_to("raw")
    (tmp_path / "set/labels").symlink_to(tmp_path / "elsewhere")  # leaves the data set
    (tmp_path / "set/img").symlink_to(".")
    found = settled(tmp_path / "set", Pairs())
    assert (found.images, found.masks) == ("images", "masks")


def test_damaged_tables_are_named_wherever_they_come(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"a.parquet \(.*\): cannot be read as Parquet"):
        settled(tmp_path, Pairs())
    pq.write_table(pa.table({"age": [1]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a.parquet \(its columns are age\): no columns of encoded images"):
        settled(tmp_path, Pairs())
    hugging_face(tmp_path, scenes())
    assert settled(tmp_path, Pairs()).masks == "annotation"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (json.dumps(COCO).encode("utf-16"), "JSON in UTF-16: save it in UTF-8"),
        (json.dumps(COCO)[:60].encode(), "lacks images, annotations or categories: is it cut off"),
    ],
)
def test_damaged_outlines_are_named(tmp_path: Path, content: bytes, expected: str) -> None:
    write(tmp_path, ["images/{}.jpg"])
    (tmp_path / "coco.json").write_bytes(content)
    with pytest.raises(DataError, match=f"coco.json: .*{expected}"):
        settled(tmp_path, Pairs())


def test_a_folder_that_is_closed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, ["images/{}.jpg"])
    (tmp_path / "masks").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: path.name != "masks")  # root may list any
    with pytest.raises(DataError, match=r"masks \(Permission denied\): cannot be listed"):
        settled(tmp_path, Pairs())


def test_what_is_described_decides_between_layouts(tmp_path: Path) -> None:
    write(tmp_path, ["images/{}.jpg", "masks/{}.png", "labels/{}.png"])
    with pytest.raises(DataError, match=r'more than one layout fits.*masks = "labels".*masks = "masks"'):
        settled(tmp_path, Pairs())
    assert settled(tmp_path, Pairs(masks="labels", ignore=(7,))) == Pairs(
        format="folders", images="images", masks="labels", ignore=(7,)
    )
    with pytest.raises(DataError, match="no layout that is known has these"):
        settled(tmp_path, Pairs(masks="elsewhere"))


def test_folders_of_any_name_can_be_described(tmp_path: Path) -> None:
    write(tmp_path, ["photos of may/{}.jpg", "drawn/{}.png"])
    with pytest.raises(DataError, match="no layout of photographs and masks is known by its names"):
        settled(tmp_path, Pairs())
    assert settled(tmp_path, Pairs(images="photos of may", masks="drawn")).format == "folders"


def test_affixes_are_those_under_which_most_belong_together() -> None:
    assert affixes_of(["a_1", "b_2"], ["a_1", "b_2"]) == [(NO_AFFIXES, NO_AFFIXES)]
    assert affixes_of(["a_1_rgb", "b_2_rgb"], ["b_2-seg", "a_1-seg"]) == [(Affixes("", "_rgb"), Affixes("", "-seg"))]
    assert affixes_of(["img_1", "img_2"], ["mask_1", "mask_2"]) == [(Affixes("img_", ""), Affixes("mask_", ""))]
    assert affixes_of(["d/image1", "d/image2"], ["d/label1", "d/label2"]) == [
        (Affixes("image", ""), Affixes("label", ""))
    ]
    assert affixes_of(["i_1_rgb", "i_2_rgb"], ["m_1-l", "m_2-l"]) == [(Affixes("i_", "_rgb"), Affixes("m_", "-l"))]
    assert affixes_of([], ["a"]) == [(NO_AFFIXES, NO_AFFIXES)]


PREFIXES = {
    "two folders": (["images/img_{:03d}.png", "masks/mask_{:03d}.png"], ("images", "masks", "img_", "mask_")),
    "without a mark": (["images/image{}.jpg", "labels/label{}.png"], ("images", "labels", "image", "label")),
    "masks alone": (["images/{}.jpg", "masks/mask-{}.png"], ("images", "masks", "", "mask-")),
    "in folders": (["images/a/i_{}.jpg", "masks/a/m_{}.png"], ("images", "masks", "i_", "m_")),
    "one folder": (["all/img_{:03d}.png", "all/mask_{:03d}.png"], ("all", "all", "img_", "mask_")),
    "one folder without a mark": (["image{}.jpg", "label{}.png"], (".", ".", "image", "label")),
    "names of any kind": (["shots/photo_{}.jpg", "shots/gt_{}.png"], ("shots", "shots", "photo_", "gt_")),
}


@pytest.mark.parametrize("layout", PREFIXES)
def test_names_may_differ_by_what_they_begin_with(tmp_path: Path, layout: str) -> None:
    patterns, (images, masks, image_prefix, mask_prefix) = PREFIXES[layout]
    write(tmp_path, patterns)
    found = settled(tmp_path, Pairs())
    assert (found.images, found.masks) == (images, masks)
    assert described_affixes(found) == (Affixes(image_prefix, ""), Affixes(mask_prefix, ""))
    listing = list_pairs(tmp_path, Pairs())
    assert len(listing.pairs) == 40
    assert listing.problems == ()
    beside = [(Path(pair.image_place).stem, Path(pair.mask_place).stem) for pair in listing.pairs]
    assert {image.removeprefix(image_prefix) == mask.removeprefix(mask_prefix) for image, mask in beside} == {True}


def test_of_names_that_differ_by_a_prefix_those_without_a_partner_are_listed(tmp_path: Path) -> None:
    write(tmp_path, ["images/img_{}.png", "masks/mask_{}.png"], 6)
    (tmp_path / "masks/mask_2.png").rename(tmp_path / "masks/mask_9.png")
    (tmp_path / "images/img_3.jpg").write_bytes(b"never opened")
    assert in_lines(list_pairs(tmp_path, Pairs()).problems) == [
        "images/img_3.png (img_3.jpg): the name differs from another only by its ending: rename one, or remove it",
        "images/img_2.png: an image without a mask: add the mask, or remove the image",
        "masks/mask_9.png: a mask without an image: add the image, or remove the mask",
    ]


@pytest.mark.parametrize(
    ("patterns", "key", "other"),
    [
        (["images/img_{}.png", "masks/mask_{}.png", "masks/pred_{}.png"], "mask_prefix", "pred_"),
        (["images/{}.png", "masks/{}_color.png", "masks/{}_ids.png"], "mask_suffix", "_ids"),
        (["images/rgb_{}.png", "images/depth_{}.png", "masks/seg_{}.png"], "image_prefix", "rgb_"),
        (["all/img_{}.png", "all/mask_{}.png", "all/gt_{}.png"], "mask_prefix", "gt_"),
    ],
)
def test_where_two_names_fit_it_is_asked_which(tmp_path: Path, patterns: list[str], key: str, other: str) -> None:
    write(tmp_path, patterns)
    with pytest.raises(DataError, match=f'more than one layout fits.*{key} = "{other}"'):
        settled(tmp_path, Pairs())
    assert getattr(settled(tmp_path, Pairs.model_validate({key: other})), key) == other


def test_numbered_masks_are_no_channels(tmp_path: Path) -> None:
    write(tmp_path, ["images/{}.png", "masks/{}_0000.png", "masks/{}_0001.png"], 3)
    listing = list_pairs(tmp_path, Pairs(format="folders", images="images", masks="masks", mask_suffix="_0000"))
    assert [pair.mask_place for pair in listing.pairs] == [f"masks/{number}_0000.png" for number in range(3)]
    assert listing.notes == ("masks/0_0001.png and 2 more files passed over: images that are not asked for",)


def test_in_folders_that_are_given_names_are_looked_at_too(tmp_path: Path) -> None:
    write(tmp_path, ["photos/p_{}.jpg", "drawn/d_{}.png"])
    found = settled(tmp_path, Pairs(images="photos", masks="drawn"))
    assert (found.image_prefix, found.mask_prefix) == ("p_", "d_")


@pytest.mark.parametrize("layout", ["plain", "COCO", "masks beside"])
def test_of_photographs_where_cut_outs_are_expected_one_sentence_says_what_to_do(
    tmp_path: Path, layout: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, LAYOUTS[layout][0])
    for command in ("plan", "run"):
        assert main([command, "demo", "--set", f"data.path={tmp_path}", "--out", str(tmp_path / "out")]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert f"{tmp_path}: no cut-outs, but photographs " in line
        assert line.endswith("describe them in data.pairs, as `study init FOLDER` does")
    assert not (tmp_path / "out").exists()


def test_labels_of_other_kinds_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, ["{}.jpg", "{}.json"])
    assert main(["data", str(tmp_path)]) == 1
    assert "photographs with labels beside them (0.jpg, 0.json): export these as masks" in capsys.readouterr().out
    with pytest.raises(DataError, match="outlines of this kind are not read"):
        settled(tmp_path, Pairs())


def test_cut_outs_may_lie_in_classes_of_any_name(folder: Path) -> None:
    (folder / "mug").rename(folder / "images")
    (folder / "pen").rename(folder / "masks")
    assert read_catalogue(folder).problems == ()
    assert read_catalogue(folder).classes == ("images", "masks")


def test_cut_outs_without_angles_are_one_line_a_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("mug", "pen"):
        (tmp_path / name).mkdir()
        for number in range(30):
            cut_out_image(number).save(tmp_path / name / f"{number:02d}.png")
    assert main(["data", str(tmp_path)]) == 1
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "61 problems:"
    assert shown[1].startswith("  mug/00.png, mug/01.png, mug/02.png and 57 more: a file where only angle folders are")
    assert len(shown) == 3


def test_a_huge_or_deep_folder_is_looked_at_with_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / "/".join(["d"] * 200) / "masks"
    deep.mkdir(parents=True)
    write(tmp_path, ["f{}/x.bin"], 600)
    write(tmp_path, ["{}.json"], 50)
    opened: list[Path] = []
    look = tree.is_coco
    monkeypatch.setattr(tree, "is_coco", lambda file: opened.append(file) or look(file))
    assert layouts_of(tmp_path) == []
    assert len(opened) == 10
