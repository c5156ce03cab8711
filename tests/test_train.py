"""One training, on a tiny data set: pure, honest about test images, and clear about divergence."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_study import write_data

from study.definition import Definition
from study.definition.file import parse
from study.prepare import Prepared, prepare
from trainers import batches as batches_module
from trainers import step as step_module
from trainers.batches import EvaluationImages, TrainingImages, make_batch, training_batches
from trainers.data.cut_outs.compositing import composite
from trainers.data.cut_outs.scenes import pools_of
from trainers.data.size import square
from trainers.evaluate import evaluate, latency
from trainers.names import NETWORKS
from trainers.recipe import Recipe
from trainers.train import Diverged, Job, Trained, train

RECIPE = Recipe().at(
    {
        "model.width": 0.25,
        "training.image_size": 16,
        "training.epochs": 4,
        "training.batch_size": 4,
        "training.learning_rate": 0.01,
    }
)
JOB = Job("icnet", "ce_dice", RECIPE, purpose=(0, "a trial"))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(small_definition(write_data(tmp_path_factory.mktemp("set"))))


def small_definition(data: Path) -> Definition:
    return parse(
        {
            "data": {"path": str(data)},
            "grid": {"splits": ["random_0"]},
            **RECIPE.model_dump(mode="json"),
        }
    )


def trained(study: Prepared, job: Job = JOB, source=None, **training: Any) -> Trained:
    recipe = job.recipe.at({f"training.{key}": value for key, value in training.items()})
    return train(replace(job, recipe=recipe), source or study.source, study.splits["random_0"])


def bits(done: Trained) -> list[bytes]:
    return [tensor.numpy().tobytes() for tensor in done.model.state_dict().values()]


def without_seconds(done: Trained) -> list[object]:
    return [replace(epoch, seconds=0.0) for epoch in done.history]


@pytest.mark.slow
@pytest.mark.parametrize("model", NETWORKS)
@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_the_same_training_twice_is_the_same_bits(study: Prepared, model, precision: str) -> None:
    job = replace(JOB, model=model)
    size = 16 if model == "icnet" else 32  # a batch norm needs more than one value a channel
    source = prepare(
        study.definition.model_copy(
            update={"training": study.definition.training.model_copy(update={"image_size": size})}
        )
    ).source
    first, again = (trained(study, job, source, precision=precision, epochs=2, image_size=size) for _ in range(2))
    assert bits(first) == bits(again)
    assert without_seconds(first) == without_seconds(again)
    assert first.selected_epoch == again.selected_epoch


@pytest.mark.slow
def test_another_purpose_is_another_training(study: Prepared) -> None:
    assert bits(trained(study)) != bits(trained(study, replace(JOB, purpose=(1, "a trial"))))


@pytest.mark.slow
def test_test_images_are_not_looked_at(study: Prepared) -> None:
    """With other pixels in every test image and its background, training gives the same bits; with others in training
    images it does not."""
    split = study.splits["random_0"]
    pools = pools_of(split.name, study.source.views, study.source.rules)

    def spoilt(samples: tuple[str, ...], backgrounds: tuple[str, ...]):
        objects = study.source.objects_NHWC.copy()
        objects[[study.source.index[sample] for sample in samples]] //= 2
        pixels = [
            255 - background if view.id in backgrounds else background
            for view, background in zip(study.source.views, study.source.backgrounds, strict=True)
        ]
        return replace(study.source, objects_NHWC=objects, backgrounds=tuple(pixels))

    expected = trained(study)
    for_test = trained(study, source=spoilt(split.test, pools.test))
    assert bits(for_test) == bits(expected)
    assert without_seconds(for_test) == without_seconds(expected)
    assert bits(trained(study, source=spoilt(split.train, ()))) != bits(expected)


@pytest.mark.slow
def test_the_weights_kept_are_those_of_the_lowest_validation_loss(study: Prepared) -> None:
    done = trained(study, epochs=6)
    losses = [epoch.val_loss for epoch in done.history]
    assert done.selected_epoch == 1 + int(np.argmin(losses))
    assert [epoch.epoch for epoch in done.history] == list(range(1, 7))
    shorter = trained(study, epochs=done.selected_epoch)
    assert bits(shorter) == bits(done), "what came after the selected epoch left no trace"


@pytest.mark.slow
def test_divergence_names_epoch_and_step(study: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    steps_an_epoch, true_loss, calls = len(study.splits["random_0"].train) // 4, step_module.total_loss, []

    def nan_at_the_third_step_of_the_second_epoch(name, outputs, target, weights):
        loss = true_loss(name, outputs, target, weights)
        if outputs[0].requires_grad:  # a training step, not validation
            calls.append(loss)
        return loss * float("nan") if len(calls) == steps_an_epoch + 3 else loss

    monkeypatch.setattr(step_module, "total_loss", nan_at_the_third_step_of_the_second_epoch)
    with pytest.raises(Diverged, match="the training loss became nan at epoch 2, step 3"):
        trained(study)


@pytest.mark.slow
def test_an_absurd_learning_rate_diverges(study: Prepared) -> None:
    with pytest.raises(Diverged, match="at epoch 1, "):
        trained(study, learning_rate=1e38)


@pytest.mark.slow
def test_evaluation_counts_every_pixel_of_every_image(study: Prepared) -> None:
    recipe, split, done = RECIPE.training, study.splits["random_0"], trained(study)
    counted = evaluate(done, JOB, study.source, split, split.test)
    assert counted.confusion_NKK.shape == (len(split.test), 3, 3)
    assert (counted.confusion_NKK.sum((1, 2)) == 16 * 16).all()
    labels = np.stack([labels for _, labels in study.source.for_evaluation(split, split.test)])
    assert (counted.confusion_NKK.sum(2)[:, 0] == (labels == 0).sum((1, 2))).all()
    assert (counted.confusion_NKK.sum(1)[:, 1] == (counted.predicted_NHW == 1).sum((1, 2))).all()
    cost = latency(done, recipe.size)
    assert 0 < cost.median <= cost.p95


def batches(study: Prepared, strength: float = 1.0, epoch: int = 1):
    split = study.splits["random_0"]
    images = TrainingImages(split, 4, square(16), strength, ("a trial",))
    return [make_batch(study.source, images, *which) for which in images.numbers(range(epoch, epoch + 1))]


def test_an_epoch_is_drawn_by_its_name(study: Prepared) -> None:
    for (a, la), (b, lb) in zip(batches(study), batches(study), strict=True):
        assert np.array_equal(a, b)
        assert np.array_equal(la, lb)
    assert not np.array_equal(batches(study, epoch=1)[0][0], batches(study, epoch=2)[0][0])


@pytest.mark.parametrize("ahead", [1, 3 * 4 * 16**2, 2**22])
def test_any_number_made_at_once_gives_the_same_batches(
    study: Prepared, ahead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches_module, "PIXELS_AHEAD", ahead)
    same_batches(study, torch.device("cpu"))


def test_a_gpu_is_given_the_same_batches_each_when_the_next_is_made(
    study: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As far as that can be told without one: where there is none, there is no page-locked memory."""
    monkeypatch.setattr(torch.Tensor, "pin_memory", torch.Tensor.clone)
    same_batches(study, torch.device("cuda"))
    made: list[int] = []

    def counted(*arguments):
        made.append(arguments[-1])
        return make_batch(*arguments)

    monkeypatch.setattr(batches_module, "make_batch", counted)
    images = TrainingImages(study.splits["random_0"], 4, square(16), 1.0, ("a trial",))
    batches, number = training_batches(study.source, images, range(1, 3), torch.device("cuda")), images.num_batches
    seen = [len(made) for _ in batches]
    assert seen == [*range(2, 2 * number + 1), 2 * number]


