"""IDX files: strict about every byte of the header, and never more memory than they deserve."""

from __future__ import annotations

import gzip
import io
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from graft.errors import GraftError
from graft.sources.idx import read_idx, read_idx_array

PIXELS = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
LABELS = np.array([7, 0, 3], np.uint8)


def pack_idx(array):
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.tobytes()


def write_set(folder, prefix="t10k", pixels=PIXELS, labels=LABELS, packed=True):
    folder.mkdir(exist_ok=True)
    for kind, array in (("images-idx3", pixels), ("labels-idx1", labels)):
        content = pack_idx(array)
        path = folder / f"{prefix}-{kind}-ubyte{'.gz' if packed else ''}"
        path.write_bytes(gzip.compress(content) if packed else content)
    return folder / f"{prefix}-images-idx3-ubyte{'.gz' if packed else ''}"


@pytest.mark.parametrize("packed", [True, False], ids=["gzipped", "plain"])
def test_pictures_and_labels_are_read(tmp_path, get_facts, packed):
    source = read_idx(write_set(tmp_path, packed=packed))
    assert get_facts(source) == {
        "t10k_00000.png": "7", "t10k_00001.png": "0", "t10k_00002.png": "3"
    }  # fmt: skip
    for row, name in enumerate(source.records["image_id"]):
        pixels = np.asarray(Image.open(io.BytesIO(source.read(name))))
        np.testing.assert_array_equal(pixels, PIXELS[row])


@pytest.mark.parametrize(
    ("prefixes", "expected"),
    [
        (["train", "t10k"], {"train": "train", "t10k": "test"}),
        (["emnist-letters-train", "emnist-letters-test"],
         {"emnist-letters-train": "train", "emnist-letters-test": "test"}),
        (["t10k"], {"t10k": None}),
    ],
    ids=["MNIST", "EMNIST", "test alone"],
)  # fmt: skip
def test_train_and_t10k_together_are_given_splits(tmp_path, get_facts, prefixes, expected):
    for prefix in prefixes:
        write_set(tmp_path, prefix)
    splits = get_facts(read_idx(tmp_path), "given_split")
    assert {name.partition("_0")[0]: split for name, split in splits.items()} == expected


def test_a_folder_gives_train_and_test_together(tmp_path, get_facts):
    write_set(tmp_path, "train", PIXELS[:2], LABELS[:2], packed=False)
    write_set(tmp_path, "t10k")
    assert list(get_facts(read_idx(tmp_path))) == [
        "t10k_00000.png", "t10k_00001.png", "t10k_00002.png", "train_00000.png", "train_00001.png"
    ]  # fmt: skip


def test_a_file_that_lies_there_packed_and_unpacked_counts_once(tmp_path):
    write_set(tmp_path)
    write_set(tmp_path, packed=False)
    assert len(read_idx(tmp_path).records) == 3


def test_sets_that_do_not_belong_together_are_refused(tmp_path):
    write_set(tmp_path, "emnist-letters-train")
    write_set(tmp_path, "emnist-digits-train")
    with pytest.raises(GraftError, match=r"holds several sets .*; got emnist-digits-train-images"):
        read_idx(tmp_path)


def test_numbers_of_classes_are_in_order_as_text(tmp_path, get_facts):
    path = write_set(tmp_path, labels=np.array([10, 2, 0], np.uint8))
    assert list(get_facts(read_idx(path)).values()) == ["10", "02", "00"]


def test_the_number_of_pictures_can_be_limited(tmp_path):
    path = write_set(tmp_path)
    assert read_idx(path, limit=2).records["label"].tolist() == ["7", "0"]
    for limit in (0, -1, "5"):
        with pytest.raises(GraftError, match=rf"limit must be at least 1.*; got '?{limit}'?$"):
            read_idx(path, limit=limit)


def test_the_files_may_have_any_names_if_both_are_given(tmp_path, get_facts):
    (tmp_path / "x.bin").write_bytes(pack_idx(PIXELS))
    (tmp_path / "y.bin").write_bytes(pack_idx(LABELS))
    source = read_idx(tmp_path / "x.bin", tmp_path / "y.bin")
    assert list(get_facts(source)) == ["x_00000.png", "x_00001.png", "x_00002.png"]
    with pytest.raises(GraftError, match="name its labels too"):
        read_idx(tmp_path / "x.bin")


@pytest.mark.parametrize("name", ["", "nowhere", "nowhere/t10k-images-idx3-ubyte.gz"])
def test_a_missing_file_of_pictures_is_refused(tmp_path, name):
    with pytest.raises(GraftError, match=r"no file of pictures in IDX|give one that exists"):
        read_idx(tmp_path / name)


