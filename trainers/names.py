"""Names of networks and losses: a built-in one, or a dotted path such as `mypkg.nets:MyNet`. Imports nothing heavy."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import reduce
from importlib import import_module
from typing import Any

from trainers.printable import did_you_mean

NETWORKS = {
    "icnet": "trainers.networks.icnet:ICNet",
    "unet": "trainers.networks.unet:UNet",
    "icnet_cascade": "trainers.networks.icnet_cascade:ICNetCascade",
    "fcn": "trainers.networks.fcn:FCN",
    "pspnet": "trainers.networks.pspnet:PSPNet",
    "refinenet": "trainers.networks.refinenet:RefineNet",
    "wide_resnet": "trainers.networks.wide_resnet:WideResNet",
    "duc_hdc": "trainers.networks.duc_hdc:DUCHDC",
    "bisenet": "trainers.networks.bisenet:BiSeNet",
    "swiftnet": "trainers.networks.swiftnet:SwiftNet",
}
LOSSES = {
    "ce": "trainers.losses.cross_entropy:cross_entropy",
    "ce_dice": "trainers.losses.overlap:cross_entropy_dice",
    "ce_weighted": "trainers.losses.cross_entropy:weighted_cross_entropy",
    "ce_smoothed": "trainers.losses.cross_entropy:smoothed_cross_entropy",
    "focal": "trainers.losses.cross_entropy:focal",
    "tversky": "trainers.losses.overlap:tversky",
    "lovasz": "trainers.losses.lovasz:lovasz_softmax",
}
"""Built-in name -> where it is."""
_OF_LOSSES = {
    "ce_weighted": {"weights"},
    "ce_smoothed": {"smoothing"},
    "focal": {"gamma"},
    "tversky": {"alpha", "beta"},
}
NEEDED = {"ce_weighted": "weights"}
"""Built-in name -> the argument without which it is none."""
LONGEST_NAME = 80
"""Characters: two names, a split and numbers have to fit into the name of a file."""
_DOTTED_PATH = re.compile(r"[A-Za-z]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
_COLON_IN_FILES = "~"
"""Stands for the colon of a dotted path in the names of files, where a colon is not allowed everywhere."""


def arguments_of(name: str) -> frozenset[str]:
    """Those that a built-in network or loss takes, so that they can be checked without a look at its code."""
    return frozenset({"width"} if name in NETWORKS else _OF_LOSSES.get(name, ()))


class NotFound(Exception):
    """A dotted path leads nowhere. The message says where it ends."""


def is_dotted_path(name: str) -> bool:
    """Whether a name has the form of one: `module:attribute`, in ASCII, the module's name beginning with a letter."""
    return _DOTTED_PATH.fullmatch(name) is not None and len(name) <= LONGEST_NAME


def in_file_names(name: str) -> str:
    """A network's or loss's name as files can have it; it has no hyphen."""
    return name.replace(":", _COLON_IN_FILES)


def from_file_names(text: str) -> str:
    """The name of which `in_file_names` gave the text."""
    return text.replace(_COLON_IN_FILES, ":")


def module_of(name: str) -> str:
    """Of a dotted path, the module."""
    return name.partition(":")[0]


def find(name: str, built_in: Mapping[str, str]) -> Any:
    """What a name stands for. Raises NotFound."""
    path = built_in.get(name, name)
    module, _, attributes = path.partition(":")
    try:
        found: Any = import_module(module)
    except (Exception, SystemExit) as error:  # whatever somebody else's module does when it is imported
        raise NotFound(f"{name}: {module} cannot be imported: {type(error).__name__}: {error}") from error
    try:
        return reduce(getattr, attributes.split("."), found)
    except AttributeError as error:
        raise NotFound(f"{name}: {error}") from error


def refuse_untaken(name: str, taken: Collection[str], given: Collection[str]) -> None:
    """Raises NotFound, which names what is taken, for arguments that are given and not taken."""
    if problem := untaken(name, taken, given):
        raise NotFound(problem)


def untaken(name: str, taken: Collection[str], given: Collection[str]) -> str:
    """What is wrong with arguments that are given and not taken; empty if all are."""
    wrong = sorted(set(given) - set(taken))
    if not wrong:
        return ""
    takes = f"it takes {', '.join(sorted(taken))}" if taken else "it takes none of yours"
    return f"{name} takes no {' and no '.join(wrong)}: {takes}{did_you_mean(wrong[0], taken)}"