def same_batches(study: Prepared, device: torch.device) -> None:
    images = TrainingImages(study.splits["random_0"], 4, square(16), 1.0, ("a trial",))
    made = list(training_batches(study.source, images, range(2, 4), device))
    expected = batches(study, epoch=2) + batches(study, epoch=3)
    assert len(made) == len(expected) == 2 * images.num_batches
    for ours, alone in zip(made, expected, strict=True):
        assert np.array_equal(ours[0].numpy(), alone[0])
        assert np.array_equal(ours[1].numpy(), alone[1])


def test_an_epoch_shows_every_image_once_less_the_incomplete_batch(study: Prepared) -> None:
    """At strength 0 the labels are the untouched label maps, so the images can be told by them."""
    split = study.splits["random_0"]
    shown = np.concatenate([labels for _, labels in batches(study, strength=0.0)])
    assert len(shown) == len(split.train) // 4 * 4
    known = [study.source.labels_NHW[study.source.index[image]].tobytes() for image in split.train]
    counts = [known.count(labels.tobytes()) for labels in shown]
    assert min(counts) >= 1


def test_validation_and_test_images_stay_the_same(study: Prepared) -> None:
    split = study.splits["random_0"]
    first, again = ([image for image, _ in study.source.for_evaluation(split, split.test)] for _ in range(2))
    assert np.array_equal(first, again)
    row = study.source.index[split.test[0]]
    mask = study.source.coverage_NHW[row] == 255
    plain = composite(study.source.objects_NHWC[row], study.source.coverage_NHW[row], np.zeros((16, 16, 3), np.uint8))
    assert np.array_equal(first[0][mask], plain[mask])


