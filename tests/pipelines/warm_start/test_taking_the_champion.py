"""The champion as a start: what is taken of it, and when it must not be."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

from graft.analysis.seen_pictures import hash_data, list_seen
from graft.classifier.champion import Champion, save_champion
from graft.datasets.file_trees import FileTree
from graft.errors import GraftError
from graft.models.backbones import build_backbone
from graft.models.heads import build_head, join_classifier
from graft.models.layer_weights import collect_weights
from graft.parameters.pictures import DecodingParameters
from graft.pipelines.warm_start.nodes import take_champion

CLASSES = ["dark", "light"]
DECODING = DecodingParameters(
    image_size=8, max_pixels=1000, seconds_per_picture=5.0, memory_mb=100, workers=1
)


@dataclass
class Run:
    """The last run, and today's pictures."""

    folder: Path
    splits: pd.DataFrame
    backbone: keras.Model
    facts: dict[str, Any]
    class_names: list[str]
    decoding: DecodingParameters = DECODING
    seen: pd.DataFrame | None = None
    is_tuned: bool = False

    def take(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        backbone = build_backbone("small_cnn", 8, "printed_letters", seed=0)
        if self.is_tuned:
            layer = backbone.get_layer("block3_conv1")
            layer.set_weights([weight + 1 for weight in layer.get_weights()])
        head = build_head(384, 2, dropout=0.2, weight_decay=0.0, seed=0)
        champion = Champion(join_classifier(backbone, head), CLASSES, self.facts, {}, "")
        save_champion(champion, self.folder / "champion")
        return take_champion(
            FileTree(self.folder / "champion"), self.seen, self.backbone, self.splits,
            self.class_names, self.decoding, True,
        )  # fmt: skip


@pytest.fixture
def last(splits: pd.DataFrame, tmp_path: Path) -> Run:
    facts = {
        "model": "frozen", "image_size": 8, "colour": "rgb", "recipe": None, "warm_start": None,
        "data": {"sha256": hash_data(splits), "pictures": len(splits)},
        "parameters": {"backbone": {"name": "small_cnn", "weights": "printed_letters"}},
    }  # fmt: skip
    backbone = build_backbone("small_cnn", 8, "printed_letters", seed=0)
    return Run(tmp_path, splits, backbone, facts, CLASSES, seen=list_seen(splits))


def test_its_weights_are_taken_and_it_is_said_which_it_is(last: Run) -> None:
    new = last.splits.iloc[:2].assign(image_id=["n", "m"], sha256=["5", "6"])
    new = new.assign(split=["dev", "train"])
    last.splits = pd.concat([last.splits[1:], new])
    start, weights = last.take()
    content = (last.folder / "champion/classifier.keras").read_bytes()
    assert start == {
        "champion": hashlib.sha256(content).hexdigest(), "model": "frozen", "recipe": None,
        "pictures": 18, "steps": 0, "new": 2, "new_train": 1,
        "former": {last.seen["sha256"].iloc[0]: "train"},
    }  # fmt: skip
    for name, weight in collect_weights(last.backbone).items():
        np.testing.assert_array_equal(weights[name], weight)


def test_the_last_blocks_of_a_fine_tuned_one_may_be_others(last: Run) -> None:
    last.facts |= {"model": "fine_tuned", "recipe": {"recipe": "custom", "unfreeze": "block3"}}
    last.is_tuned = True
    start, weights = last.take()
    assert start["recipe"]["unfreeze"] == "block3"
    before = last.backbone.get_layer("block3_conv1").get_weights()[0]
    np.testing.assert_array_equal(weights["block3_conv1/0"], before + 1)


def test_warm_starts_are_counted(last: Run) -> None:
    last.facts["warm_start"] = {"steps": 3}
    assert last.take()[0]["steps"] == 3


def test_without_a_champion_all_is_trained(last: Run, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        start, weights = take_champion(
            None, None, last.backbone, last.splits, CLASSES, DECODING, True
        )
    assert (start, weights) == ({"champion": None}, {})
    assert "there is no champion yet: all is trained as without warm_start" in caplog.text


def change_split(last: Run) -> None:
    sides = last.splits["split"].where(last.splits["image_id"] != "02.png", "dev")
    last.splits = last.splits.assign(split=sides)


def change_seen(last: Run) -> None:
    last.seen = list_seen(last.splits[1:])


def change_classes(last: Run) -> None:
    last.class_names = ["dark", "grey", "light"]


def change_size(last: Run) -> None:
    last.decoding = DECODING.model_copy(update={"image_size": 16})


def change_backbone(last: Run) -> None:
    last.backbone = build_backbone("small_cnn", 8, "random", seed=1)


def change_network(last: Run) -> None:
    last.backbone = build_backbone("MobileNetV2", 32, "random", seed=1)


def change_deeper(last: Run) -> None:
    last.facts |= {"model": "fine_tuned", "recipe": {"recipe": "custom", "unfreeze": 1}}
    last.is_tuned = True
    layer = last.backbone.get_layer("block1_conv1")
    layer.set_weights([weight + 1 for weight in layer.get_weights()])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (change_split, r"pictures that it has seen in train or dev are held out now; train anew: "
                       r"leave warm_start out; got 1 \(02\.png\)$"),
        (lambda last: setattr(last, "seen", None), "run once without warm_start; got none$"),
        (change_seen, "champion_pictures.parquet is missing or of another champion .*; got one of"),
        (change_classes, "an output for each of its own classes.*; got grey, only then or"),
        (change_size, r"takes pictures of image_size 8; .*; got decoding\.image_size 16$"),
        (lambda last: last.facts.update(model="from_scratch"),
         "a champion that is frozen or fine_tuned; .*; got from_scratch$"),
        (change_backbone, r"small_cnn with weights printed_letters\); .*; got \d+ layers"),
        (change_network, "stands on another backbone than the run"),
        (change_deeper, "stands on another .*; got 1 layers that differ, block1_conv1 first"),
    ],
)  # fmt: skip
def test_what_cannot_be_continued_is_refused_in_one_line(last: Run, change, message) -> None:
    change(last)
    with pytest.raises(GraftError, match=message) as error:
        last.take()
    assert "\n" not in str(error.value)


def test_the_stage_is_for_warm_starts(last: Run) -> None:
    with pytest.raises(GraftError, match=r"add --params warm_start=true; got warm_start false"):
        take_champion(None, None, last.backbone, last.splits, CLASSES, DECODING, False)
