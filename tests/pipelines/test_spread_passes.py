"""What workers pass through a network ends with the bytes of one process, killed or not."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError

from graft import file_hashes
from graft.classifier.champion import Champion
from graft.compute.shards import ShardStore
from graft.compute.spreading import refuse_lost
from graft.compute.worker_process import Failure
from graft.datasets import PlainFilesDataset
from graft.datasets.arrays import NumpyArrayDataset, TracedArrayDataset
from graft.datasets.features import FeatureShardsDataset
from graft.errors import GraftError
from graft.models.freezing import cut_classifier
from graft.parameters.base import TrainSampleParameters
from graft.parameters.compute import HERE, ComputeParameters
from graft.parameters.fine_tuning import AugmentationParameters, FineTuningParameters
from graft.parameters.forward import ForwardParameters
from graft.pipelines.fine_tuning import predicting
from graft.pipelines.fine_tuning.nodes import store_boundary_activations
from graft.pipelines.fine_tuning.predicting import store_measured_activations
from graft.pipelines.ingestion.nodes import check_images
from graft.pipelines.ingestion.parameters import IngestionParameters
from graft.pipelines.prediction.nodes import extract_layer, predict_pictures
from helpers.backends import AUGMENTATION
from helpers.fine_tuning import make_models
from helpers.pictures import encode
from helpers.prediction import PARAMETERS as PREDICTION
from helpers.spread_functions import WorkersHere

pytestmark = pytest.mark.skipif(not find_spec("distributed"), reason="needs the extra dask")

RANDOM = np.random.default_rng(0)
SPREAD = ComputeParameters(engine="dask", shard_rows=4)
COUNT = 18
IMAGES = RANDOM.integers(0, 256, (COUNT, 8, 8, 3), dtype=np.uint8)
TUNING = FineTuningParameters(
    recipe="custom", unfreeze=1, activation_cache=True, views=2, activation_dtype="float16",
    activation_batch_size=4, augmentation=AugmentationParameters(**AUGMENTATION.model_dump()),
    layer_decay=1, learning_rate=1e-3, batch_size=8, epochs=1, patience=1, seed=0,
)  # fmt: skip

INGESTION = IngestionParameters(
    min_side=4, max_pixels=1000, seconds_per_picture=20, memory_mb=500, workers=1,
    near_duplicate_radius=None, label_conflicts="drop",
)  # fmt: skip


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> WorkersHere:
    here = WorkersHere()
    monkeypatch.setattr("graft.compute.dask_workers.map_shards", here.map_shards)
    return here


@pytest.fixture
def store(tmp_path: Path) -> ShardStore:
    return ShardStore(tmp_path / "shards")


@pytest.fixture
def images(tmp_path: Path) -> np.ndarray:
    file = NumpyArrayDataset(filepath=str(tmp_path / "images.npy"))
    file.save(IMAGES)
    return file.load()


def trace(splits: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"image_id": splits["image_id"], "origin": splits["sha256"]})


def store_array(made: object, path: Path) -> bytes:
    TracedArrayDataset(filepath=str(path)).save(made)
    return path.read_bytes()


def check_killed(workers: WorkersHere, make, shards: int) -> bytes:
    """What comes of a run that is killed after two shards, and of the next one."""
    workers.stop_after = 2
    with pytest.raises(KeyboardInterrupt):
        make()
    workers.stop_after = None
    made = make()
    assert len(workers.made) == shards
    assert sorted(map(str, workers.made)) == sorted({*map(str, workers.made)})
    return made


@pytest.mark.parametrize("engine", ["keras", "onnx"])
def test_boundary_activations(engine, workers, store, images, splits, tmp_path) -> None:
    def make(compute: ComputeParameters = SPREAD) -> bytes:
        made = store_boundary_activations(
            make_models()[0], images, trace(splits), splits, None, {"budget": {}}, TUNING,
            ForwardParameters(engine=engine), None, compute, store,
        )  # fmt: skip
        return store_array(made, tmp_path / "activations.npy")

    expected = make(HERE)
    assert not workers.made
    # Ten pictures of train in three views each, and four of dev.
    assert check_killed(workers, make, shards=9) == expected


def test_measured_activations(
    workers, store, images, splits, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predicting, "_BATCH", 4)
    classifier = cut_classifier(*make_models(), 1).whole
    some = TrainSampleParameters(pictures=4, seed=0)

    def make(compute: ComputeParameters = SPREAD) -> bytes:
        made = store_measured_activations(
            classifier, images, trace(splits), splits, None, some,
            ForwardParameters(engine="keras"), None, compute, store,
        )  # fmt: skip
        return store_array(made, tmp_path / "measured.npy")

    expected = make(HERE)
    assert check_killed(workers, make, shards=3) == expected


def test_an_activation_too_large_is_named_by_a_worker_too(
    workers, store, images, splits, tmp_path
) -> None:
    backbone, _ = make_models()
    backbone.get_layer("block1_conv1").set_weights([np.full((3, 3, 3, 32), 1e5, np.float32)])
    backbone.get_layer("block2_bn1").set_weights([np.full(64, 1e5, np.float32)] * 4)
    made = store_boundary_activations(
        backbone, images, trace(splits), splits, None, {"budget": {}}, TUNING,
        ForwardParameters(engine="keras"), None, SPREAD, store,
    )  # fmt: skip
    with pytest.raises(DatasetError, match=r"not a finite number in float16; .* the picture '00"):
        store_array(made, tmp_path / "activations.npy")


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eleven pictures, three of them the same, one cut short, and a file that is none."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(11):
        pixels = IMAGES[3 if number in (5, 7) else number]
        (folder / f"{number}.png").write_bytes(encode(pixels))
    (folder / "6.png").write_bytes(encode(IMAGES[6])[:60])
    (folder / "text.png").write_bytes(b"no picture")
    # The hashes of files are remembered, however new they are.
    monkeypatch.setattr(file_hashes, "_SETTLED", -1)
    return folder


def make_champion() -> Champion:
    facts = {
        "model": "frozen", "image_size": 8, "colour": "rgb", "max_pixels": 10_000,
        "temperature": 0.5, "threshold": None,
    }  # fmt: skip
    return Champion(cut_classifier(*make_models(), "none").whole, ["dark", "light"], facts, {}, "")


def test_answers_also_of_files_that_were_hashed_before_any_of_it(workers, store, files) -> None:
    champion = make_champion()

    def make(compute: ComputeParameters = SPREAD, source=None) -> pd.DataFrame:
        source = source or PlainFilesDataset(filepath=str(files)).load()
        forward = ForwardParameters(engine="keras")
        found, _ = predict_pictures(
            source, lambda: champion, None, PREDICTION, forward, None, compute, store
        )
        return found

    expected = make(HERE)
    pd.testing.assert_frame_equal(check_killed(workers, make, shards=3), expected)
    assert expected["answered"].tolist().count(False) == 2


def test_outputs_of_a_layer(workers, store, files, tmp_path) -> None:
    parameters = PREDICTION.model_copy(update={"layer": "block2_pool"})
    champion = make_champion()

    def make(compute: ComputeParameters = SPREAD) -> list[bytes]:
        blocks, _ = extract_layer(
            PlainFilesDataset(filepath=str(files)).load(), lambda: champion, parameters,
            ForwardParameters(engine="keras"), None, compute, store,
        )  # fmt: skip
        folder = tmp_path / "features"
        FeatureShardsDataset(filepath=str(folder)).save(blocks)
        return [path.read_bytes() for path in sorted(folder.iterdir())]

    expected = make(HERE)
    assert check_killed(workers, make, shards=3) == expected


def test_copies_whose_hashes_are_known_get_the_facts_of_their_own_picture(
    workers, store, files
) -> None:
    source = PlainFilesDataset(filepath=str(files)).load()
    expected = check_images(source, None, INGESTION)
    found = check_images(source, None, INGESTION, SPREAD, store)
    assert len(workers.made) == 3
    pd.testing.assert_frame_equal(found, expected)


def test_a_picture_that_ends_its_workers_is_named_where_none_may_be_left_out() -> None:
    results = refuse_lost([1, Failure("ended three workers")], ["a.png", "b.png"])
    assert next(results) == 1
    with pytest.raises(GraftError, match=r"got 'b\.png', which ended three workers$"):
        next(results)
