"""The model card: what is known of a model's stability, handed over with it, as Markdown and as JSON.

The Markdown is laid out as Hugging Face's cards are: fields for machines first, then text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from study.cells import Trial
from study.commands.ask_analysis import ask_analysis, place_of
from study.definition import Definition
from study.definition.point import Point
from study.export.choice import Choice
from study.results.digests import Row
from study.summary import MIN_IMAGES
from trainers.data.class_names import names_in_tables
from trainers.dice import ALL
from trainers.model_description import Description
from trainers.printable import counted

CARD, CARD_FOR_PROGRAMS = "README.md", "model_card.json"
_SCORES = "Scores over random splits, and on each held-out split"
_MEAN_OF_CLASSES, _AVERAGING = "mean of classes", "ew"


def write_card(
    folder: Path,
    out: str,
    definition: Definition,
    committed: Mapping[Trial, Row],
    choice: Choice,
    description: Description,
    checked: Sequence[str] = (),
) -> None:
    """Ask `analysis` about the study at OUT, and write both forms of the card.

    :param checked: what was found when other formats were compared with torch, in sentences.
    """
    card = card_of(answer_about(out, choice, definition), definition, committed, choice, description) | {
        "checked": checked
    }
    (folder / CARD_FOR_PROGRAMS).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    (folder / CARD).write_text(in_markdown(card, definition), encoding="utf-8")


def answer_about(out: str, choice: Choice, definition: Definition) -> dict[str, Any]:
    """What `analysis stability` says: of tuned trials, if the chosen one is the search's, or a refit after a search,
    whose point and epochs the tuned trials have told."""
    searched = definition.search.trials > 1
    select = "tuned" if any(trial.index or (trial.is_refit and searched) for trial in choice.trials) else "default"
    answer: dict[str, Any] = json.loads(ask_analysis("stability", place_of(out), "--select", select, "--json").stdout)
    return answer | {"select": select}


def card_of(
    answer: Mapping[str, Any],
    definition: Definition,
    committed: Mapping[Trial, Row],
    choice: Choice,
    description: Description,
) -> dict[str, Any]:
    """All facts of the card."""
    first = choice.trials[0]
    model, loss = first.cell.model, first.cell.loss
    scores = [
        row
        for row in answer["tables"][_SCORES]
        if (row["model"], row["loss"], row["averaging"]) == (model, loss, _AVERAGING)
    ]
    of_classes = {row["class"]: row for row in scores if not row.get("axis") or row["axis"] == scores[0].get("axis")}
    row = committed[first]
    return {
        "model": model,
        "loss": loss,
        "selection": answer["select"],
        "trained_on_all_images": first.is_refit,
        "chosen": choice.why,
        "members": [{"trial": trial.id, **_of_training(committed[trial])} for trial in choice.trials],
        "labels": description.labels,
        "labels_in_tables": names_in_tables(description.labels),
        "expected": _expected(of_classes.pop(_MEAN_OF_CLASSES)),
        "held_out": [_of_axis(each) for each in scores if each["class"] == _MEAN_OF_CLASSES and each["num_held_out"]],
        "classes": {name: _expected(each) for name, each in of_classes.items()},
        "false_classes": _false_classes(answer, model, loss),
        "verdict": answer["findings"],
        "data": {"fingerprint": row["data_fingerprint"], "num_train": row["num_train"], "num_test": row["num_test"]},
        "recipe": definition.keys_that_decide_a_trial(),
        "recipe_digest": row["recipe_digest"],
        "code": row["code"],
        "git_commit": row["git_commit"],
        "versions": json.loads(row["versions"]),
    }


def _of_training(row: Row) -> dict[str, Any]:
    names = ("split", "seed", "objective", "selected_epoch", "num_train", "device", "precision", "train_seconds")
    return {name: row[name] for name in names} | {"point": json.loads(row["point"])}


def _expected(row: Mapping[str, Any]) -> dict[str, Any]:
    """Of the mean over random splits: how it is known, and how far one more training may lie from it (95 %)."""
    names = ("num_splits", "num_seeds", "mean", "mean_low", "mean_high", "sd", "sd_low", "sd_high", "expected_within")
    return {name: row[name] for name in (*names, "minimum", "note")}


def _of_axis(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"axis": row.get("axis") or ""} | {
        name: row[name] for name in ("num_held_out", "held_out_mean", "gap", "gap_low", "gap_high")
    }


def _false_classes(answer: Mapping[str, Any], model: str, loss: str) -> list[dict[str, Any]]:
    """Which class is predicted in images that do not show it, and how often, by kind of split."""
    rows = answer["tables"].get("Rate by class, mean and extremes over trials", [])
    own = [row for row in rows if (row["model"], row["loss"]) == (model, loss)]
    names = ("split_kind", "axis", "class", "num_images", "num_false", "rate")
    return [{name: row.get(name) for name in names} for row in own]


def in_markdown(card: Mapping[str, Any], definition: Definition) -> str:
    return "\n".join([*_front_matter(card), *_text(card, definition)]) + "\n"


def _front_matter(card: Mapping[str, Any]) -> Iterator[str]:
    yield "---"
    yield "library_name: segmentation-stability"
    yield "pipeline_tag: image-segmentation"
    yield "tags: [image-segmentation, semantic-segmentation, model-stability]"
    yield "metrics: [dice]"
    yield "license:  # TO FILL: of the weights; mind that of the images"
    yield "datasets: []  # TO FILL"
    yield "---"


def _text(card: Mapping[str, Any], definition: Definition) -> Iterator[str]:
    expected, several = card["expected"], len(card["members"]) > 1
    yield f"# {card['model']}, {card['loss']}: {', '.join(card['labels'])}"
    yield ""
    what = f"{counted(len(card['members']), 'network')}, whose probabilities are averaged" if several else "One network"
    yield f"{what}, of the study `{definition.name}`: {card['chosen']}."
    yield ""
    yield "## What to expect of it"
    yield ""
    yield from _of_refit(card)
    yield from _expectation(expected)
    for axis in card["held_out"]:
        yield _of_held_out(axis)
    if several:
        yield "These figures are of single networks trained on one split each."
    elif not card["trained_on_all_images"]:
        yield _own(card)
    yield ""
    yield "| class | mean Dice (95 % interval) | one more training within | lowest on a random split |"
    yield "|---|---|---|---|"
    labels = dict(zip(card["labels_in_tables"], card["labels"], strict=True)) | {ALL: "all pixels"}
    yield from (_row(_named(name, labels[name]), each) for name, each in card["classes"].items())
    yield ""
    yield from _of_false_classes(card["false_classes"])
    yield "## The verdict on the study"
    yield ""
    for finding in card["verdict"]:
        yield f"**{finding['question']}**"
        yield ""
        yield from (f"* {point}" for point in finding["points"])
        yield ""
    yield "## How it was made"
    yield ""
    yield from _making(card)
    yield "## Licence, use and limits"
    yield ""
    yield "TO FILL: whose images these are, what the model may be used for, and what it must not be used for."


def _of_refit(card: Mapping[str, Any]) -> Iterator[str]:
    """Of a network that no image was left to test on, where the figures come from."""
    if card["trained_on_all_images"]:
        num_images = counted(card["data"]["num_train"], "image")
        yield (
            f"**Not measured on this very network: it was trained on all {num_images}, and none was left to test it "
            "on.** The figures are the study's, of networks of this configuration that were trained on fewer images, "
            "one split each."
        )
        yield ""


def _expectation(expected: Mapping[str, Any]) -> Iterator[str]:
    if expected["mean"] is None:
        yield f"No mean of classes: {expected['note']}."
        return
    over = counted(expected["num_splits"], "random split")
    yield f"Mean Dice of the classes, over {over}, with its 95 % interval: **{_interval(expected, 'mean')}**."
    if expected["expected_within"] is not None:
        low, high = (expected["mean"] + sign * expected["expected_within"] for sign in (-1, 1))
        within = f"{max(low, 0):.2f} to {min(high, 1):.2f}"
        yield f"Expect one more training on a new random split of these images to score {within} (95 %)."
    if expected["note"]:
        yield f"({expected['note']}.)"


def _of_held_out(axis: Mapping[str, Any]) -> str:
    name = " ".join(filter(None, ["held-out", axis["axis"], "split" if axis["num_held_out"] == 1 else "splits"]))
    mean = axis["held_out_mean"]
    shown = "no score" if mean is None else f"{mean:.3f}"
    if axis["gap"] is None:
        return f"On {axis['num_held_out']} {name}: {shown}."
    verb = "lower" if axis["gap"] >= 0 else "higher"
    ends = (
        ""
        if axis["gap_low"] is None
        else f" (95 % interval of the drop {axis['gap_low']:.3f} to {axis['gap_high']:.3f})"
    )
    return f"On {axis['num_held_out']} {name}: {shown}, {abs(axis['gap']):.3f} {verb}{ends}."


def _own(card: Mapping[str, Any]) -> str:
    member = card["members"][0]
    objective = "none" if member["objective"] is None else f"{member['objective']:.3f}"
    return f"Its own validation Dice, by which it was chosen and which is therefore probably too high: {objective}."


def _named(name: str, label: str) -> str:
    """A class by its label, and by what the study's tables and the verdict call it, where that is another name."""
    return label if name == label else f"{label} ({name})"


