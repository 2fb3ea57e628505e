"""Catalog types for Keras models, and for the champion among them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graft.classifier.champion import Champion, load_champion, save_champion
from graft.classifier.model_file import read_model
from graft.datasets.atomic import LocalDataset, UserFileDataset
from graft.datasets.receipts import agrees_with_receipt, receipt_path
from graft.datasets.shared_models import share_model, write_shared
from graft.errors import GraftError

if TYPE_CHECKING:
    import keras


class KerasModelDataset(LocalDataset["keras.Model", "keras.Model"]):
    """A ``.keras`` file.

    kedro-datasets' ``tensorflow.TensorFlowModelDataset`` does the same but imports TensorFlow
    where it is declared; this one imports it where a model is loaded or saved, so that the
    catalog can be listed and drawn in a second. Code inside the file is never executed
    (``safe_mode``). The same model is the same file: neither times nor addresses in
    memory are stored in it.

    Two loads give two networks, of which one may be trained and the other not. Only nodes that
    follow one another in a run are given the same object, as long as it is as it was in the file
    (:mod:`graft.datasets.shared_models`).

    Args:
        filepath: The file.
        imports: Modules that register classes of the model that are not of Keras itself.
        metadata: Ignored by Kedro; kedro-viz reads it.
    """

    def __init__(
        self,
        *,
        filepath: str,
        imports: Sequence[str] = (),
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._imports = imports

    def load(self) -> keras.Model:
        return share_model(self._filepath, lambda: read_model(self._filepath, self._imports))

    def save(self, data: keras.Model) -> None:
        write_shared(data, self._filepath)


class ChampionDataset(LocalDataset[Champion, Champion]):
    """A folder: ``classifier.keras``, ``classifier.json``, class names, metrics, model card.

    Args:
        filepath: The folder.
        imports: Modules that register classes of the model that are not of Keras itself.
        metadata: Ignored by Kedro; kedro-viz reads it.
    """

    def __init__(
        self, *, filepath: str, imports: Sequence[str] = (), metadata: dict[str, Any] | None = None
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._imports = list(imports)

    def load(self) -> Champion:
        return load_champion(self._filepath, self._imports)

    def save(self, data: Champion) -> None:
        save_champion(data, self._filepath, self._imports, write=write_shared)


class ChampionInUseDataset(UserFileDataset):
    """A champion's folder, as it stands: nobody asks whether what it was trained on has changed.

    It loads as a function that loads the champion: whoever asks another classifier need not wait
    for it, nor have one. None if there is none.

    Args:
        filepath: The folder.
        imports: Modules that register classes of the model that are not of Keras itself.
        metadata: Ignored by Kedro; kedro-viz reads it.
    """

    def __init__(
        self, *, filepath: str, imports: Sequence[str] = (), metadata: dict[str, Any] | None = None
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._imports = list(imports)

    def load(self) -> Callable[[], Champion] | None:
        return self._load_checked if self.list_files() else None

    def _load_checked(self) -> Champion:
        place = Path(self._filepath).expanduser()
        # A folder that was copied from elsewhere has no receipt beside it.
        if receipt_path(place).exists() and not agrees_with_receipt(place):
            raise GraftError(
                "the champion was cut short or altered since it was saved; make it again with "
                f"`kedro run`; got '{place}'"
            )
        return load_champion(place, self._imports)

    def _exists(self) -> bool:
        return True
