"""Catalog type for the champion: the chosen classifier, with all that is needed to use it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graft.classifier.champion import Champion, load_champion, save_champion
from graft.datasets.atomic import LocalDataset


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
        save_champion(data, self._filepath, self._imports)
