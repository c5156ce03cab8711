"""What a definition tells of a data set of pairs: its section data.pairs. Imports nothing that is heavy."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, field_validator

from trainers.data.pairs.pattern import Pattern
from trainers.printable import is_text
from trainers.recipe import Section

Format = Literal["folders", "coco", "parquet"]
LARGEST_VALUE = 65535
_MAY_BE = f'a whole number from 0 to {LARGEST_VALUE} or a colour such as "#ff8000"'


def _is_mask_value(given: Any) -> Any:
    if isinstance(given, str):
        if re.fullmatch(r"#[0-9a-fA-F]{6}", given):
            return given.lower()
        raise ValueError(f"{given[:40]!r} is not a colour: one looks like #ff8000 (red, green and blue)")
    if isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= LARGEST_VALUE:
        return given
    raise ValueError(f"{repr(given)[:40]} is not a value of a mask's pixels: one is {_MAY_BE}")


MaskValue = Annotated[int | str, BeforeValidator(_is_mask_value), Field(json_schema_extra={"allowed": _MAY_BE})]
"""What a pixel of a mask is: a number (of a palette image its index), or a colour."""
Name = Annotated[str, Field(min_length=1, max_length=200)]


def _lies_within(place: str) -> str:
    path = PurePosixPath(place.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or "\0" in place or not is_text(place):
        raise ValueError(f"{place[:80]!r} does not lie within data.path: give a place that starts there, without ..")
    return path.as_posix()


Place = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_lies_within)]


class Pairs(Section):
    """What is left out is found by a look at the folder, and `study init FOLDER` writes it down. A place may hold
    {part}, such as {part}/images: it stands for each folder that fits, such as train and val, whose names are then the
    column part."""

    format: Format | None = None
    """folders: images and masks as files; coco: outlines in one JSON file; parquet: Hugging Face's columns."""
    images: Place | None = None
    """The folder of the images (of parquet: their column), within data.path."""
    masks: Place | None = None
    """The folder of the masks (of coco: the JSON file; of parquet: their column), within data.path."""
    image_suffix: Annotated[str, Field(max_length=100)] = ""
    """What stands in an image's name between what it shares with its mask and its ending, such as _0000 of nnU-Net."""
    mask_suffix: Annotated[str, Field(max_length=100)] = ""
    """The same of a mask's name, such as _mask."""
    image_prefix: Annotated[str, Field(max_length=100)] = ""
    """What stands in an image's name before what it shares with its mask, such as img_."""
    mask_prefix: Annotated[str, Field(max_length=100)] = ""
    """The same of a mask's name, such as mask_."""
    classes: (
        Annotated[
            Annotated[tuple[Name, ...], Tag("[names]")] | Annotated[dict[Name, MaskValue], Tag("[values]")],
            Discriminator(lambda given: "[values]" if isinstance(given, dict) else "[names]"),
        ]
        | None
    ) = None
    """Class -> its value in the masks: a number, or a colour such as "#ff8000". A list of names has the values 0, 1,
    and so on. If not given: those of the format."""
    background: Name | None = None
    """The class that is the background. If not given: one called background, _background_ or bg, if there is one."""
    ignore: tuple[MaskValue, ...] = ()
    """Values of pixels that enter neither loss nor counts, such as 255."""
    image_maximum: Annotated[int, Field(ge=1, le=LARGEST_VALUE)] | None = None
    """The value in 16-bit images that becomes 255, such as 4095 if their numbers have 12 bits. If not given: 65535."""
    metadata: Place | None = None
    """A table (CSV) of columns, one of them file_name. If not given: metadata.csv, if there is one. With {part} each
    part has a table of its own, such as {part}/metadata.csv."""
    columns: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    """How the path of an image is made up: with "{patient}/{visit}_{number}" the image p7/2_013.png has patient p7,
    visit 2 and number 013, each a column."""

    @field_validator("columns")
    @classmethod
    def _is_a_pattern(cls, columns: str | None) -> str | None:
        if columns is not None:
            Pattern(columns)
        return columns

    @field_validator("classes", mode="before")
    @classmethod
    def _is_a_list_or_a_table(cls, given: Any) -> Any:
        if given is None or isinstance(given, list | tuple | dict):
            return given
        raise ValueError(f"must be a list of names, or a table of names and their values, not {repr(given)[:40]}")

    @field_validator("ignore", mode="before")
    @classmethod
    def _one_value_is_a_list(cls, given: Any) -> Any:
        return given if isinstance(given, list | tuple) else (given,)