def test_precision_follows_the_recipe() -> None:
    recipe = Definition().training
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        assert step_module.prepare_process(recipe.model_copy(update={"precision": name}))[1] == dtype
    assert torch.get_num_threads() == recipe.threads
    assert torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_evaluation_goes_through_all_images_in_their_order(study: Prepared, batch_size: int) -> None:
    """Kept or made anew each time; the last batch may be a smaller one."""
    split = study.splits["random_0"]
    images = EvaluationImages(study.source, split, split.test, batch_size)
    expected = [np.stack(parts) for parts in zip(*study.source.for_evaluation(split, split.test), strict=True)]
    sizes = [batch_size] * (len(split.test) // batch_size)
    sizes += [len(split.test) % batch_size] * (len(split.test) % batch_size > 0)
    for batches in (images, images, images.kept_on(torch.device("cpu"), square(16))):
        made = list(batches)
        assert [len(pixels) for pixels, _ in made] == [len(labels) for _, labels in made] == sizes
        for part, whole in zip(zip(*made, strict=True), expected, strict=True):
            assert np.array_equal(torch.cat(part).numpy(), whole)


def test_few_evaluation_images_are_kept_and_many_are_not(study: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    split = study.splits["random_0"]
    images, bytes_of_all = EvaluationImages(study.source, split, split.val, 4), len(split.val) * 16 * 16 * 4
    for most, is_kept in ((bytes_of_all, True), (bytes_of_all - 1, False)):
        monkeypatch.setattr(batches_module, "MOST_KEPT", most)
        assert (images.kept_on(torch.device("cpu"), square(16)) is not images) == is_kept


@pytest.mark.slow
def test_a_training_is_the_same_whether_its_validation_images_are_kept(
    study: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = trained(study, epochs=2)
    monkeypatch.setattr(batches_module, "MOST_KEPT", 0)
    anew = trained(study, epochs=2)
    assert bits(anew) == bits(kept)
    assert without_seconds(anew) == without_seconds(kept)


EVERYTHING = {
    "optimizer": "adamw",
    "schedule": "one_cycle",
    "weight_decay": 0.1,
    "gradient_clipping": 0.5,
    "weight_averaging": 0.9,
}


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [{}, EVERYTHING, {"optimizer": "sgd", "schedule": "cosine", "warmup_epochs": 1.0}])
def test_from_every_epoch_on_it_is_the_same_training(study: Prepared, recipe: dict[str, Any]) -> None:
    kept: list[Any] = []
    job = replace(JOB, recipe=RECIPE.at({f"training.{key}": value for key, value in recipe.items()}))
    split = study.splits["random_0"]
    whole = train(job, study.source, split, lambda epoch, state: kept.append(copy.deepcopy(state())))
    assert len(whole.history) == len(kept) == 4
    for state in kept:
        resumed = train(job, study.source, split, resume=state)
        assert bits(resumed) == bits(whole)
        assert without_seconds(resumed) == without_seconds(whole)
    if recipe:
        assert len({epoch.learning_rate for epoch in whole.history}) == 4
        assert bits(whole) != bits(trained(study))


@pytest.mark.slow
def test_a_training_that_finds_no_lower_loss_ends_early_with_the_same_bits(study: Prepared) -> None:
    """Wherever it is resumed, too."""
    kept: list[Any] = []
    longest = trained(study, epochs=40, learning_rate=0.05)
    job = replace(
        JOB, recipe=RECIPE.at({"training.epochs": 40, "training.learning_rate": 0.05, "training.early_stopping": 2})
    )
    split = study.splits["random_0"]
    early = train(job, study.source, split, lambda epoch, state: kept.append(copy.deepcopy(state())))
    losses = [epoch.val_loss for epoch in longest.history]
    ends = next(n for n in range(1, 41) if n - (1 + int(np.argmin(losses[:n]))) >= 2)
    assert ends < 40
    assert [epoch.epoch for epoch in early.history] == list(range(1, ends + 1))
    assert [epoch.val_loss for epoch in early.history] == losses[:ends]
    assert early.selected_epoch == ends - 2
    again = train(job, study.source, split, resume=kept[-1])
    assert bits(again) == bits(early)
    assert without_seconds(again) == without_seconds(early)
