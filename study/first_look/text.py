"""A first definition as commented TOML."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from study.definition import Definition
from study.definition.keys import as_toml
from study.first_look.classes import VOID
from study.first_look.pairs import PairsSeen
from study.first_look.sizes import WorkingSize
from study.first_look.splits import ProposedSplits
from study.proposals import held_out_in_toml
from trainers.printable import counted, printable

_SETTLED = (
    "format",
    "images",
    "masks",
    "image_prefix",
    "image_suffix",
    "mask_prefix",
    "mask_suffix",
    "image_maximum",
    "metadata",
    "columns",
)
_WHY = {"image_maximum": "  # the value in images of 16 bits that becomes 255"}
_SEARCH = """\
[search]
trials = 1  # of every cell; more need a search.space, such as the two lines below
# [search.space]
# "model.width" = { low = 0.25, high = 1.5, log = true }
# "augmentation.strength" = { low = 0.0, high = 1.5 }"""


def pairs_in_toml(name: str, path: str, layout: str, seen: PairsSeen, splits: ProposedSplits, given: Definition) -> str:
    """The definition of a study of photographs with label maps.

    :param path: of the data set, as it is to stand there.
    :param given: what was said of the data set, and of the training.
    """
    images = f"{counted(len(seen.samples.rows), 'image')}."
    resize = f'resize = "{seen.working.resize}"  # {seen.working.resize_why}'
    return _definition(
        _head(name, path, layout, images, allow_copies=given.data.allow_copies),
        _data(seen),
        _grid(splits),
        _splits(splits),
        _training([_image_size(seen.working), resize], given.training.epochs, splits),
    )


def comment(text: str) -> str:
    """Lines of comment, whatever names are in the text."""
    return textwrap.fill(printable(text), 118, initial_indent="# ", subsequent_indent="# ")


def _data(seen: PairsSeen) -> Iterator[str]:
    yield "[data.pairs]"
    for key in _SETTLED:
        if (value := getattr(seen.described, key)) not in (None, ""):
            if key == "columns" and seen.pattern_why:
                yield comment(f"Proposed, as {seen.pattern_why}. Give the columns names that say what they are.")
            yield f"{key} = {as_toml(value)}" + _WHY.get(key, "")
    if seen.described.columns is None:
        yield '# columns = "{group}_{number}"  # columns that stand in the names of images'
    yield from map(comment, seen.named.notes)
    if seen.described.ignore:
        yield f"ignore = {as_toml(list(seen.described.ignore))}"
    elif seen.described.format != "coco" and VOID not in seen.named.classes.values():
        yield f"# ignore = [{VOID}]  # values of pixels that enter neither loss nor counts"
    if seen.described.background:
        yield f"background = {as_toml(seen.described.background)}"
    yield ""
    yield "[data.pairs.classes]"
    pixels = sum(each.pixels for each in seen.counts)
    counts = {each.name: each for each in seen.counts}
    for name, value in seen.named.classes.items():
        found = counts.get(name, seen.counts[0])
        share = f"{found.pixels / pixels:.2%} of the pixels, in {found.images} images"
        yield f"{as_toml_key(name)} = {as_toml(value)}  # {share}"


def as_toml_key(name: str) -> str:
    return as_toml({name: 0})[2:].rpartition(" = ")[0]


def _grid(splits: ProposedSplits) -> list[str]:
    return [
        "[grid]",
        'models = ["icnet", "unet"]',
        'losses = ["ce"]  # or both: ["ce", "ce_dice"]',
        comment(f"{splits.num_random} random splits show how far scores move by chance; more show it better."),
        f"splits = {as_toml(splits.names)}",
        "seeds = [0]",
    ]


def _splits(splits: ProposedSplits) -> Iterator[str]:
    yield "[splits]"
    yield "test_share = 0.2"
    yield "validation_share = 0.15"
    if splits.shared_backgrounds:
        yield "shared_backgrounds = true  # fewer than three groups: none can be held out"
    if splits.unit and splits.unit_is_set:
        few = f"Images with one {splits.unit} seem to belong together"
        why = f"All identical images share their {splits.unit}" if splits.keeps_copies else few
        yield comment(f"{why}: no split divides one.")
        yield f"unit = {as_toml(splits.unit)}"
    elif splits.unit:
        yield comment(f"Images with one {splits.unit} seem to belong together, but there are too few groups.")
        yield f"# unit = {as_toml(splits.unit)}"
    else:
        yield '# unit = "patient"  # a column: images that share a value are never divided by a split'
    if splits.given:
        yield comment(f"{splits.given} says of each image whether it is for training, validation or testing.")
        yield f"given.column = {as_toml(splits.given)}"
    yield from map(comment, splits.leaks)
    if splits.allow_absent:
        yield "# Some splits lack a class, whose scores are then undefined there:"
        yield from map(comment, splits.notes)
        yield "allow_absent_classes = true"
    yield from map(comment, filter(None, [splits.few_units]))
    if splits.not_run:
        yield comment(f"Described below and not run, as they are many: {', '.join(splits.not_run)}.")
    for axis, tested in splits.described.items():
        yield ""
        yield comment(f"Each tests the images that have these values of {axis}, and trains on all others.")
        yield from held_out_in_toml(axis, tested)


def _image_size(working: WorkingSize) -> str:
    why = comment(f"[height, width], or one number for a square. {working.why[0].upper()}{working.why[1:]}.")
    return f"{why}\nimage_size = {working.in_toml}"


def _training(size: Iterable[str], epochs: int, splits: ProposedSplits) -> list[str]:
    """:param size: the working size, and how images get to it."""
    return [
        "[training]",
        *size,
        f"epochs = {epochs}",
        comment(
            "Fits the number of training images: at least four steps an epoch in every split, if there are enough."
        ),
        f"batch_size = {splits.batch_size}",
        "learning_rate = 1e-3",
    ]


def cut_outs_in_toml(
    name: str, path: str, layout: str, working: WorkingSize, splits: ProposedSplits, given: Definition
) -> str:
    """The definition of a study of cut-outs."""
    return _definition(
        _head(name, path, layout, allow_copies=given.data.allow_copies),
        _grid(splits),
        _splits(splits),
        _training([_image_size(working)], given.training.epochs, splits),
    )


def _definition(*sections: Iterable[str]) -> str:
    return "\n\n".join(["\n".join(section) for section in (*sections, [_SEARCH])]) + "\n"


def _head(name: str, path: str, layout: str, *counted: str, allow_copies: bool) -> Iterator[str]:
    yield comment(f"Written by study init: {layout}.")
    yield comment(" ".join([*counted, "Every key is explained by `study keys`."]))
    yield f"name = {as_toml(name)}"
    yield "seed = 0"
    yield ""
    yield "[data]"
    yield f"path = {as_toml(path)}"
    yield from ["allow_copies = true"] * allow_copies
