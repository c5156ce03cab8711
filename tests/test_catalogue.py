"""The shipped set, and what the names in a data set's folder may and may not be."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from odd_data import cut_out_image, problems_of

import trainers
from trainers.data.class_names import names_in_tables
from trainers.data.cut_outs.catalogue import ANGLE, locate, read_catalogue
from trainers.data.cut_outs.reading import check
from trainers.data.cut_outs.source import load
from trainers.data.distribution import describe, distribution_table
from trainers.data.problems import DataError
from trainers.data.size import square

TABLE_1 = {
    "adapter": {0: 36, 30: 36, 60: 36, 90: 36},
    "bottle": {0: 26, 30: 27, 60: 48, 90: 0},
    "box": {0: 12, 30: 34, 60: 14, 90: 0},
    "clamp": {0: 12, 30: 41, 60: 54, 90: 0},
    "drill": {0: 19, 30: 36, 60: 36, 90: 49},
    "duck": {0: 11, 30: 33, 60: 50, 90: 0},
}


def test_the_stand_in_has_the_counts_of_table_1_and_no_problem() -> None:
    catalogue = read_catalogue("standin")
    assert check(catalogue) == []
    assert catalogue.classes == tuple(TABLE_1)
    assert describe(catalogue.samples, ANGLE) == TABLE_1
    assert len(catalogue.images) == 646
    assert len(catalogue.backgrounds) == 72
    assert len({background.group for background in catalogue.backgrounds}) == 18
    assert catalogue.images[0].id == "adapter/0/adapter_00_000"
    assert catalogue.backgrounds[0].id == "backgrounds/apartment/apartment_0"


def test_the_table_reads_like_table_1() -> None:
    lines = distribution_table(read_catalogue("standin").samples, ANGLE).splitlines()
    assert [line.split() for line in lines[:2]] == [
        ["class", "0", "30", "60", "90", "total"],
        ["adapter", *["36"] * 4, "144"],
    ]
    assert lines[-1].split() == ["total", "116", "207", "238", "85", "646"]
    assert len({len(line) for line in lines}) == 1


def test_a_table_of_many_angles_stays_narrow(folder: Path) -> None:
    for angle in range(90, 150):
        (folder / f"mug/{angle}").mkdir()
        shutil.copy(folder / "mug/0/a.png", folder / f"mug/{angle}")
    lines = [line.split() for line in distribution_table(read_catalogue(folder).samples, ANGLE).splitlines()]
    assert lines[:2] == [["class", "values", "from", "to", "total"], ["mug", "62", "0", "149", "62"]]
    assert lines[2:4] == [["pen", "2", "0", "330", "2"], ["total", "63", "0", "330", "64"]]


def test_locate_and_the_word_standin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    assert locate("standin") == Path(trainers.__path__[0]) / "standin"
    assert locate("~/set") == Path.home() / "set"
    folder.rename(tmp_path / "standin")
    monkeypatch.chdir(tmp_path)
    assert len(read_catalogue("./standin").images) == 4
    assert len(read_catalogue(locate("./standin")).images) == 4
    assert len(read_catalogue("standin").images) == 646


def test_the_stand_in_states_origin_and_licence() -> None:
    assert "CC0" in (locate("standin") / "LICENSE").read_text()
    assert "@pmndrs/assets" in (locate("standin") / "README.md").read_text()


def test_a_catalogue_lists_by_class_angle_and_id(folder: Path) -> None:
    catalogue = read_catalogue(folder)
    assert catalogue.problems == ()
    assert catalogue.classes == ("mug", "pen")
    found = [(image.id, image.class_name, image.angle) for image in catalogue.images]
    assert found == [
        ("mug/0/a", "mug", 0),
        ("mug/22.5/b", "mug", 22.5),
        ("pen/0/a", "pen", 0),
        ("pen/-30/c", "pen", 330),
    ]
    backgrounds = [(background.id, background.group) for background in catalogue.backgrounds]
    assert backgrounds == [("backgrounds/hall/1", "hall"), ("backgrounds/hall/2", "hall"), ("backgrounds/yard", "yard")]
    assert problems_of(folder) == []


def test_the_order_does_not_depend_on_the_file_system(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected, iterdir = read_catalogue(folder), Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda self: iter(sorted(iterdir(self), reverse=True)))
    assert read_catalogue(folder) == expected


def test_what_is_no_data_is_passed_over(folder: Path) -> None:
    for name in (
        "README.md",
        "LICENSE",
        ".DS_Store",
        "mug/0/.hidden.png",
        "mug/0/readme.txt",
        "backgrounds/LICENSE-CC0",
    ):
        (folder / name).write_text("text")
    for name in ("mug/0/annotations", ".git/objects"):
        (folder / name).mkdir(parents=True)
        (folder / name / "a.json").write_text("{}")
    shutil.copy(folder / "mug/0/a.png", folder / "mug/0/a_mask.png")
    catalogue = read_catalogue(folder)
    assert problems_of(folder) == []
    assert len(catalogue.images) == 4


def test_a_mask_without_its_image_and_an_image_named_readme_are_images(folder: Path) -> None:
    for name in ("lonely_mask", "license_plate"):
        cut_out_image().save(folder / f"mug/0/{name}.png")
    assert [image.id for image in read_catalogue(folder).images][:3] == [
        "mug/0/a",
        "mug/0/license_plate",
        "mug/0/lonely_mask",
    ]


def write(name: str, content: bytes = b"text") -> Callable[[Path], object]:
    def cause(root: Path) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)

    return cause


def move(source: str, target: str) -> Callable[[Path], object]:
    return lambda root: shutil.move(root / source, root / target)


def link(name: str, target: str) -> Callable[[Path], object]:
    return lambda root: (root / name).symlink_to(target)


NAMING = [
    (write("notes.txt"), "notes.txt: a file where only class folders"),
    (write("mug/notes.txt"), "mug/notes.txt: a file where only angle folders"),
    (write("mug/0/a.json"), "mug/0/a.json: not an image file"),
    (write("mug/0/more/b.png"), "mug/0/more: a folder where only images"),
    (write("backgrounds/hall/more/b.png"), "backgrounds/hall/more: a folder where only images"),
    (write("backgrounds/notes.txt"), "backgrounds/notes.txt: not an image file"),
    (lambda root: (root / "cup").mkdir(), "cup: no angle folder"),
    (lambda root: (root / "mug/45").mkdir(), "mug/45: no image in this folder"),
    (lambda root: (root / "backgrounds/lab").mkdir(), "backgrounds/lab: no image in this folder"),
    (move("mug/0", "mug/front"), "mug/front: the angle is not a number"),
    (move("mug/0", "mug/nan"), "mug/nan: the angle is not a number"),
    (move("mug/0", "mug/1_0"), "mug/1_0: the angle is not a number"),
    (move("mug/0", "mug/361"), "mug/361: the angle is not a number"),
    (move("mug", "bg"), "bg: a reserved name"),
    (move("mug", "All"), "All: a reserved name"),
    (move("mug", "Backgrounds"), "Backgrounds: a reserved name"),
    (move("mug", "mug & cup"), "mug & cup: a class name holds only"),
    (move("mug", "kubeł"), "kubeł: a class name holds only"),
    (move("mug", ".mug"), ".mug: a class name holds only"),
    (move("mug", "mug\ncup"), "mug\\ncup: the name holds characters"),
    (move("mug", "Pen"), "pen (Pen): differs only by case from another class"),
    (
        lambda root: shutil.copy(root / "mug/0/a.png", root / "mug/0/a.PNG"),
        "mug/0/a.png (a.PNG): the name differs from another only by its ending",
    ),
    (
        lambda root: shutil.copy(root / "mug/0/a.png", root / "mug/0/a\n.png"),
        "mug/0/a\\n.png: the name holds characters that cannot be printed",
    ),
    (move("backgrounds/hall", "backgrounds/ha\tll"), "backgrounds/ha\\tll: the name holds characters"),
    (move("backgrounds", "mug/annotations"), "backgrounds: no backgrounds"),
    (link("mug/0/b.png", "nothing.png"), "mug/0/b.png: a link to nothing"),
    (link("mug/0/b.png", "b.png"), "mug/0/b.png: a link to nothing"),
    (link("mug/0/b.png", "/etc/hostname"), "mug/0/b.png: a link that leaves the data set"),
    (link("cup", ".."), "cup: a link that leaves the data set"),
    (lambda root: os.mkfifo(root / "mug/0/b.png"), "mug/0/b.png: no regular file"),
]


@pytest.mark.parametrize(("cause", "expected"), NAMING, ids=[expected for _, expected in NAMING])
def test_a_problem_of_names(folder: Path, cause: Callable[[Path], object], expected: str) -> None:
    cause(folder)
    problems = [str(problem) for problem in read_catalogue(folder).problems]
    assert len(problems) == 1
    assert problems[0].startswith(expected)
    with pytest.raises(DataError, match="1 problem in the data set"):
        load(read_catalogue(folder), square(16))


def test_without_angles_one_folder_will_do(folder: Path) -> None:
    shutil.move(folder / "mug/0/a.png", folder / "mug/b.png")
    problem = str(read_catalogue(folder).problems[-1])
    assert "one folder such as 0/ will do where there are no angles" in problem


@pytest.mark.parametrize("given", [".", "set/mug", "set/mug/0"])
def test_one_folder_too_high_or_too_low(folder: Path, tmp_path: Path, given: str) -> None:
    (tmp_path / "others").mkdir()
    meant = shutil.move(folder, tmp_path / "others/set")
    (problem,) = read_catalogue(tmp_path / "others" / given).problems
    assert f"{meant} looks like the data set; give that folder" in str(problem)


def test_names_that_are_no_text_are_reported(folder: Path) -> None:
    shutil.copy(folder / "mug/0/a.png", folder / "mug/0" / os.fsdecode(b"a\xff.png"))
    assert [str(problem)[:20] for problem in read_catalogue(folder).problems] == ["mug/0/a\\udcff.png: t"]


def test_links_within_the_data_set_and_to_the_data_set_are_followed(folder: Path, tmp_path: Path) -> None:
    shutil.move(folder / "mug/0/a.png", folder / "backgrounds/README.png")
    (folder / "mug/0/a.png").symlink_to("../../backgrounds/README.png")
    (tmp_path / "link").symlink_to(folder)
    catalogue = read_catalogue(tmp_path / "link")
    assert check(catalogue) == []
    assert len(catalogue.images) == 4


@pytest.mark.parametrize("name", ["", "~nobody-of-that-name/set", "a\0b", "/dev/null"])
def test_names_of_no_folder(name: str) -> None:
    with pytest.raises(DataError, match="no such folder"):
        read_catalogue(name)


CHECK_AS_NOBODY = """
import os
from pathlib import Path

