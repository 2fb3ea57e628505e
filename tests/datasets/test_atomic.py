"""Atomic datasets: whatever happens in a save, the whole old or the whole new content is there."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.io import AbstractDataset, DatasetError
from matplotlib.figure import Figure

from graft import file_hashes
from graft.datasets import atomic, receipts
from graft.datasets.atomic import AtomicDataset
from graft.datasets.features import FeatureBlock

SOURCE = Path(receipts.__file__).parents[2]


class TextFolder(AbstractDataset):
    """A folder of text files, by name."""

    def __init__(self, *, filepath):
        self._folder = Path(filepath)

    def load(self):
        files = [file for file in self._folder.rglob("*") if file.is_file()]
        return {file.relative_to(self._folder).as_posix(): file.read_text() for file in files}

    def save(self, data):
        for name, text in data.items():
            (self._folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self._folder / name).write_text(text)

    def _describe(self):
        return {"filepath": str(self._folder)}


class FailingText(AbstractDataset):
    """A text file that fails half way through a save."""

    def __init__(self, *, filepath):
        self._file = Path(filepath)

    def load(self):
        return self._file.read_text()

    def save(self, data):
        self._file.write_text(data[: len(data) // 2])
        raise OSError("no space left on device")

    def _describe(self):
        return {"filepath": str(self._file)}


class NothingSaved(FailingText):
    """A dataset that forgets to write."""

    def save(self, data):
        pass


OLD_FILES = {"a.txt": "old a", "deep/b.txt": "old b"}
NEW_FILES = {"a.txt": "new a", "deep/c.txt": "new c"}
# File name, type, old content and new content.
FILE = ("words.txt", "text.TextDataset", "the old words", "the new words")
FOLDER = ("words", TextFolder, OLD_FILES, NEW_FILES)


@pytest.fixture(params=[FILE, FOLDER], ids=["file", "folder"])
def kind(request):
    return request.param


@pytest.fixture
def make(kind, tmp_path):
    """Function that makes a dataset object that knows nothing of the ones before it."""
    name, wrapped, _, _ = kind
    return lambda: AtomicDataset(filepath=tmp_path / "data" / name, dataset={"type": wrapped})


@pytest.fixture
def old(kind):
    return kind[2]


@pytest.fixture
def new(kind):
    return kind[3]


@pytest.fixture
def place(make):
    return make().filepath


def list_leftovers(place):
    kept = {place, receipts.receipt_path(place)}
    return sorted(path.name for path in place.parent.iterdir() if path not in kept)


TABLE = pd.DataFrame({"name": ["a", "b"], "count": [1, 2]})


@pytest.mark.parametrize(
    ("name", "wrapped", "content"),
    [
        ("words.txt", "text.TextDataset", "Grüße"),
        ("table.csv", {"type": "pandas.CSVDataset", "save_args": {"index": False}}, TABLE),
        ("table.parquet", "pandas.ParquetDataset", TABLE),
        ("figures.json", "json.JSONDataset", {"accuracy": {"value": 0.5}}),
        ("rows.npy", "graft.datasets.NumpyArrayDataset", np.arange(6).reshape(2, 3)),
        ("page.html", "graft.datasets.HTMLDataset", "<p>ä</p>"),
        ("words", {"type": TextFolder}, OLD_FILES),
    ],
)
def test_what_is_saved_is_loaded(tmp_path, name, wrapped, content):
    dataset = AtomicDataset(filepath=tmp_path / "new" / "folder" / name, dataset=wrapped)
    assert not dataset.exists()
    dataset.save(content)
    assert dataset.exists()
    loaded = dataset.load()
    if isinstance(content, pd.DataFrame):
        pd.testing.assert_frame_equal(loaded, content, check_dtype=False)
    elif isinstance(content, np.ndarray):
        np.testing.assert_array_equal(loaded, content)
    else:
        assert loaded == content
    assert list_leftovers(dataset.filepath) == []


def test_a_folder_of_features_is_saved_and_loaded(tmp_path):
    dataset = AtomicDataset(
        filepath=tmp_path / "features", dataset="graft.datasets.FeatureShardsDataset"
    )
    keys = pd.DataFrame({"image_id": ["a", "b"], "image_sha256": ["c", "d"], "view": [0, 0]})
    features = np.float32([[1, 2, 3], [4, 5, 6]])
    dataset.save([FeatureBlock(keys, features)])
    np.testing.assert_array_equal(dataset.load().read_block(0), features)


def test_a_figure_is_saved_and_loaded_as_its_bytes(tmp_path):
    dataset = AtomicDataset(
        filepath=tmp_path / "figure.png", dataset="graft.datasets.FigureDataset"
    )
    dataset.save(Figure())
    assert dataset.load() == (tmp_path / "figure.png").read_bytes()


def test_the_file_lies_where_others_look_for_it(tmp_path):
    AtomicDataset(filepath=tmp_path / "words.txt", dataset="text.TextDataset").save("content")
    assert (tmp_path / "words.txt").read_text() == "content"


def test_new_content_replaces_the_old(make, old, new, place):
    make().save(old)
    make().save(new)
    assert make().load() == new
    assert list_leftovers(place) == []


def test_the_same_content_can_be_saved_again(make, old):
    make().save(old)
    make().save(old)
    assert make().load() == old


@pytest.mark.parametrize(("first", "second"), [(FILE, FOLDER), (FOLDER, FILE)])
def test_a_file_and_a_folder_can_replace_each_other(tmp_path, first, second):
    for _, wrapped, _, content in (first, second):
        dataset = AtomicDataset(filepath=tmp_path / "words", dataset={"type": wrapped})
        dataset.save(content)
        assert dataset.load() == content
    assert list_leftovers(tmp_path / "words") == []


def alter_a_byte(place):
    content = bytearray(place.read_bytes())
    content[3] ^= 1
    place.write_bytes(content)
    # Two writes within one tick of the clock would bear the same time.
    os.utime(place, ns=(0, place.stat().st_mtime_ns + 1))


def cut_short(place):
    os.truncate(place, 5)


def empty(place):
    os.truncate(place, 0)


def lengthen(place):
    with place.open("ab") as file:
        file.write(b"x")


def remove_receipt(place):
    receipts.receipt_path(place).unlink()


def remove(place):
    place.unlink()


def spoil_receipt(place):
    receipts.receipt_path(place).write_text("{not JSON")


def empty_receipt(place):
    receipts.receipt_path(place).write_text("")


def take_anything_for_a_receipt(place):
    receipts.receipt_path(place).write_text(json.dumps({"states": [None]}))


DAMAGES = [
    alter_a_byte, cut_short, empty, lengthen, remove, remove_receipt, spoil_receipt,
    empty_receipt, take_anything_for_a_receipt,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_counts_as_missing(tmp_path, damage):
    dataset = AtomicDataset(filepath=tmp_path / "words.txt", dataset="text.TextDataset")
    dataset.save("the whole content")
    damage(tmp_path / "words.txt")
    assert not dataset.exists()
    with pytest.raises(DatasetError, match=r"missing, cut short or altered.*run the stage that"):
        dataset.load()


@pytest.mark.parametrize("damage", [alter_a_byte, cut_short, empty, lengthen, remove])
def test_a_folder_with_one_damaged_file_counts_as_missing(tmp_path, damage):
    dataset = AtomicDataset(filepath=tmp_path / "words", dataset={"type": TextFolder})
    dataset.save({**OLD_FILES, "deep/er.txt": "the whole content"})
    damage(tmp_path / "words" / "deep" / "er.txt")
    assert not dataset.exists()
    with pytest.raises(DatasetError, match="missing, cut short or altered"):
        dataset.load()


def test_a_folder_with_a_stray_file_counts_as_missing(tmp_path):
    dataset = AtomicDataset(filepath=tmp_path / "words", dataset={"type": TextFolder})
    dataset.save(OLD_FILES)
    (tmp_path / "words" / "stray.txt").write_text("not saved by us")
    assert not dataset.exists()


def test_what_was_never_saved_is_missing(make):
    assert not make().exists()
    with pytest.raises(DatasetError, match="missing, cut short or altered"):
        make().load()


def test_a_file_that_somebody_else_put_there_is_not_trusted(tmp_path):
    (tmp_path / "words.txt").write_text("foreign")
    assert not AtomicDataset(filepath=tmp_path / "words.txt", dataset="text.TextDataset").exists()


def test_a_damaged_file_is_replaced_by_the_next_save(make, old, new, place):
    make().save(old)
    receipts.receipt_path(place).unlink()
    make().save(new)
    assert make().load() == new


@pytest.mark.parametrize(
    ("wrapped", "message"),
    [(FailingText, "no space left on device"), (NothingSaved, "nothing was written for")],
)
def test_a_failing_save_keeps_the_old_content_and_leaves_nothing(tmp_path, wrapped, message):
    good = AtomicDataset(filepath=tmp_path / "words.txt", dataset="text.TextDataset")
    good.save("the old words")
    bad = AtomicDataset(filepath=tmp_path / "words.txt", dataset={"type": wrapped})
    with pytest.raises(DatasetError, match=message):
        bad.save("the new words")
    assert good.load() == "the old words"
    assert list_leftovers(tmp_path / "words.txt") == []


class Killed(BaseException):
    """Stands for the death of the process: nothing runs after it."""


def save_and_die(dataset, content, step, monkeypatch):
    """Save, and die just before the given step that touches the disk; False if it lived."""
    steps = itertools.count(1)

    def mortal(function):
        def run(*arguments, **options):
            if next(steps) >= step:
                raise Killed
            return function(*arguments, **options)

        return run

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", mortal(os.replace))
        # Flushing takes its time, and only a power cut would tell the difference.
        patch.setattr(os, "fsync", mortal(lambda file: None))
        # A dead process does not tidy up either.
        patch.setattr(atomic, "_remove", mortal(atomic._remove))
        try:
            dataset.save(content)
        except Killed:
            return False
    return True


def die_at_every_step(make, old, new, monkeypatch):
    """Save old content, die at a step of saving new content, and yield; one step further each time.

    After the last step the save was finished.
    """
    monkeypatch.setattr(os, "fsync", lambda file: None)
    for step in range(1, 50):
        make().save(old)
        finished = save_and_die(make(), new, step, monkeypatch)
        # A new process knows no hashes.
        file_hashes.HASHES.reopen()
        yield step
        if finished:
            return
    pytest.fail("the save never ends")


def test_a_process_killed_at_any_step_leaves_the_whole_old_or_new_content(
    make, old, new, monkeypatch
):
    found = []
    for _ in die_at_every_step(make, old, new, monkeypatch):
        assert make().exists()
        found.append(make().load())
    assert len(found) >= 8
    assert all(content in (old, new) for content in found)
    assert found == sorted(found, key=[old, new].index)
    assert found[0] == old
    assert found[-1] == new


def test_the_save_after_a_kill_works_and_sweeps(make, old, new, place, monkeypatch):
    for _ in die_at_every_step(make, old, new, monkeypatch):
        make().save(new)
        assert make().load() == new
        assert list_leftovers(place) == []


def test_a_process_killed_twice_leaves_the_whole_old_or_new_content(make, old, new, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda file: None)
    for first, second in itertools.product(range(1, 14, 2), range(1, 14, 3)):
        make().save(old)
        save_and_die(make(), new, first, monkeypatch)
        save_and_die(make(), new, second, monkeypatch)
        assert make().load() in (old, new)


def test_the_very_first_save_when_killed_leaves_nothing_that_counts(make, new, place, monkeypatch):
    for step in range(1, 5):
        assert not save_and_die(make(), new, step, monkeypatch)
        assert not make().exists() or make().load() == new
        atomic._remove(place)


@pytest.fixture
def dead_process():
    """The number of a process that is no more."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


