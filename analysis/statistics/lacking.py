"""Why a topic or a statistic has nothing to say of the scores at hand: a reason in a few words, or nothing."""

from __future__ import annotations

from analysis.axes import axes_of
from analysis.scores import CONFIGURATION, HELD_OUT, MATCHED, OTHER_KINDS, RANDOM, count_of
from analysis.shown import pairs_of
from analysis.statistics.causes import ONE_SEED
from analysis.statistics.material import Material
from analysis.statistics.more_images import shares_of
from analysis.statistics.other_splits import MATCHED_PREFIX


def comparable(material: Material) -> str:
    """Two configurations are needed."""
    return "" if material.num_configurations > 1 else "one configuration"


def several_classes(material: Material) -> str:
    return "" if material.num_classes > 1 else "one class"


def comparable_or_several_classes(material: Material) -> str:
    return " and ".join([comparable(material), several_classes(material)]) if _neither(material) else ""


def _neither(material: Material) -> bool:
    return bool(comparable(material) and several_classes(material))


def pairs(material: Material) -> str:
    """A pair differs in the network or in the loss, and is compared on random splits."""
    if reason := comparable(material) or random_splits(material):
        return reason
    return "" if pairs_of(material.table) else "no two configurations differ in the network or the loss alone"


def random_splits(material: Material) -> str:
    return "" if material.num_splits(RANDOM) else "no random splits"


def held_out_splits(material: Material) -> str:
    """And random ones, with which they are compared."""
    return random_splits(material) or ("" if material.num_splits(HELD_OUT) else "no held-out splits")


def other_splits(material: Material) -> str:
    return "" if any(map(material.num_splits, OTHER_KINDS)) else "no folds, given or matched splits"


def shares(material: Material) -> str:
    """Learning curves need some, and how many images they are."""
    if not shares_of(material.shares):
        return "no shares of training images"
    return "" if material.scores.num_trained else "how many images each split trains on is not known"


def held_out_shares(material: Material) -> str:
    """A curve of the gap needs shares of held-out splits beside those of random ones."""
    there = any(shares_of(material.shares, HELD_OUT, axis) for axis in axes_of(material.shares))
    return shares(material) or ("" if there else "no shares of held-out splits")


def matched_splits(material: Material) -> str:
    """Of held-out splits: of others there is no gap."""
    kinds = material.scores.table.drop_duplicates("split").set_index("split")["split_kind"]
    matched = (kinds.get(f"{MATCHED_PREFIX}{name}") == MATCHED for name in kinds.index[kinds == HELD_OUT])
    return random_splits(material) or ("" if any(matched) else "no held-out split has a matched one")


def variance(material: Material) -> str:
    """Shares of a variance need two configurations on two random splits."""
    few = material.num_splits(RANDOM) < 2
    return comparable(material) or (count_of(material.num_splits(RANDOM), "random splits") if few else "")


def images(material: Material) -> str:
    return material.by_image if isinstance(material.by_image, str) else ""


def two_seeds(material: Material) -> str:
    """Splits and seeds are told apart where a random split has two."""
    random = material.table[material.table["split_kind"] == RANDOM]
    if random.empty:
        return random_splits(material)
    return "" if random.groupby([*CONFIGURATION, "split"])["seed"].nunique().max() > 1 else ONE_SEED


def searched(material: Material) -> str:
    """More trials than one in some cell."""
    return "" if (material.facts.completed["index"] > 0).any() else "no search"


def same_metric(material: Material) -> str:
    """Validation scores, which are Dice, are set against test scores."""
    metric = material.scores.metric
    return "" if metric.is_dice else f"validation scores are Dice, and cannot be compared with {metric.in_words}"


def candidates(material: Material) -> str:
    """Accuracy against cost needs two of them: configurations, or points of the search."""
    return comparable(material) and searched(material) and "one configuration, no search"


def two_objectives(material: Material) -> str:
    """A search by a cost, too."""
    return searched(material) or ("" if material.cost else "the search goes by the Dice alone")