from PIL import Image

from trainers.data.cut_outs.catalogue import read_catalogue
from trainers.data.cut_outs.reading import check
from trainers.data.problems import DataError
from trainers.data.size import square
from trainers.data.size import square

Image.init()  # loads its formats, which another user may not be let to
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
print(*check(read_catalogue(Path("set"))), sep="\\n")
try:
    read_catalogue(Path("set/cup"))
except DataError as error:
    print(error)
"""


def test_what_may_not_be_read_is_named_once(folder: Path) -> None:
    """As another user than root, who may read everything."""
    for name in (".git", "cup", "mug/45"):
        (folder / name).mkdir(mode=0)
    (folder / "pen/0/a.png").chmod(0)
    (folder / "pen/-30").chmod(0o444)  # its names can be listed, but not looked at
    folder.parent.chmod(0o755)
    asked = subprocess.run([sys.executable, "-c", CHECK_AS_NOBODY], cwd=folder.parent, capture_output=True, text=True)
    assert asked.stderr == ""
    denied, remedy = "(Permission denied)", "let it be read by whoever runs this"
    assert asked.stdout.splitlines() == [
        *(f"{name} {denied}: cannot be listed: {remedy}" for name in ("cup", "mug/45", "pen/-30")),
        f"pen/0/a.png {denied}: cannot be opened: let it be read, or remove it",
        f"1 problem in the data set: set/cup {denied}: cannot be listed: {remedy}",
    ]


def test_no_folder_and_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere: no such folder: give the folder that holds the class folders"):
        read_catalogue(tmp_path / "nowhere")
    assert [problem.place for problem in read_catalogue(tmp_path).problems] == [".", "backgrounds"]
    assert (read_catalogue(tmp_path).samples.rows, read_catalogue(tmp_path).num_groups) == ((), 0)


def test_more_classes_than_a_byte_can_tell_apart(folder: Path) -> None:
    for number in range(253):
        (folder / f"c{number}" / "0").mkdir(parents=True)
        shutil.copy(folder / "mug/0/a.png", folder / f"c{number}" / "0")
    assert [str(problem) for problem in read_catalogue(folder).problems] == [
        "the folder: 255 classes: at most 254 can be told apart"
    ]


def test_abbreviations_are_the_papers() -> None:
    names = ("background", "box", "clamp", "drill", "duck", "adapter", "bottle")
    assert names_in_tables(names) == ["bg", "bx", "cl", "dr", "du", "ad", "bo"]


@pytest.mark.parametrize("names", [("bottle", "mug"), ("bottle",)])
def test_classes_of_others_keep_their_names(names: tuple[str, ...]) -> None:
    assert names_in_tables(("background", *names)) == ["bg", *names]


def test_counts_include_zeros(folder: Path) -> None:
    samples = read_catalogue(folder).samples
    assert describe(samples, ANGLE) == {"mug": {0: 1, 22.5: 1, 330: 0}, "pen": {0: 1, 22.5: 0, 330: 1}}
    assert distribution_table(samples, ANGLE).splitlines()[0].split() == ["class", "0", "22.5", "330", "total"]
