"""Catalog types for ``raw_table``: from a CSV file, or with a library."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from graft.datasets.atomic import UserFileDataset
from graft.errors import GraftError


class TableFileDataset(UserFileDataset):
    """A CSV file, read only.

    Args:
        filepath: The file.
        has_header: Whether its first row has the names of the columns; they are 0, 1, … if not.
        metadata: Ignored by Kedro; kedro-viz reads it.
    """

    def __init__(
        self, *, filepath: str, has_header: bool = True, metadata: dict[str, Any] | None = None
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._has_header = has_header

    def load(self) -> pd.DataFrame:
        try:
            path = Path(self._filepath).expanduser()
            return pd.read_csv(path, header=0 if self._has_header else None)
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())[:160]
            raise GraftError(
                f"a CSV file is needed ({reason}); name another with --params source=FILE; "
                f"got '{self._filepath}'"
            ) from error


class LibraryTableDataset(AbstractDataset[Any, pd.DataFrame]):
    """A table that comes with scikit-learn, or with Keras from its cache or the network.

    ``diabetes`` (scikit-learn, offline; Efron et al. 2004): 442 patients, the last column
    ``target`` is the progression of the disease. ``california_housing`` (Keras; Pace and Barry
    1997): 20,640 districts; ``x1`` to ``x8`` in the order of the file, and ``median_house_value``
    in dollars.

    Args:
        name: ``diabetes`` or ``california_housing``.
        metadata: Ignored by Kedro; kedro-viz reads it.
    """

    def __init__(self, *, name: str, metadata: dict[str, Any] | None = None) -> None:
        if name not in ("diabetes", "california_housing"):
            raise GraftError(
                f"LibraryTableDataset: name is diabetes or california_housing; got '{name}'"
            )
        self._name = name
        self.metadata = metadata

    def load(self) -> pd.DataFrame:
        if self._name == "diabetes":
            from sklearn.datasets import load_diabetes

            return load_diabetes(as_frame=True).frame
        from keras.datasets import california_housing

        try:
            parts = california_housing.load_data(version="large")
        except Exception as error:  # Keras says with a bare Exception that a download failed
            raise GraftError(
                "the houses are not in Keras' cache and cannot be downloaded "
                f"({' '.join(str(error).split())[:200]}); go online once, or take another "
                f"raw_table; got name '{self._name}'"
            ) from error
        tables = [pd.DataFrame(rows).assign(median_house_value=values) for rows, values in parts]
        whole = pd.concat(tables, ignore_index=True)
        return whole.rename(columns={number: f"x{number + 1}" for number in range(8)})

    def save(self, data: Any) -> NoReturn:
        raise DatasetError(f"{self} comes with a library: it is read, never written")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"name": self._name}
