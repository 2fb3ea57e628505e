"""Several sources side by side, each with its layout, its split or its source."""

from __future__ import annotations

import pytest

from graft.datasets import SeveralSourcesDataset
from graft.errors import GraftError
from graft.sources.class_folders import read_class_folders
from graft.sources.combined import Part, combine_sources

FILES = {"cat/1.png": b"1", "dog/1.png": b"2"}
FOLDERS = "graft.datasets.ClassFoldersDataset"


def test_names_are_told_apart_by_the_source_and_everything_is_read(pack_folder, get_facts):
    images = read_class_folders(pack_folder(FILES))
    source = combine_sources([Part("web", images), Part("phone", images, "test", "phone")])
    assert get_facts(source) == {
        "web/cat/1.png": "cat", "web/dog/1.png": "dog",
        "phone/cat/1.png": "cat", "phone/dog/1.png": "dog",
    }  # fmt: skip
    assert source.read("phone/dog/1.png") == b"2"
    assert source.identify("web/cat/1.png") == images.identify("cat/1.png")
    assert get_facts(source, "given_split")["web/cat/1.png"] is None
    assert get_facts(source, "given_split")["phone/cat/1.png"] == "test"
    assert get_facts(source, "source")["phone/cat/1.png"] == "phone"
    assert (source.records.dtypes == "str").all()


def test_each_source_has_a_layout_of_its_own(tmp_path, pack_folder, get_facts):
    folder = pack_folder(FILES)
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "7.png").write_bytes(b"7")
    (tmp_path / "test.csv").write_text("file,class\n7.png,dog\n")
    dataset = SeveralSourcesDataset(
        sources={
            "training": {"type": FOLDERS, "filepath": str(folder)},
            "official": {
                "type": "graft.datasets.LabelTableDataset",
                "filepath": str(tmp_path / "test.csv"), "images": str(tmp_path / "test"),
                "file_column": "file", "label_column": "class", "split": "eval",
            },
        }
    )  # fmt: skip
    source = dataset.load()
    assert get_facts(source)["official/7.png"] == "dog"
    assert get_facts(source, "given_split")["official/7.png"] == "eval"
    names = sorted(name for name, _ in dataset.walk())
    assert [name.partition("/")[0] for name in names] == ["0", "0", "1", "2"]
    assert dataset.exists()


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ({}, "sources are names, each with the definition of one"),
        ([{"type": FOLDERS, "filepath": "x"}], "sources are names"),
        ({"a": {"filepath": "x"}}, "the source 'a' needs the type of an image source"),
        ({"a": {"type": "pandas.CSVDataset", "filepath": "x"}}, "needs the type of an image"),
        ({"a": {"type": FOLDERS, "filepath": "x", "split": "holdout"}}, "'a': a split is called"),
    ],
)
def test_what_is_no_list_of_sources_is_refused(sources, message):
    with pytest.raises(GraftError, match=message) as error:
        SeveralSourcesDataset(sources=sources)
    assert len(str(error.value).splitlines()) == 1
