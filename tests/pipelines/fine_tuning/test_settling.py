"""What is settled before a training: mirroring by dev, and a time as passes, once."""

from __future__ import annotations

import logging
import sys

import numpy as np
import pytest

from graft.errors import GraftError
from graft.parameters.fine_tuning import AugmentationParameters, FineTuningParameters
from graft.pipelines.fine_tuning import settling
from graft.pipelines.fine_tuning.settling import apply_settled, augments, settle_fine_tuning
from graft.training.backup import TrainingBackup
from helpers.fine_tuning import CLASSES, HEAD, OFF, extract, make_models, train_head

GIVEN = {
    "recipe": "auto", "activation_cache": True, "activation_dtype": "float32",
    "activation_batch_size": 8, "augmentation": {**OFF, "horizontal_flip": "auto"},
    "batch_size": 8, "seed": 0,
}  # fmt: skip
AUTO = FineTuningParameters.model_validate(GIVEN)
FEW = HEAD.model_copy(update={"epochs": 5, "patience": 5})


def settle(images, splits, folder, parameters=AUTO) -> dict:
    backbone, _ = make_models()
    features = head = None
    if parameters.augmentation.horizontal_flip == "auto":
        features = extract(images, splits, folder)
        head = train_head(features, splits, FEW)
    backup = TrainingBackup(folder / "backup")
    return settle_fine_tuning(backbone, head, features, images, splits, CLASSES, backup, parameters)


@pytest.fixture
def many(splits):
    """Two hundred pictures, all of which but a few are of dev."""
    rows = np.arange(200) % 18
    side = np.where(np.arange(200) < 60, "train", "dev")
    return splits.iloc[rows].assign(
        image_id=[f"{number:03d}.png" for number in range(200)],
        split=side, cluster=np.arange(200),
    ).reset_index(drop=True)  # fmt: skip


@pytest.mark.parametrize("kind", ["brightness", "side"])
def test_pictures_are_mirrored_where_a_mirrored_one_is_still_right(
    kind, many, tmp_path, caplog
) -> None:
    images = np.random.default_rng(0).integers(0, 60, (200, 8, 8, 3)).astype(np.uint8)
    light = many["label_index"].to_numpy(bool)
    if kind == "brightness":
        images[light] += 180
    else:
        # Light on the left or on the right: each is the mirror image of the other.
        images[light, :, :4] += 180
        images[~light, :, 4:] += 180
    with caplog.at_level(logging.INFO):
        found = settle(images, many, tmp_path)
    mirroring = found["mirroring"]
    assert mirroring["pictures"] == 140
    assert mirroring["accuracy"] > 0.95
    assert mirroring["is_allowed"] == (kind == "brightness")
    assert mirroring["worse"] == ([] if kind == "brightness" else CLASSES)
    assert apply_settled(AUTO, found).augmentation.horizontal_flip == (kind == "brightness")
    told = " ".join(" ".join(record.getMessage().split()) for record in caplog.records)
    assert ("pictures are mirrored" in told) == (kind == "brightness")
    assert found["budget"] == {}


def test_nobody_is_asked_where_nothing_is_to_be_found(many, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(settling, "_test_mirroring", None)
    images = np.zeros((200, 8, 8, 3), np.uint8)
    for flip in (True, False):
        told = AUTO.model_copy(
            update={"augmentation": AugmentationParameters(**{**OFF, "horizontal_flip": flip})}
        )
        assert settle(images, many, tmp_path, told) == {"mirroring": {}, "budget": {}}
        assert apply_settled(told, {"mirroring": {}, "budget": {}}) == told
    monkeypatch.setattr(sys.modules[__name__], "extract", lambda *_: None)
    monkeypatch.setattr(sys.modules[__name__], "train_head", lambda *_: None)
    alone = AUTO.model_copy(update={"recipe": "last_block"})
    found = settle(images, many, tmp_path, alone)
    assert found["mirroring"] == {}
    assert not apply_settled(alone, found).augmentation.horizontal_flip


def test_custom_trainings_augment_if_views_are_stored_or_nothing_is() -> None:
    custom = AUTO.model_copy(update={"recipe": "custom", "views": 0})
    assert not augments(custom)
    for change in ({"views": 1}, {"unfreeze": "all"}, {"activation_cache": False}):
        assert augments(custom.model_copy(update=change))


def test_a_time_is_turned_into_passes_once_and_they_stay(
    many, tmp_path, monkeypatch, caplog
) -> None:
    speeds = iter([0.5, 0.1, 0.25])
    monkeypatch.setattr(settling, "time_pass_of", lambda *_: next(speeds))
    images = np.zeros((200, 8, 8, 3), np.uint8)
    plain = AugmentationParameters(**OFF)
    timed = AUTO.model_copy(update={"budget": "5 min", "augmentation": plain})
    with caplog.at_level(logging.INFO):
        first = settle(images, many, tmp_path, timed)
    passes = first["budget"]["passes"]
    assert first["budget"]["given"] == "5 min"
    assert apply_settled(timed, first).budget == passes > 0
    assert f"5 min are {passes:.0f} passes" in caplog.text
    # Another run finds the machine five times as fast, and the same race.
    assert settle(images, many, tmp_path, timed) == first
    longer = settle(images, many, tmp_path, timed.model_copy(update={"budget": "10 min"}))
    assert longer["budget"]["passes"] > 2 * passes
    assert (
        settle(images, many, tmp_path, AUTO.model_copy(update={"augmentation": plain}))["budget"]
        == {}
    )


@pytest.mark.parametrize(
    ("given", "seconds"), [("90 s", 90), ("1.5 min", 90), ("2h", 7200), (125, None)]
)
def test_a_budget_is_a_number_of_passes_or_a_time(given, seconds) -> None:
    parameters = FineTuningParameters.model_validate({**GIVEN, "budget": given})
    assert parameters.budget_seconds == seconds


@pytest.mark.parametrize("given", ["5", "5 days", "0 s", "", -1, 0, True, float("inf")])
def test_any_other_budget_is_refused(given) -> None:
    with pytest.raises(GraftError, match="a time above 0 with its unit: 90 s, 5 min, 1 h; got"):
        FineTuningParameters.model_validate({**GIVEN, "budget": given})
