"""The bake-off: every backbone that can be had is scored, and a second one takes over features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from graft.errors import GraftError
from graft.parameters.base import BackboneParameters
from graft.parameters.fine_tuning import FineTuningParameters
from graft.parameters.pictures import DecodingParameters
from graft.parameters.training import HeadTrainingParameters
from graft.pipelines.bake_off import nodes
from graft.pipelines.bake_off.nodes import draw_bake_off, find_front, probe_backbones
from graft.pipelines.bake_off.parameters import BakeOffParameters
from graft.sources.source import ImageSource
from graft.training.backup import TrainingBackup

HEAD = HeadTrainingParameters(
    dropout=0.0, learning_rate=0.01, batch_size=4, epochs=4, patience=3, seed=0
)
DECODING = DecodingParameters(
    image_size=8, max_pixels=10_000, seconds_per_picture=10, memory_mb=512, workers=1
)
TUNING = FineTuningParameters(
    recipe="auto", activation_cache=True, activation_dtype="float16", activation_batch_size=4,
    batch_size=10, seed=0,
    augmentation={
        "rotation": 0, "zoom": 0, "shift": 0, "shear": 0, "horizontal_flip": False,
        "fill_mode": "nearest", "brightness": 0, "contrast": 0,
    },
)  # fmt: skip
BACKBONE = BackboneParameters(name="small_cnn", weights="printed_letters", image_size=8, seed=0)


def _make(backbones: str) -> BakeOffParameters:
    return BakeOffParameters(
        backbones=backbones, folds=2, race_budget=0, batch_size=4, confidence=0.95, seed=0
    )


def _probe(
    tmp_path: Path,
    source: ImageSource,
    splits: pd.DataFrame,
    backbones: str,
    race_budget: float = 0,
) -> pd.DataFrame:
    return probe_backbones(
        source, splits, ["dark", "light"], TrainingBackup(tmp_path / "backup"), BACKBONE,
        DECODING, HEAD, TUNING, _make(backbones).model_copy(update={"race_budget": race_budget}),
    )  # fmt: skip


# MobileNetV2 cannot be built so small: a reason of its own, and no download.
WANTED = "small_cnn@8+MobileNetV2@8+small_cnn@16"


@pytest.fixture
def without_download(monkeypatch: pytest.MonkeyPatch) -> None:
    build = nodes._build

    def refuse(name: str, *arguments: object) -> object:
        if name == "MobileNetV2":
            raise GraftError("the ImageNet weights of MobileNetV2 are not here; got 'x'")
        return build(name, *arguments)

    monkeypatch.setattr(nodes, "_build", refuse)


@pytest.fixture(scope="module")
def known() -> list[tuple[Path, pd.DataFrame, list[str]]]:
    """The probe of :func:`probed`, once it was made."""
    return []


@pytest.fixture
def probed(
    without_download, known, tmp_path_factory: pytest.TempPathFactory, source: ImageSource,
    splits: pd.DataFrame,
) -> tuple[Path, pd.DataFrame, list[str]]:  # fmt: skip
    """A first probe: its folder, its table, and the pictures that it has read."""
    if not known:
        folder, read = tmp_path_factory.mktemp("probed"), []

        def note(image_id: str) -> bytes:
            read.append(image_id)
            return source.read(image_id)

        table = _probe(folder, ImageSource(source.records, note), splits, WANTED)
        known.append((folder, table, read))
    return known[0]


def test_what_can_be_had_is_scored_and_the_rest_named(probed) -> None:
    _, table, _ = probed
    assert table["backbone"].tolist() == ["small_cnn", "MobileNetV2", "small_cnn"]
    assert table["image_size"].tolist() == [8, 8, 16]
    assert table["missing"].tolist()[1].startswith("the ImageNet weights of MobileNetV2 are not")
    assert np.isnan(table["accuracy"].iloc[1])
    known = table[table["missing"] == ""]
    assert (known["features"] == 384).all()
    assert (known["low"] <= known["accuracy"]).all()
    assert known["multiply_adds"].is_monotonic_increasing
    assert known["is_worth_its_cost"].iloc[0]
    assert not table["is_worth_its_cost"].iloc[1]
    assert len(draw_bake_off(table).axes[0].texts) == 2


def test_the_second_one_reads_no_picture_and_its_table_is_the_same_milliseconds_included(
    probed, source: ImageSource, splits: pd.DataFrame
) -> None:
    folder, table, _ = probed
    blind = ImageSource(source.records, _refuse_to_read)
    pd.testing.assert_frame_equal(_probe(folder, blind, splits, WANTED), table)


def _refuse_to_read(image_id: str) -> bytes:
    raise AssertionError(f"{image_id} was read")


def test_test_is_not_looked_at(probed, splits: pd.DataFrame) -> None:
    _, _, read = probed
    # Once for each of the two that can be had.
    assert len(read) == 2 * 14
    assert set(read) == set(splits.loc[splits["split"] != "test", "image_id"])


@pytest.mark.slow
def test_a_short_race_tells_its_winner_and_is_not_run_again(
    tmp_path: Path, source: ImageSource, splits: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    from graft.training import race, tuning_recipes

    # The length of a recipe is a rule, here of two epochs and not of 500 steps.
    for module in (race, tuning_recipes):
        if hasattr(module, "count_epochs"):
            monkeypatch.setattr(module, "count_epochs", lambda *_: 2)
    table = _probe(tmp_path, source, splits, "small_cnn@8", race_budget=5)
    assert table["race_recipe"].iloc[0] in tuning_recipes.NAMES
    assert 0 <= table["race_accuracy"].iloc[0] <= 1
    blind = ImageSource(source.records, _refuse_to_read)
    again = _probe(tmp_path, blind, splits, "small_cnn@8", race_budget=5)
    pd.testing.assert_frame_equal(again, table)
    assert _probe(tmp_path, blind, splits, "small_cnn@8")["race_recipe"].iloc[0] == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("MobileNetV2", r"each is NAME@SIZE, .* 'MobileNetV2' is not; got 'MobileNetV2'"),
        ("small_cnn@8,small_cnn@9", "joined by"),
        ("small_cnn@8+small_cnn@8", "each may stand there once"),
        ("", "each is NAME@SIZE"),
    ],
)
def test_a_wrong_list_is_told(text: str, message: str) -> None:
    with pytest.raises(GraftError, match=message):
        BakeOffParameters.model_validate(
            {
                "backbones": text,
                "folds": 2,
                "race_budget": 0,
                "batch_size": 4,
                "confidence": 0.95,
                "seed": 0,
            }
        )


def test_an_unknown_name_is_told_before_any_work(
    tmp_path: Path, source: ImageSource, splits: pd.DataFrame
) -> None:
    with pytest.raises(GraftError, match=r"all of keras.applications .*; got 'MobilNet'"):
        _probe(tmp_path, source, splits, "small_cnn@8+MobilNet@96")


def test_the_front_holds_equals_and_nothing_that_is_missing() -> None:
    costs, accuracies = pd.Series([1.0, 1.0, 2.0, np.nan]), pd.Series([0.9, 0.9, 0.9, np.nan])
    assert find_front(costs, accuracies).tolist() == [True, True, False, False]
