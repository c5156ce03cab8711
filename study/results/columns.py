"""What each column of a study's tables says: a sentence for docs/reference/tables.md."""

from __future__ import annotations

FACTORS = {
    "trial": "The trial's name, from which its cell and index can be read, such as `icnet-ce-random_3-s0-t00`.",
    "model": "The network's name in the definition.",
    "loss": "The loss's name in the definition.",
    "split": "The split's name.",
    "split_kind": "`random`, `held_out`, `fold`, `given`, `matched` or `share`; `all` of a refit, which tests nothing.",
    "axis": "What a held-out split holds out, such as `angle` or `patient`; empty for other kinds.",
    "seed": "The seed of the cell, one of `grid.seeds`.",
    "index": "The trial's number in its cell; 0 is the default point.",
    "rung": "With halving: the rung, in epochs, at which this part of a training was compared. Of a refit: its epochs.",
    "point": "JSON: each searched key with the value that the search gave it.",
    "width": "The network's `width`, where it takes one.",
    "strength": "The strength of augmentation.",
}
"""Columns that several tables share."""

COLUMNS: dict[str, dict[str, str]] = {
    "dice": FACTORS
    | {
        "partition": "`val` or `test`.",
        "class": "A class; `bg` is the background, whatever the definition calls it; `all` is over all classes.",
        "dice_pw": "Dice, mean over the images in which the class counts, weighted by TP + FP + FN; null if undefined.",
        "dice_ew": "Dice, plain mean over the images in which the class counts; null if undefined.",
        "dice_pooled": "Dice of the pixel counts of all images together; null if undefined.",
        "num_images": "Images in which the class counts; for `all`, the sum over the classes.",
        "false_images": "Those of `num_images` that do not show the class.",
    },
    "confusion": {
        "trial": FACTORS["trial"],
        "partition": "`val` or `test`.",
        "image": "The sample's id.",
        "truth": "The class that the labels give to the pixels.",
        "predicted": "The class that the network gives to them.",
        "pixels": "How many such pixels there are; a pair of classes without any has no row.",
    },
    "boundary": {
        "trial": FACTORS["trial"],
        "partition": "`val` or `test`.",
        "image": "The sample's id.",
        "class": "A class.",
        "side": "Whose boundary: `truth` or `predicted`.",
        "distance": "Pixels to the other side's boundary, rounded up; null beyond 10, or if the other side has none.",
        "pixels": "How many boundary pixels lie at that distance.",
    },
    "history": {
        "trial": FACTORS["trial"],
        "epoch": "The epoch, from 1.",
        "train_loss": "The mean loss over the epoch's training batches.",
        "val_loss": "The loss on the validation samples after the epoch.",
        "objective": "The mean over the classes of the example-wise Dice on the validation samples.",
        "learning_rate": "The learning rate of the epoch's last step.",
        "seconds": "How long the epoch took.",
    },
    "masks": {
        "trial": FACTORS["trial"],
        "image": "The id of a test sample.",
        "mask": "The predicted label map at the working size, padding included: the bytes of a PNG.",
    },
    "trials": FACTORS
    | {
        "status": "`completed`, or `failed` if the loss became NaN or infinite.",
        "error": "Why the trial failed; null if it did not.",
        "selected_epoch": "The epoch whose weights were tested: that of the lowest validation loss.",
        "objective": "The objective (validation Dice) at the selected epoch: what the search maximises.",
        "num_train": "Samples trained on.",
        "num_val": "Samples validated on.",
        "num_test": "Samples tested.",
        "parameters": "Numbers that the network holds, the statistics of batch norms included.",
        "gflops": "10^9 operations to predict one image; a multiply-add counts as two.",
        "latency_ms_median": "Milliseconds to predict one image: the median.",
        "latency_ms_p95": "Milliseconds to predict one image: the 95th percentile.",
        "train_seconds": "How long the training took.",
        "images_per_second": "Images trained on per second.",
        "device": "`cpu`, or the name of the GPU.",
        "precision": "The type of numbers of the forward pass, such as `bfloat16`.",
        "deterministic": "Whether operations that do not give the same bits every time were refused.",
        "host": "The machine's name.",
        "started": "When the trial began (UTC).",
        "finished": "When it was written (UTC).",
        "recipe_digest": "Identifies the recipe: equal digests, equal recipes.",
        "data_fingerprint": "Identifies the data set by its pixels and names.",
        "split_fingerprint": "Identifies the split's division of the samples.",
        "code": "JSON: which code a network or loss that is not built in had; null for built-in ones.",
        "git_commit": "The commit of this project, where it is known.",
        "versions": "JSON: versions of what decides the numbers, such as torch, and of this project.",
        "digests": "JSON: table -> digest of the trial's file, which shows whether the file is lost or altered.",
    },
}
"""Table -> column -> what it says."""

ABOUT = {
    "dice": "One row per trial, partition and class: the scores.",
    "confusion": "Pixels by image, truth and prediction: every score can be computed from them without training again.",
    "boundary": "Boundary pixels by their distance from the other side's: the surface Dice at any tolerance.",
    "history": "One row per trial and epoch.",
    "masks": "What each trial predicted on its test images.",
    "trials": "One row per trial. Its file is written last, in one step: a trial without a file here does not count.",
}
"""Table -> what its rows are."""