@pytest.mark.parametrize("kind_of_leftover", ["draft", "aside"])
def test_what_dead_processes_left_is_swept_by_the_next_save(
    make, old, place, dead_process, kind_of_leftover
):
    make().save(old)
    leftover = place.with_name(f".{place.name}.{kind_of_leftover}-{dead_process}-0123abcd")
    leftover.write_text("half of it")
    make().save(old)
    assert not leftover.exists()


def test_the_drafts_of_living_processes_are_left_alone(make, old, place):
    make().save(old)
    draft = place.with_name(f".{place.name}.draft-{os.getppid()}-0123abcd")
    draft.write_text("half of it")
    make().save(old)
    assert draft.exists()


def test_the_drafts_of_other_datasets_are_left_alone(make, old, place, dead_process):
    make().save(old)
    other = place.with_name(f".other{place.name}.draft-{dead_process}-0123abcd")
    other.write_text("half of it")
    make().save(old)
    assert other.exists()


@pytest.mark.parametrize("name", ["words", "words[1]", "words-a*", "words.v1"])
def test_a_folder_left_aside_comes_back_whatever_its_name(tmp_path, name, dead_process):
    dataset = AtomicDataset(filepath=tmp_path / name, dataset={"type": TextFolder})
    dataset.save(OLD_FILES)
    (tmp_path / name).rename(tmp_path / f".{name}.aside-{dead_process}-0123abcd")
    assert dataset.load() == OLD_FILES


