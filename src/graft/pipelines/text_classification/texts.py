"""Catalog types for ``raw_texts``: texts as word indices."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, NoReturn

import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from graft.datasets.atomic import UserFileDataset
from graft.errors import GraftError
from graft.pipelines.text_classification.tokens import TokenTexts, collect_texts, read_token_tables

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
