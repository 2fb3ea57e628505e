"""Texts whose words are numbers, numbered by how common they are, and where they come from."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from graft.datasets.atomic import UserFileDataset
from graft.errors import GraftError

# As in keras.datasets: 0 fills short texts up, 1 begins a text, 2 stands for any rarer word.
PADDING, START, RARE = 0, 1, 2
_SPECIAL = {PADDING: "", START: "", RARE: "…"}
_PARTS = ("train", "test")


@dataclass(frozen=True)
class TokenTexts:
    """Texts with their labels.

    Attributes:
        table: A row a text: ``text_id``, ``part`` (``train`` or ``test``, as they were given),
            ``label`` (str) and ``tokens`` (int arrays).
        class_names: Labels in the order of every probability vector.
        words: Index to word; empty if the words are not at hand.
    """

    table: pd.DataFrame
    class_names: list[str]
    words: dict[int, str]


def read_token_tables(folder: str | Path, class_names: Sequence[str]) -> TokenTexts:
    """Read ``train.parquet`` and ``test.parquet``: columns ``tokens`` and ``label`` (0, 1, …).

    Args:
        folder: Where both lie.
        class_names: Name of every label, in order.

    Raises:
        GraftError: If a file or column is missing, or a label has no name.
    """
    tables = []
    for part in _PARTS:
        path = Path(folder).expanduser() / f"{part}.parquet"
        try:
            tables.append(pd.read_parquet(path, columns=["tokens", "label"]))
        except Exception as error:  # pyarrow raises what it likes on a damaged file
            reason = " ".join(str(error).split())[:160]
            raise GraftError(
                "texts are needed as train.parquet and test.parquet with the columns tokens "
                f"(lists of word indices) and label (whole numbers from 0) ({reason}); got '{path}'"
            ) from error
    return collect_texts(tables[0], tables[1], class_names, words={})


def collect_texts(
    train: pd.DataFrame, test: pd.DataFrame, class_names: Sequence[str], words: dict[int, str]
) -> TokenTexts:
    """Put both parts together and give every text a name, such as ``train/17``.

    Args:
        train: Columns ``tokens`` and ``label`` (a whole number from 0).
        test: The same.
        class_names: Name of every label.
        words: Index to word.

    Raises:
        GraftError: If a part has no text, or a label has no name.
    """
    named = []
    for part, table in zip(_PARTS, (train, test), strict=True):
        if table.empty:
            raise GraftError(f"both parts need texts; got none in {part}")
        unknown = sorted(set(table["label"]) - set(range(len(class_names))))
        if unknown:
            raise GraftError(
                f"every label needs a name; there are {len(class_names)} class_names, for labels "
                f"0 to {len(class_names) - 1}; got label {unknown[0]} in {part}"
            )
        ids = [f"{part}/{number}" for number in range(len(table))]
        labels = [class_names[label] for label in table["label"]]
        tokens = pd.Series(list(table["tokens"]), dtype=object)
        named.append(
            pd.DataFrame({"text_id": ids, "part": part, "label": labels, "tokens": tokens})
        )
    return TokenTexts(pd.concat(named, ignore_index=True), list(class_names), words)


def pad_tokens(texts: Sequence[np.ndarray], length: int, vocabulary: int) -> np.ndarray:
    """The last words of every text, filled up in front.

    Args:
        texts: Word indices of every text.
        length: Words to keep.
        vocabulary: Indices from here on become 2, a rare word.

    Returns:
        Array (N, length), int32.

    Examples:
        >>> pad_tokens([np.array([1, 7, 8, 900]), np.array([5])], length=3, vocabulary=500)
        array([[7, 8, 2],
               [0, 0, 5]], dtype=int32)
    """
    rows = np.full((len(texts), length), PADDING, np.int32)
    for row, text in zip(rows, texts, strict=True):
        last = np.asarray(text, np.int32)[-length:]
        row[length - len(last) :] = np.where(last < vocabulary, last, RARE)
    return rows


def show_text(tokens: np.ndarray, words: dict[int, str], length: int) -> str:
    """The last words of a text to read; their numbers where the words are not at hand.

    Examples:
        >>> show_text(np.array([1, 4, 2, 5]), {4: "so", 5: "good"}, length=10)
        'so … good'
        >>> show_text(np.array([1, 4, 2, 5]), {}, length=2)
        '… … 5'
    """
    shown = [
        _SPECIAL[index] if index in _SPECIAL else words.get(index, str(index))
        for index in np.asarray(tokens)[-length:].tolist()
    ]
    beginning = ["…"] if len(tokens) > length else []
    return " ".join(beginning + [word for word in shown if word])


def split_parts(texts: TokenTexts, dev_share: float, seed: int) -> pd.DataFrame:
    """Take dev from train, class by class; the test part stays as it was given.

    Args:
        texts: The texts.
        dev_share: Share of train.
        seed: Seed of the draw.

    Returns:
        A row a text, in their order: ``text_id``, ``label``, ``label_index``, ``split`` (train,
        dev or test).

    Raises:
        GraftError: If a class has too few texts for both.
    """
    from sklearn.model_selection import train_test_split

    table = texts.table
    rows = np.flatnonzero(table["part"] == "train")
    labels = table["label"].iloc[rows]
    counts = labels.value_counts().reindex(texts.class_names, fill_value=0)
    if counts.min() < 2:
        raise GraftError(
            "every class needs two texts in train, one of them for dev; got "
            f"{counts.min()} of class '{counts.idxmin()}'"
        )
    try:
        _, dev = train_test_split(rows, test_size=dev_share, stratify=labels, random_state=seed)
    except ValueError as error:
        raise GraftError(
            f"dev_share: {' '.join(str(error).split())}; got {dev_share} of {len(rows)} texts"
        ) from error
    split = table["part"].to_numpy(dtype=object).copy()
    split[dev] = "dev"
    numbers = pd.Categorical(table["label"], categories=texts.class_names).codes
    return pd.DataFrame(
        {
            "text_id": table["text_id"],
            "label": table["label"],
            "label_index": numbers.astype(np.int32),
            "split": split,
        }
    ).astype({"text_id": "str", "label": "str", "split": "str"})


# Indices 0 to 2 are no words; the word index of Keras begins with 1 for the commonest word.
_FIRST_WORD = 3


class TokenTablesDataset(UserFileDataset):
    """``train.parquet`` and ``test.parquet`` in a folder, read only.

    Args:
        filepath: The folder.
        class_names: Name of every label, in the order of their numbers.
        metadata: Ignored by Kedro; kedro-viz reads it.
    """

    def __init__(
        self, *, filepath: str, class_names: Sequence[str], metadata: dict[str, Any] | None = None
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._class_names = class_names

    def load(self) -> TokenTexts:
        return read_token_tables(self._filepath, self._class_names)


class KerasTextsDataset(AbstractDataset[Any, TokenTexts]):
    """Texts that come with Keras, from its cache or the network: ``imdb`` or ``reuters``.

    Args:
        name: Name of the data set.
        vocabulary: Only the so many commonest words are told apart.
        metadata: Ignored by Kedro; kedro-viz reads it.
    """

    def __init__(
        self, *, name: str, vocabulary: int = 10_000, metadata: dict[str, Any] | None = None
    ) -> None:
        if name not in ("imdb", "reuters"):
            raise GraftError(f"KerasTextsDataset: name is imdb or reuters; got '{name}'")
        self._name = name
        self._vocabulary = vocabulary
        self.metadata = metadata

    def load(self) -> TokenTexts:
        source = importlib.import_module(f"keras.datasets.{self._name}")
        try:
            train, test = source.load_data(num_words=self._vocabulary)
            index = source.get_word_index()
        except Exception as error:  # Keras says with a bare Exception that a download failed
            raise GraftError(
                f"the texts of {self._name} are not in Keras' cache and cannot be downloaded "
                f"({' '.join(str(error).split())[:200]}); go online once, or use "
                f"TokenTablesDataset; got name '{self._name}'"
            ) from error
        names = ["negative", "positive"] if self._name == "imdb" else source.get_label_names()
        words = {number + _FIRST_WORD: word for word, number in index.items()}
        tables = [pd.DataFrame({"tokens": list(x), "label": y}) for x, y in (train, test)]
        return collect_texts(tables[0], tables[1], names, words)

    def save(self, data: Any) -> NoReturn:
        raise DatasetError(f"{self} comes with Keras: it is read, never written")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"name": self._name}
