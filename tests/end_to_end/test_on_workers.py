"""A run whose pictures are worked on by workers of Dask ends with the bytes of any other."""

import hashlib
from importlib.util import find_spec
from pathlib import Path

import pytest

from helpers.digits import write_digits

STAGES = "ingestion,splitting,decoding,feature_extraction,head_training,fine_tuning"
SPREAD = "compute.engine=dask,compute.workers=2,compute.shard_rows=20"

pytestmark = pytest.mark.skipif(not find_spec("distributed"), reason="needs the extra dask")


def hash_outputs(project: Path) -> dict[str, str]:
    """Of every file that the stages have made: tables, pixels, features."""
    layers = ("02_intermediate", "03_primary", "04_feature", "05_model_input", "07_model_output")
    names = (
        "checked_images", "image_index", "splits", "images.npy", "image_origins", "shard_0",
        "boundary_activations.npy", "measured_activations.npy",
    )  # fmt: skip
    return {
        str(path.relative_to(project)): hashlib.sha256(path.read_bytes()).hexdigest()
        for layer in layers
        for path in sorted((project / "data" / layer).rglob("*"))
        if path.is_file() and path.name.startswith(names)
    }


@pytest.mark.slow
def test_workers_make_the_same_bytes_and_leave_nothing_behind(
    project: Path, finished_run, run_kedro
) -> None:
    done = run_kedro("--env=test", f"--pipelines={STAGES}", "--params", SPREAD)
    assert done.code == 0, done.err
    expected = hash_outputs(finished_run.project)
    assert len(expected) >= 8
    assert hash_outputs(project) == expected
    assert not list(project.rglob("*_shards"))
    # Where they were made makes nothing stale.
    again = run_kedro("--env=test", f"--pipelines={STAGES}")
    assert "nothing to do" in again.out.lower()


@pytest.mark.slow
def test_workers_give_the_answers_and_outputs_of_one_process(
    finished_project: Path, run_kedro, tmp_path: Path
) -> None:
    pictures = tmp_path / "new pictures"
    write_digits(pictures, range(1700, 1745))
    (pictures / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    output = finished_project / "data/07_model_output/test"
    for asked, made in (
        (f"prediction.source={pictures}", "predicted_pictures.parquet"),
        (f"prediction.source={pictures},prediction.layer=features", "layer_features.npy"),
    ):
        found = []
        for spread in ("compute.engine=serial", SPREAD):
            params = ("--params", f"{asked},{spread}")
            done = run_kedro("--env=test", "--pipelines=prediction", "--force", *params)
            assert done.code == 0, done.err
            assert ("2 of Dask" in done.out) == (spread == SPREAD)
            found.append((output / made).read_bytes())
        assert found[0] == found[1]
    assert not list(finished_project.rglob("*_shards"))
