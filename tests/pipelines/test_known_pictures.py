"""Runs one after another: only what is new is made, and all is as if it had been made at once."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft.compute.workers import Failure
from graft.datasets import AtomicDataset, PreviousDataset
from graft.errors import PictureError
from graft.models import inference
from graft.parameters.base import BackboneParameters
from graft.parameters.pictures import DecodingParameters
from graft.pipelines.decoding import nodes as decoding
from graft.pipelines.feature_extraction import nodes as extraction
from graft.pipelines.feature_extraction.parameters import FeatureExtractionParameters
from graft.pipelines.ingestion import nodes as ingestion
from graft.pipelines.ingestion import reading as facts
from graft.pipelines.ingestion.parameters import IngestionParameters
from graft.sources.source import ImageSource, Record, make_records
from helpers.pictures import UnreadImages, encode
from helpers.properties import draw_examples

LIMITS = {"max_pixels": 1000, "seconds_per_picture": 5.0, "memory_mb": 100, "workers": 1}
CHECKING = IngestionParameters(
    min_side=4, near_duplicate_radius=None, label_conflicts="keep", **LIMITS
)
DECODING = DecodingParameters(image_size=8, **LIMITS)
EXTRACTION = FeatureExtractionParameters(batch_size=4)
BACKBONE = BackboneParameters(name="small_cnn", weights="printed_letters", image_size=8, seed=0)
KINDS = {
    "checked.parquet": {"type": "pandas.ParquetDataset", "save_args": {"index": False}},
    "images.npy": {"type": "graft.datasets.NumpyArrayDataset"},
    "features": {"type": "graft.datasets.FeatureShardsDataset", "shard_rows": 4},
}

random = np.random.default_rng(0)
# Six pictures, and two files that are none.
CONTENTS = [encode(random.integers(0, 256, (10, 12, 3), dtype=np.uint8)) for _ in range(6)]
CONTENTS += [b"text", b""]


class File(NamedTuple):
    """A file of the source: number of its content, label and crop."""

    content: int
    label: str | None = "cat"
    crop: str | None = None


Pictures = dict[str, File]
FIRST = {"a.png": File(0), "b.png": File(1), "c.png": File(2)}


@pytest.fixture(scope="module", autouse=True)
def decoded() -> Iterator[list[bytes]]:
    """What was decoded, in this process: that workers do it is tested elsewhere."""
    seen: list[bytes] = []

    def map_here(function: Any, items: Any, *_: Any, **__: Any) -> Iterator[Any]:
        for item in items:
            if isinstance(item, Failure):
                yield item
                continue
            seen.append(item["data"])
            try:
                yield function(**item)
            except PictureError as error:
                yield Failure(str(error))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(facts, "map_isolated", map_here)
        patch.setattr(decoding, "map_isolated", map_here)
        yield seen


@pytest.fixture(scope="module")
def backbone() -> Any:
    return extraction.build_backbone(BACKBONE)


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pictures went through the backbone, a number a batch."""
    seen: list[int] = []
    compile_forward = inference.compile_forward

    def compile_and_count(*arguments: Any) -> Any:
        forward = compile_forward(*arguments)
        return lambda batch: seen.append(len(batch)) or forward(batch)

    monkeypatch.setattr(inference, "compile_forward", compile_and_count)
    return seen


def make_source(pictures: Pictures) -> ImageSource:
    names = sorted(pictures)
    records = [Record(name, pictures[name].label, crop=pictures[name].crop) for name in names]
    return ImageSource(make_records(records), lambda name: CONTENTS[pictures[name].content])


def _load_previous(folder: Path, name: str) -> Any:
    traced = {"images.npy": {"type": "graft.datasets.TracedArrayDataset"}}
    return PreviousDataset(filepath=folder / name, dataset={**KINDS, **traced}[name]).load()


def _save(folder: Path, name: str, data: Any) -> Any:
    dataset = AtomicDataset(filepath=folder / name, dataset=KINDS[name])
    dataset.save(data)
    return dataset.load()


def run(folder: Path, pictures: Pictures, backbone: Any = None, **changed: Any) -> pd.DataFrame:
    """One run over a source; the usable pictures, in the order of the source."""
    source = make_source(pictures)
    previous = None if changed else _load_previous(folder, "checked.parquet")
    checked = ingestion.check_images(source, previous, CHECKING)
    checked = _save(folder, "checked.parquet", checked)
    splits = checked.loc[checked["status"] == "ok", ["image_id", "sha256"]].reset_index(drop=True)
    previous = _load_previous(folder, "images.npy")
    parameters = DECODING.model_copy(update=changed)
    stream, origins = decoding.decode_images(source, splits, previous, parameters)
    images = _save(folder, "images.npy", stream)
    assert origins["image_id"].tolist() == splits["image_id"].tolist()
    assert origins["origin"].tolist() == _load_previous(folder, "images.npy").origins
    if backbone is not None:
        previous = _load_previous(folder, "features")
        blocks = extraction.extract_features(
            backbone, images, origins, splits, checked, previous, EXTRACTION
        )
        _save(folder, "features", blocks)
    return checked