def _row(name: str, row: Mapping[str, Any]) -> str:
    def shown(key: str, sign: str = "") -> str:
        return "" if row[key] is None else f"{sign}{row[key]:.3f}"

    return f"| {name} | {_interval(row, 'mean')} | {shown('expected_within', '±')} | {shown('minimum')} |"


def _interval(row: Mapping[str, Any], name: str) -> str:
    if row[name] is None:
        return "no score"
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return f"{row[name]:.3f}" + ("" if low is None else f" ({low:.3f} to {high:.3f})")


def _of_false_classes(rows: list[dict[str, Any]]) -> Iterator[str]:
    seen = [row for row in rows if row["num_false"] and row["num_images"] >= MIN_IMAGES]
    if not seen:
        return
    yield "Predicted where it is not there, most often:"
    yield ""
    for row in sorted(seen, key=lambda row: -row["rate"])[:3]:
        kind = "held-out" if row["split_kind"] == "held_out" else row["split_kind"]
        images = counted(row["num_images"], "test image")
        yield f"* {row['class']} on {kind} splits, in {row['num_false']} of {images} without it"
    yield ""


def _making(card: Mapping[str, Any]) -> Iterator[str]:
    for member in card["members"]:
        point, epoch = str(Point(member["point"])), member["selected_epoch"]
        trained = (
            f"all {counted(member['num_train'], 'image')}, {counted(epoch, 'epoch')}"
            if card["trained_on_all_images"]
            else f"{member['num_train']} training images of split {member['split']}, the weights of epoch {epoch}"
        )
        yield f"* `{member['trial']}`: {trained}, on {member['device']}{f'; {point}' if point else ''}"
    yield f"* Data: fingerprint `{card['data']['fingerprint']}`"
    yield f"* Recipe: digest `{card['recipe_digest']}`; all its keys are in `{CARD_FOR_PROGRAMS}`"
    if card["code"]:
        yield f"* Code of others: {card['code']}"
    yield from (f"* {sentence}" for sentence in card["checked"])
    yield f"* Versions: {', '.join(f'{name} {version}' for name, version in card['versions'].items())}"
    yield ""
