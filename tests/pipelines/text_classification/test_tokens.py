"""Texts as word indices: read, trimmed, shown, split without touching the test part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kedro.io import DatasetError

from graft.errors import GraftError
from graft.pipelines.text_classification.tokens import (
    KerasTextsDataset,
    TokenTablesDataset,
    TokenTexts,
    collect_texts,
    pad_tokens,
    read_token_tables,
    show_text,
    split_parts,
)

NAMES = ["bad", "good"]


def make_table(count: int) -> pd.DataFrame:
    return pd.DataFrame(
        {"tokens": [[1, 3 + n % 2, 5 + n] for n in range(count)], "label": [0, 1] * (count // 2)}
    )


@pytest.fixture
def texts() -> TokenTexts:
    return collect_texts(make_table(20), make_table(6), NAMES, words={})


@given(
    st.lists(st.lists(st.integers(0, 600), max_size=12), max_size=6),
    st.integers(1, 8),
    st.integers(4, 700),
)
def test_padding_keeps_the_last_words_in_their_order(
    texts: list[list[int]], length: int, vocabulary: int
) -> None:
    rows = pad_tokens([np.array(text, int) for text in texts], length, vocabulary)
    assert rows.shape == (len(texts), length)
    assert rows.dtype == np.int32
    for row, text in zip(rows, texts, strict=True):
        known = [token if token < vocabulary else 2 for token in text][-length:]
        assert row.tolist() == [0] * (length - len(known)) + known


def test_words_are_shown_where_they_are_at_hand() -> None:
    tokens = np.array([1, 9, 4, 2, 6])
    assert show_text(tokens, {4: "not", 6: "bad", 9: "film"}, 10) == "film not … bad"
    assert show_text(tokens, {4: "not", 6: "bad"}, 3) == "… not … bad"
    assert show_text(tokens, {}, 10) == "9 4 … 6"


def test_dev_is_taken_from_train_class_by_class_and_test_stays(texts: TokenTexts) -> None:
    splits = split_parts(texts, dev_share=0.2, seed=1)
    assert splits["text_id"].tolist() == texts.table["text_id"].tolist()
    is_test = splits["text_id"].str.startswith("test/")
    assert (splits["split"] == "test").tolist() == is_test.tolist()
    dev = splits[splits["split"] == "dev"]
    assert dev["label"].value_counts().to_dict() == {"bad": 2, "good": 2}
    assert splits["label_index"].tolist() == [NAMES.index(label) for label in splits["label"]]
    pd.testing.assert_frame_equal(splits, split_parts(texts, 0.2, seed=1))
    assert not splits.equals(split_parts(texts, 0.2, seed=2))


def test_a_share_that_leaves_a_class_out_of_dev_is_told(texts: TokenTexts) -> None:
    with pytest.raises(GraftError, match=r"dev_share: .*; got 0.01 of 20 texts"):
        split_parts(texts, dev_share=0.01, seed=1)


def test_a_class_of_one_text_is_told() -> None:
    few = make_table(4).iloc[:3]
    with pytest.raises(GraftError, match=r"needs two texts in train.* got 1 of class 'good'"):
        split_parts(collect_texts(few, make_table(4), NAMES, {}), 0.5, seed=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "test.parquet").unlink(), "test.parquet'$"),
        (lambda folder: (folder / "test.parquet").write_bytes(b"x"), "train.parquet and test"),
        (
            lambda folder: make_table(4)[["tokens"]].to_parquet(folder / "train.parquet"),
            "columns tokens",
        ),
        (
            lambda folder: make_table(4).assign(label=5).to_parquet(folder / "train.parquet"),
            "there are 2 class_names, for labels 0 to 1; got label 5 in train",
        ),
        (
            lambda folder: make_table(4).iloc[:0].to_parquet(folder / "test.parquet"),
            "got none in test",
        ),
    ],
)
def test_what_is_wrong_with_the_files_is_told_in_one_line(
    tmp_path: Path, change, message: str
) -> None:
    for part in ("train", "test"):
        make_table(4).to_parquet(tmp_path / f"{part}.parquet")
    change(tmp_path)
    with pytest.raises(GraftError, match=message) as caught:
        read_token_tables(tmp_path, NAMES)
    assert "\n" not in str(caught.value)


@pytest.mark.shared
def test_the_shared_reviews_are_read(shared: Path) -> None:
    dataset = TokenTablesDataset(
        filepath=str(shared / "data/imdb"), class_names=["negative", "positive"]
    )
    texts = dataset.load()
    assert texts.table["part"].value_counts().to_dict() == {"train": 5000, "test": 1000}
    assert texts.table["label"].iloc[0] == "positive"
    assert texts.table["tokens"].iloc[0][:3].tolist() == [1, 14, 22]


def test_only_two_data_sets_of_keras_are_texts() -> None:
    with pytest.raises(GraftError, match="imdb or reuters; got 'mnist'"):
        KerasTextsDataset(name="mnist")


def test_texts_that_cannot_be_downloaded_are_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from keras.datasets import reuters

    def fail(**_: object) -> None:
        raise Exception("URL fetch failure on https://…: None -- \n[Errno -2] unknown host")

    monkeypatch.setattr(reuters, "load_data", fail)
    with pytest.raises(DatasetError) as caught:
        KerasTextsDataset(name="reuters").load()
    error = caught.value.__cause__
    assert isinstance(error, GraftError)
    assert "cannot be downloaded" in str(error)
    assert "\n" not in str(error)