def read_outputs(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


FILES = st.builds(
    File,
    st.integers(0, len(CONTENTS) - 1),
    st.sampled_from(["cat", "dog", None]),
    st.sampled_from([None, None, "1,2,9,8", "1,2,99,8"]),
)
# One picture is always there: a run without any ends in an error.
SETS = st.dictionaries(st.sampled_from("abcdefgh"), FILES, max_size=7).map(
    lambda files: {**files, "whole": File(5)}
)


@draw_examples(10)
@given(history=st.lists(SETS, min_size=2, max_size=4))
def test_after_any_history_of_a_source_all_is_as_from_scratch(tmp_path_factory, history):
    kept, fresh = tmp_path_factory.mktemp("kept"), tmp_path_factory.mktemp("fresh")
    for pictures in history:
        run(kept, pictures)
    run(fresh, history[-1])
    assert read_outputs(kept) == read_outputs(fresh)


@draw_examples(3)
@given(history=st.lists(SETS, min_size=2, max_size=3))
def test_and_so_are_the_features(tmp_path_factory, backbone, history):
    kept, fresh = tmp_path_factory.mktemp("kept"), tmp_path_factory.mktemp("fresh")
    for pictures in history:
        run(kept, pictures, backbone)
    run(fresh, history[-1], backbone)
    assert read_outputs(kept) == read_outputs(fresh)


NEXT = {
    "nothing": (FIRST, 0),
    "a new picture": ({**FIRST, "ab.png": File(3)}, 1),
    "two new files of one content": ({**FIRST, "ab.png": File(3), "z.png": File(3)}, 1),
    "a copy of a known picture": ({**FIRST, "ab.png": File(1)}, 0),
    "a picture less": ({"a.png": File(0), "c.png": File(2)}, 0),
    "another name": ({"a.png": File(0), "z.png": File(1), "c.png": File(2)}, 0),
    "names changed about": ({"a.png": File(1), "b.png": File(2), "c.png": File(0)}, 0),
    "another label": ({**FIRST, "b.png": File(1, "dog")}, 0),
    "another part": ({**FIRST, "b.png": File(1, crop="1,2,9,8")}, 1),
    "other content under a known name": ({**FIRST, "b.png": File(4)}, 1),
}


@pytest.mark.parametrize(("pictures", "new"), NEXT.values(), ids=NEXT)
def test_only_new_content_is_decoded_and_passed_through_the_backbone(
    pictures, new, tmp_path, backbone, decoded, passed
):
    run(tmp_path, FIRST, backbone)
    decoded.clear()
    passed.clear()
    run(tmp_path, pictures, backbone)
    assert len(decoded) == 2 * new  # once to check it, once for the network
    # Two equal pictures are decoded once, but pass the network both.
    assert sum(passed) == (2 if new and len(pictures) == 5 else new)


def test_a_picture_that_is_gone_leaves_no_trace(tmp_path, backbone):
    run(tmp_path, FIRST, backbone)
    gone = run(tmp_path, {"a.png": File(0)}, backbone)
    table = _load_previous(tmp_path, "features")
    pixels = _load_previous(tmp_path, "images.npy")
    assert gone["image_id"].tolist() == table.keys["image_id"].tolist() == ["a.png"]
    assert len(table.read_origins()) == len(pixels.origins) == len(pixels.rows) == 1
    assert len(table.read_block(0)) == 1


def test_pixels_of_another_size_are_made_anew(tmp_path, decoded):
    run(tmp_path, FIRST)
    decoded.clear()
    run(tmp_path, FIRST, image_size=9)
    assert len(decoded) == 6
    assert _load_previous(tmp_path, "images.npy").rows.shape == (3, 9, 9, 3)


LIMITS_OF_ALL = [
    {"min_side": 5},
    {"max_pixels": 999},
    {"memory_mb": 101},
    {"seconds_per_picture": 4.0},
]


@pytest.mark.parametrize("changed", LIMITS_OF_ALL)
def test_facts_are_found_anew_by_other_rules(changed, decoded):
    source = make_source(FIRST)
    checked = ingestion.check_images(source, None, CHECKING)
    decoded.clear()
    ingestion.check_images(source, checked, CHECKING.model_copy(update=changed))
    assert len(decoded) == 3


def test_other_code_makes_everything_anew(tmp_path, decoded, monkeypatch):
    run(tmp_path, FIRST)
    decoded.clear()
    monkeypatch.setattr(ingestion, "fingerprint_code", lambda _: "changed")
    monkeypatch.setattr(decoding, "fingerprint_code", lambda _: "changed")
    run(tmp_path, FIRST)
    assert len(decoded) == 6


def test_another_way_of_computing_gives_features_anew(backbone, monkeypatch):
    before = inference.identify_forward(backbone, 4)
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")  # other kernels, other last bits
    assert inference.identify_forward(backbone, 4) != before


def test_another_network_gives_features_anew():
    backbone = extraction.build_backbone(BACKBONE)
    before = inference.identify_forward(backbone, 4)
    assert inference.identify_forward(backbone, 5) != before
    weight = backbone.weights[-1]
    weight.assign(np.nextafter(weight.numpy(), np.float32(9)))
    assert inference.identify_forward(backbone, 4) != before


def test_the_same_network_saved_and_loaded_is_known_again(tmp_path, backbone):
    dataset = AtomicDataset(
        filepath=tmp_path / "b.keras", dataset={"type": "graft.datasets.KerasModelDataset"}
    )
    dataset.save(backbone)
    one, other = (inference.identify_forward(dataset.load(), 4) for _ in range(2))
    assert one == other


@pytest.mark.parametrize("name", ["checked.parquet", "images.npy"])
def test_a_damaged_output_is_not_taken_over(name, tmp_path, decoded):
    run(tmp_path, FIRST)
    whole = read_outputs(tmp_path)
    content = bytearray(whole[name])
    content[-200] ^= 1
    (tmp_path / name).write_bytes(content)
    decoded.clear()
    run(tmp_path, FIRST)
    assert len(decoded) == 3
    assert read_outputs(tmp_path) == whole


def test_outputs_of_a_version_without_origins_are_not_taken_over(decoded):
    source = make_source(FIRST)
    checked = ingestion.check_images(source, None, CHECKING)
    decoded.clear()
    again = ingestion.check_images(source, checked.drop(columns="origin"), CHECKING)
    assert len(decoded) == 3
    pd.testing.assert_frame_equal(again, checked)


def test_what_broke_a_limit_is_tried_again(monkeypatch, decoded):
    # The machine may have been the reason, not the picture.
    def take_long(data, **_):
        raise PictureError("takes longer to decode than allowed")

    source = make_source(FIRST)
    monkeypatch.setattr(ingestion, "fingerprint_code", lambda _: "the same")
    with monkeypatch.context() as patch:
        patch.setattr(ingestion, "check_picture", take_long)
        slow = ingestion.check_images(source, None, CHECKING)
    assert set(slow["status"]) == {"quarantined"}
    again = ingestion.check_images(source, slow, CHECKING)
    assert set(again["status"]) == {"ok"}


def test_a_file_that_changed_after_it_was_checked_is_refused(tmp_path):
    checked = ingestion.check_images(make_source(FIRST), None, CHECKING)
    now = make_source({**FIRST, "b.png": File(4)})
    with pytest.raises(Exception, match=r"'b.png' was usable .* holds something else"):
        _save(tmp_path, "images.npy", decoding.decode_images(now, checked, None, DECODING)[0])


LINES = {
    "nothing": "0 new, 0 removed, 3 as before; 0 decoded",
    "a new picture": "1 new, 0 removed, 3 as before; 1 decoded",
    "two new files of one content": "2 new, 0 removed, 3 as before; 1 decoded",
    "a copy of a known picture": "1 new, 0 removed, 3 as before; 0 decoded",
    "a picture less": "0 new, 1 removed, 2 as before; 0 decoded",
    "another name": "0 new, 0 removed, 1 renamed, 2 as before; 0 decoded",
    "names changed about": "0 new, 0 removed, 3 renamed, 0 as before; 0 decoded",
    "another label": "0 new, 0 removed, 1 relabelled, 2 as before; 0 decoded",
    "other content under a known name": "1 new, 1 removed, 2 as before; 1 decoded",
}


@pytest.mark.parametrize("what", LINES)
def test_the_log_says_what_has_changed(what, caplog):
    before = ingestion.check_images(make_source(FIRST), None, CHECKING)
    assert caplog.messages == []
    with caplog.at_level(logging.INFO, logger="graft"):
        ingestion.check_images(make_source(NEXT[what][0]), before, CHECKING)
    assert caplog.messages == [f"Pictures     {LINES[what]}"]


def test_the_log_fits_into_80_columns(tmp_path, backbone, caplog):
    run(tmp_path, FIRST, backbone)
    with caplog.at_level(logging.INFO, logger="graft"):
        run(tmp_path, {**FIRST, "d.png": File(3)}, backbone)
    assert caplog.messages == [
        "Pictures     1 new, 0 removed, 3 as before; 1 decoded",
        "Pixels       1 pictures decoded, 3 known",
        "Features     1 pictures computed, 3 known",
    ]


def test_known_pixels_are_neither_read_nor_hashed_for_their_features(tmp_path, backbone):
    checked = run(tmp_path, FIRST, backbone)
    stream, origins = decoding.decode_images(make_source(FIRST), checked, None, DECODING)
    previous = _load_previous(tmp_path, "features")
    unread = UnreadImages(np.empty(stream.shape, stream.dtype))
    blocks = extraction.extract_features(
        backbone, unread, origins, checked, checked, previous, EXTRACTION
    )
    assert sum(len(block.keys) for block in blocks) == 3