def test_a_missing_file_of_labels_is_named(tmp_path):
    write_set(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(GraftError, match=r"put 't10k-labels-idx1-ubyte' or '.*\.gz' beside it"):
        read_idx(tmp_path)


def test_another_number_of_labels_is_refused(tmp_path):
    path = write_set(tmp_path, labels=LABELS[:2])
    with pytest.raises(GraftError, match=r"holds 3 pictures; got 2 labels in"):
        read_idx(path)


FAULTS = {
    "pictures and labels swapped": (pack_idx(LABELS), r"begin with the bytes 00 00 08 03, not 00"),
    "numbers of another kind": (b"\0\0\x0d\3" + pack_idx(PIXELS)[4:], "begin with the bytes"),
    "another kind of file": (b"\x89PNG\r\n\x1a\n", "begin with the bytes"),
    "empty": (b"", "begin with the bytes"),
    "cut short in its header": (pack_idx(PIXELS)[:9], "cut short in its header"),
    "cut short": (pack_idx(PIXELS)[:-1], r"3 × 4 × 5 = 60 bytes; there are only 59"),
    "with more after its end": (pack_idx(PIXELS) + b"\0", "there are more"),
    "of no pictures": (b"\0\0\x08\3" + struct.pack(">3I", 0, 28, 28), "which is nothing"),
    "of pictures without pixels": (b"\0\0\x08\3" + struct.pack(">3I", 5, 0, 28), "is nothing"),
    "of more than there can be": (b"\0\0\x08\3" + b"\xff" * 12, "bytes, more than"),
}


@pytest.mark.parametrize("packed", [True, False], ids=["gzipped", "plain"])
@pytest.mark.parametrize(("content", "message"), FAULTS.values(), ids=FAULTS)
def test_a_file_is_refused_that_is(tmp_path, content, message, packed):
    path = write_set(tmp_path, packed=packed)
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(GraftError, match=message) as error:
        read_idx(path)
    assert "\n" not in str(error.value)
    assert str(error.value).endswith(f"download it again or name another; got '{path}'")


@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
def test_a_gzipped_file_cut_short_is_refused(tmp_path, share):
    path = write_set(tmp_path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(GraftError, match="not a whole IDX file of pictures"):
        read_idx(path)


def test_a_gzipped_file_with_a_wrong_checksum_is_refused(tmp_path):
    path = write_set(tmp_path)
    content = bytearray(path.read_bytes())
    content[-8] ^= 1
    path.write_bytes(content)
    with pytest.raises(GraftError, match="CRC check failed"):
        read_idx(path)


def measure_refusal(path):
    tracemalloc.start()
    try:
        with pytest.raises(GraftError) as error:
            read_idx_array(path, dimensions=3)
        return str(error.value), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_bomb_behind_a_small_header_fills_no_memory(tmp_path):
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(pack_idx(PIXELS) + bytes(200_000_000), compresslevel=1))
    message, peak = measure_refusal(path)
    assert "there are more" in message
    assert peak < 5_000_000


def test_a_header_that_promises_a_bomb_is_not_believed(tmp_path):
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(b"\0\0\x08\3" + struct.pack(">3I", 60_000, 150, 150)))
    message, peak = measure_refusal(path)
    assert "1,350,000,000 bytes, more than it can hold" in message
    assert peak < 5_000_000


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data(), st.booleans())
def test_a_file_with_changed_bytes_is_read_or_refused_in_one_line(tmp_path, attempt, data, packed):
    content = gzip.compress(pack_idx(PIXELS), mtime=0) if packed else pack_idx(PIXELS)
    content = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, 30))] = data.draw(st.integers(0, 255))
    path = tmp_path / "changed"
    path.write_bytes(content[: data.draw(st.integers(len(content) - 9, len(content)))])
    array = attempt(read_idx_array, path, 3)
    assert array is None or (array.dtype == np.uint8 and array.ndim == 3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.integers(0, 2**32 - 1) | st.sampled_from([3, 4, 5]), min_size=3, max_size=3))
def test_any_header_is_believed_only_if_the_bytes_are_there(tmp_path, attempt, shape):
    for name, pack in (("plain", bytes), ("packed", gzip.compress)):
        (tmp_path / name).write_bytes(pack(b"\0\0\x08\3" + struct.pack(">3I", *shape) + bytes(60)))
        array = attempt(read_idx_array, tmp_path / name, 3)
        assert (array is not None) == (shape[0] * shape[1] * shape[2] == 60)
        assert array is None or array.shape == tuple(shape)


@pytest.mark.shared
def test_the_10000_real_digits_are_read(shared, get_facts):
    source = read_idx(shared / "data" / "mnist")
    labels = get_facts(source)
    assert len(labels) == 10_000
    assert set(labels.values()) == set("0123456789")
    assert labels["t10k_00000.png"] == "7"
    assert Image.open(io.BytesIO(source.read("t10k_00042.png"))).size == (28, 28)