def test_a_save_flushes_nothing_but_its_own_files(make, old, place, monkeypatch):
    # Others may be saving in the same folder: their drafts come and go, and may be large.
    make().save(old)
    (place.parent / "neighbour.txt").write_text("of another dataset")
    flushed = []
    monkeypatch.setattr(os, "fsync", lambda file: flushed.append(os.fstat(file).st_ino))
    make().save(old)
    assert (place.parent).stat().st_ino in flushed
    assert (place.parent / "neighbour.txt").stat().st_ino not in flushed


# A child process that saves, and stops for ever at its n-th step that touches the disk.
CHILD = """
import os, sys
from graft.datasets.atomic import AtomicDataset

def stop(function, place):
    def run(*arguments):
        global steps
        steps -= 1
        if steps == 0:
            print("here", flush=True)
            sys.stdin.read()
        return function(*arguments)
    return run

filepath, steps = sys.argv[1], int(sys.argv[2])
os.replace, os.fsync = stop(os.replace, "replace"), stop(os.fsync, "fsync")
dataset = AtomicDataset(filepath=filepath, dataset="graft.datasets.FeatureShardsDataset")
import numpy as np, pandas as pd
from graft.datasets.features import FeatureBlock
from graft import file_hashes
keys = pd.DataFrame({"image_id": ["a"], "image_sha256": ["b"], "view": [0]})

def draw():
    yield FeatureBlock(keys, np.float32([[2, 2]]))
    if steps == 0:
        print("here", flush=True)
        sys.stdin.read()

dataset.save(draw())
"""


