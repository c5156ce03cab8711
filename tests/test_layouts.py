"""Folders in which other tools keep photographs and masks: one sentence, not a list."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from odd_data import cut_out_image

from study.terminal.cli import main
from trainers.data import layouts
from trainers.data.cut_outs.catalogue import READ_TODAY, read_catalogue

COCO = {"info": {}, "licenses": [], "images": [], "annotations": [], "categories": []}
LAYOUTS = {
    "plain": (["images/{}.jpg", "masks/{}.png"], "photographs and masks in folders of their own (images/, masks/)"),
    "mmsegmentation": (["img_dir/train/{}.jpg", "ann_dir/train/{}.png"], "of their own (img_dir/, ann_dir/)"),
    "nnU-Net": (["imagesTr/c_{}_0000.png", "labelsTr/c_{}.png", "dataset.json"], "of their own (imagesTr/, labelsTr/)"),
    "PASCAL VOC": (
        ["VOCdevkit/VOC2012/JPEGImages/{}.jpg", "VOCdevkit/VOC2012/SegmentationClass/{}.png"],
        "of their own (JPEGImages/, SegmentationClass/)",
    ),
    "a folder a part": (["train/images/{}.jpg", "train/masks/{}.png", "val/images/{}.jpg"], "(images/, masks/)"),
    "capitals": (["Images/{}.jpg", "Masks/{}.png"], "(Images/, Masks/)"),
    "COCO": (["train2017/{}.jpg", "annotations/instances_train2017.json"], "COCO's JSON (instances_train2017.json)"),
    "COCO beside images": (["images/{}.jpg", "coco.json"], "COCO's JSON (coco.json)"),
    "Hugging Face": (
        ["data/train-0.parquet", "README.md"],
        "a Parquet table of photographs and masks (train-0.parquet)",
    ),
    "labelme": (["{}.jpg", "{}.json"], "photographs with their labels beside them (0.jpg, 0.json)"),
    "masks beside": (["scans/{}.png", "scans/{}_mask.png"], "labels beside them (0.png, 0_mask.png)"),
    "other suffix": (["{}.jpg", "{}.png"], "labels beside them (0.jpg, 0.png)"),
    "CamVid": (["frames/{}.png", "frames/{}_L.png"], "labels beside them (0.png, 0_L.png)"),
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
def test_a_layout_that_is_not_read_yet_is_one_sentence(
    tmp_path: Path, layout: str, capsys: pytest.CaptureFixture[str]
) -> None:
    patterns, expected = LAYOUTS[layout]
    write(tmp_path, patterns)
    assert main(["data", str(tmp_path)]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"1 problem: {tmp_path}: looks like ")
    assert line.endswith(expected + READ_TODAY)
    for command in ("plan", "run"):
        assert main([command, "demo", "--set", f"data.path={tmp_path}", "--out", str(tmp_path / "out")]) == 2
        said = capsys.readouterr().err
        assert expected in said
        assert len(said.splitlines()) == 1
    assert not (tmp_path / "out").exists()


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
    look = layouts._is_coco
    monkeypatch.setattr(layouts, "_is_coco", lambda file: opened.append(file) or look(file))
    assert "looks like" not in str(read_catalogue(tmp_path).problems)
    assert len(opened) == 10