# 0 stops in the midst of writing the draft, the others while it is flushed or just before the
# receipt is replaced.
@pytest.mark.parametrize("step", [0, 1, 3])
def test_a_process_that_is_really_killed_leaves_the_whole_old_content(tmp_path, step):
    place = tmp_path / "features"

    def make():
        return AtomicDataset(filepath=place, dataset="graft.datasets.FeatureShardsDataset")

    keys = pd.DataFrame({"image_id": ["a"], "image_sha256": ["b"], "view": [0]})
    make().save([FeatureBlock(keys, np.float32([[1, 1]]))])
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(place), str(step)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    ) as child:  # fmt: skip
        stopped = child.stdout.readline()
        # Only now is it sure that the child is in the midst of its save.
        leftovers = list_leftovers(place)
        child.kill()
    assert stopped == "here\n"
    assert any(name.startswith(".features.draft-") for name in leftovers)
    np.testing.assert_array_equal(make().load().read_block(0), [[1, 1]])
    make().save([FeatureBlock(keys, np.float32([[3, 3]]))])
    assert list_leftovers(place) == []


def test_the_place_of_the_wrapped_dataset_is_told(make, place):
    assert str(place) in str(make())


def test_a_dataset_with_a_preview_shows_it_once_there_is_a_file(tmp_path):
    def make():
        return AtomicDataset(filepath=tmp_path / "page.html", dataset="graft.datasets.HTMLDataset")

    assert not hasattr(make(), "preview")
    make().save("<p>report</p>")
    assert make().preview() == "<p>report</p>"
    assert make().preview.__annotations__["return"] == "HTMLPreview"


def test_an_unknown_type_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="NoSuchDataset"):
        AtomicDataset(filepath=tmp_path / "x", dataset="graft.datasets.NoSuchDataset")


def test_a_loaded_memory_map_survives_the_next_save(tmp_path):
    dataset = AtomicDataset(
        filepath=tmp_path / "rows.npy", dataset="graft.datasets.NumpyArrayDataset"
    )
    dataset.save(np.zeros(5_000))
    mapped = dataset.load()
    dataset.save(np.ones(5_000))
    assert mapped.sum() == 0
    assert dataset.load().sum() == 5_000
